"""The baseline (#48): before going live, the full exports of all systems; until then no check speaks of them.

A switch, off by default (`YUPAN_BASELINE`). While it is on and the export of one of a check's systems is not in, what
falls due waits for another deadline, and what opens at once opens in shadow. An export is in when all that was written
before its end is decided, which is a deadline of its own. Ledger record `~baseline`, one a partition: `{"v": 1,
"systems": {SYSTEM: ms}}`.
"""

from __future__ import annotations

from agents.event import Event
from agents.ports import Batch, Fired
from agents.shell import Shell
from agents.verdicts import Rule

BASELINE = "yupan.internal.baseline.v1"
STATE = "yupan.state.v1"
KEY = "~baseline"
DEADLINE = "baseline/"
"""What the names of the deadlines begin with; the system follows."""
USAGE = "usage"
"""What is named like a system and is none: nobody exports it."""


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


def is_in(batch: Batch, rule: Rule) -> bool:
    """Whether the exports of all systems that a rule reads are in."""
    known = (batch.get(KEY) or {"systems": {}})["systems"]
    return all(system in known or system == USAGE for system in (n.partition(".")[0] for n in rule.watches))
