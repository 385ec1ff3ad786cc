"""The audit (#48): every state that changes is compared with what the other systems hold.

Thin: it reads the ledger, asks `states` which of two states counts, and hands what is new to the checks
(`conclude`) and the watch lists (`watching`). Ledger records `states/MSISDN` and `occurrences/MSISDN`: see `states`.
"""

from __future__ import annotations

from agents.conclude import Conclusions
from agents.event import Event
from agents.ports import Batch
from agents.shell import Shell
from agents.states import MOST_STATES, apply, held, occurrences_key, states_key
from agents.watching import Watching
from schemas.errors import RecordError
from schemas.events.state import OCCURRENCES


class Audit:
    """Decides the batches of `yupan.state.v1`, and the deadlines that wait for them."""

    topics = ("yupan.state.v1",)

    def __init__(self, shell: Shell, conclusions: Conclusions, watching: Watching) -> None:
        self.shell = shell
        self.conclusions = conclusions
        self.watching = watching

    def process(self, batch: Batch) -> None:
        """Decide a batch: its fired deadlines, then its events."""
        if self.conclusions.baseline is not None:
            self.conclusions.baseline.show(batch, self.conclusions.checks.exported)
        self.shell.run(batch, self._decide, self.conclusions.fired)

    def _decide(self, batch: Batch, event: Event) -> None:
        record = event.record
        name = f"{record['system']}.{record['attribute']}"
        if record["attribute"] in OCCURRENCES:
            if self.shell.occurs(batch, event, occurrences_key(record["msisdn"])):
                self.conclusions.judge(batch, event, name, {}, {})
            return
        key = states_key(record["msisdn"])
        before = held(batch.get(key))
        if name not in before and len(before) >= MOST_STATES:
            raise RecordError("too_large", f"of one customer at most {MOST_STATES} are kept", "attribute")
        after, what = apply(before, name, event)
        if what == "older":
            self.shell.counts.count("yupan_late", system=record["system"])
        elif what != "new":
            self.shell.counts.count("yupan_duplicates", topic=event.topic)
        else:
            batch.put(key, {"v": 1, "held": after})
            self.conclusions.judge(batch, event, name, before, after)
            self.watching.state(batch, event, name)
