"""Cells and regions (#49): the counts that come from all partitions, and what the kind `rate` says of them.

Ledger records `rates/AREA`: `{"v": 1, "region": NAME, "checks": {CHECK: Rates}}`, an area being `cell:ID` or
`region:NAME`; one a partition: `~counted/SLIDE`, `{"v": 1, "until": {SOURCE: ms}}`, how far each partition has come,
and `~open/areas`, `{"v": 1, "open": {anomaly_id: [AREA, CHECK]}}`, by which commands find what they are about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import anomalies, life
from agents.conclude import Conclusions
from agents.event import Event
from agents.ports import Batch, Fired
from agents.shell import Shell
from agents.verdicts import AreaChange, Decision

DEADLINE = "rate/"
"""What the names of our deadlines begin with; the check's id follows."""
OPEN = "~open/areas"
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

    def order(self, batch: Batch, event: Event) -> str:
        """Do to an area's anomaly what a person orders; what came of it: `done`, `unknown` or `impossible`."""
        known = _opened(batch).get(event.record["anomaly_id"])
        if known is None:
            return "unknown"
        area, check_id = known
        held = batch.get(_key(area))
        change = life.ordered_of_area(event, area, held["region"], held["checks"][check_id])
        if change is None or check_id not in self.conclusions.checks.by_id:
            return "impossible"
        self._keep(batch, area, held, check_id, change)
        return "done"

    def _keep(self, batch: Batch, area: str, held: Any, check_id: str, change: AreaChange) -> None:
        rates, decisions = change.rates, []
        for decided in change.decisions:
            decision = life.placed(decided, rates.get("former"))
            decisions.append(decision)
            if decision.status == "RESOLVED":
                rates = {**rates, "former": life.former_of(decision)}
            elif rates["open"] is not None:
                rates = {**rates, "open": decision.anomaly}
        batch.put(_key(area), {**held, "checks": {**held["checks"], check_id: rates}})
        if change.due is not None:
            batch.arm(area, DEADLINE + check_id, change.due, self.topics)
        for decision in decisions:
            self._note_open(batch, area, check_id, decision)
            check = self.conclusions.checks.by_id[check_id]
            anomaly = anomalies.anomaly_record(check, decision, area=area)
            self.shell.emit(
                batch, anomalies.TOPIC, anomaly, anomalies.event_id(decision), traceparent=decision.traceparent
            )
            self.shell.counts.count("yupan_anomalies", check=check_id, status=decision.status)

    def _note_open(self, batch: Batch, area: str, check_id: str, decision: Decision) -> None:
        opened = _opened(batch)
        rest = {anomaly: place for anomaly, place in opened.items() if anomaly != decision.anomaly["id"]}
        if decision.status not in life.ENDED:
            rest[decision.anomaly["id"]] = [area, check_id]
        if rest:
            batch.put(OPEN, {"v": 1, "open": rest})
        elif opened:
            batch.delete(OPEN)


def _opened(batch: Batch) -> Mapping[str, list[str]]:
    record = batch.get(OPEN)
    return {} if record is None else record["open"]


def _key(area: str) -> str:
    return f"rates/{area}"


def _counted_key(slide: int) -> str:
    return f"~counted/{slide}"
