"""Cells and regions (#49): the counts that come from all partitions, and what the kind `rate` says of them.

Ledger records `rates/AREA`: `{"v": 1, "region": NAME, "checks": {CHECK: Rates}}`, an area being `cell:ID` or
`region:NAME`; and `~counted/SLIDE`, one a partition: `{"v": 1, "until": {SOURCE: ms}}`, how far each has come.
"""

from __future__ import annotations

from typing import Any

from agents import anomalies
from agents.conclude import Conclusions
from agents.event import Event
from agents.ports import Batch, Fired
from agents.shell import Shell
from agents.verdicts import AreaChange

DEADLINE = "rate/"
"""What the names of our deadlines begin with; the check's id follows."""
LOOKS = 30
"""So many times in a pane is looked whether all partitions have counted a window that has passed."""


class Areas:
    """Decides the batches of `yupan.internal.rate.v1`."""

    topics = ("yupan.internal.rate.v1",)

    def __init__(self, shell: Shell, conclusions: Conclusions) -> None:
        """`conclusions`: whose checks are in force."""
        self.shell = shell
        self.conclusions = conclusions

    def process(self, batch: Batch) -> None:
        """Decide a batch: the windows that have passed, then the counts that have come."""
        self.shell.run(batch, self._decide, self._fired)

    def _decide(self, batch: Batch, event: Event) -> None:
        record = event.record
        if record["until"] is not None:
            self._counted(batch, record["source"], record["slide"], record["until"])
            return
        area, check_id = str(event.key), record["check"]
        rule = self.conclusions.checks.areas.get(check_id)
        if rule is None:
            return  # its file was taken away since this was counted
        held = batch.get(_key(area)) or {"v": 1, "region": None, "checks": {}}
        if record["region"] is not None:
            held = {**held, "region": record["region"]}
        rates = held["checks"].get(check_id)
        change = rule.add(rates, record["pane"], record["succeeded"], record["failed"])
        if change is None:
            self.shell.counts.count("yupan_late", record["succeeded"] + record["failed"], system="usage")
        else:
            self._keep(batch, area, held, check_id, change)

    def _counted(self, batch: Batch, source: int, slide: int, until: int) -> None:
        key = _counted_key(slide)
        known = (batch.get(key) or {"until": {}})["until"]
        batch.put(key, {"v": 1, "until": {**known, str(source): max(until, known.get(str(source), until))}})

    def _fired(self, batch: Batch, fired: Fired) -> None:
        area, check_id = fired.customer, fired.name.removeprefix(DEADLINE)
        rule = self.conclusions.checks.areas.get(check_id)
        held = batch.get(_key(area))
        rates = None if held is None else held["checks"].get(check_id)
        if rule is None or rates is None or (due := rule.due(rates)) is None:
            return  # its file was taken away while it waited, or changed
        known = (batch.get(_counted_key(rule.slide)) or {"until": {}})["until"]
        if any(until < due - rule.slide for until in known.values()):
            # a partition is behind: what it has not read yet may belong to this window
            batch.arm(area, fired.name, max(fired.due_at, batch.now()) + max(rule.slide // LOOKS, 1), self.topics)
        else:
            self._keep(batch, area, held, check_id, rule.fall_due(area, held["region"], rates, due))

    def _keep(self, batch: Batch, area: str, held: Any, check_id: str, change: AreaChange) -> None:
        batch.put(_key(area), {**held, "checks": {**held["checks"], check_id: change.rates}})
        if change.due is not None:
            batch.arm(area, DEADLINE + check_id, change.due, self.topics)
        for decision in change.decisions:
            check = self.conclusions.checks.by_id[check_id]
            anomaly = anomalies.anomaly_record(check, decision, area=area)
            self.shell.emit(batch, anomalies.TOPIC, anomaly, anomalies.event_id(decision))
            self.shell.counts.count("yupan_anomalies", check=check_id, status=decision.status)


def _key(area: str) -> str:
    return f"rates/{area}"


def _counted_key(slide: int) -> str:
    return f"~counted/{slide}"
