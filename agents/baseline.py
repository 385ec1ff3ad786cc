"""The baseline (#48): before going live, the full exports of all systems; until then no check speaks of them.

A switch, off by default (`YUPAN_BASELINE`). While it is on and the export of one of a check's systems is not in, what
falls due waits for another deadline, and what opens at once opens in shadow. Waited for are systems whose states some
check compares: of one that only triggers, or tells what counts each time, there is nothing to export. An export is in
when all that was written before its end is decided, which is a deadline of its own. Ledger record `~baseline`, one a
partition: `{"v": 1, "systems": {SYSTEM: ms}}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from agents.event import Event
from agents.ports import Batch, Fired
from agents.shell import Shell
from agents.verdicts import Rule

BASELINE = "yupan.internal.baseline.v1"
STATE = "yupan.state.v1"
KEY = "~baseline"
DEADLINE = "baseline/"
"""What the names of the deadlines begin with; the system follows."""


class Baselines:
    """Notes which exports are in."""

    topics = (BASELINE,)

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def process(self, batch: Batch) -> None:
        """Note the exports that are in, then wait for those whose end was told."""
        self.shell.run(batch, self._decide, self._fired)

    def _decide(self, batch: Batch, event: Event) -> None:
        due = max(batch.now(), event.occurred_at)
        batch.arm(KEY, DEADLINE + event.record["system"], due, (BASELINE, STATE))

    def _fired(self, batch: Batch, fired: Fired) -> None:
        known = (batch.get(KEY) or {"systems": {}})["systems"]
        system = fired.name.removeprefix(DEADLINE)
        batch.put(KEY, {"v": 1, "systems": {**known, system: fired.due_at}})


class Baseline:
    """What is asked while the switch is on. `exported`: the systems whose states some check compares."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._shown: set[str] = set()

    def is_in(self, batch: Batch, rule: Rule, exported: Set[str]) -> bool:
        """Whether the exports of all systems that a rule compares, or adds up, are in, as far as there are any."""
        return not _missing(batch, {name.partition(".")[0] for name in rule.compares or rule.watches} & exported)

    def show(self, batch: Batch, exported: Set[str]) -> None:
        """Tell for which systems checks are silent, as far as this partition knows."""
        absent = _missing(batch, exported)
        self._shown |= exported  # also those of before the files were read anew
        for system in self._shown:
            self.shell.counts.set("yupan_baseline_missing", int(system in absent), system=system)


def _missing(batch: Batch, systems: Set[str]) -> Set[str]:
    """Those whose export is not in."""
    known: Mapping[str, int] = (batch.get(KEY) or {"systems": {}})["systems"]
    return systems - known.keys()
