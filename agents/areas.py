"""Cells and regions (#49): the counts that come from all partitions, and what the kind `rate` says of them.

Ledger records `rates/AREA`: `{"v": 1, "region": NAME, "checks": {CHECK: Rates}}`, an area being `cell:ID` or
`region:NAME`; `~counted/SLIDE`, `{"v": 1, "until": {SOURCE: ms}}`, how far each partition has come,
and `~open/ANOMALY_ID`, `{"v": 1, "area": AREA, "check": CHECK}`, by which commands find what they are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents import anomalies, life, shadow
from agents.conclude import Conclusions
from agents.event import Event
from agents.joining import Group, entered, join
from agents.ports import Batch, Fired
from agents.rules import Check
from agents.shell import Shell
from agents.usage import RATE, begin_ticking, counted_key
from agents.verdicts import CHECK_CHANGED, AreaChange, AreaRule, Decision, since_of
from agents.waiting import Open, Rates

DEADLINE = "rate/"
"""What the names of our deadlines begin with; the check's id follows."""
LOOKS = 30
"""So many times in a pane, at most, is looked whether all partitions have counted a window that has passed."""


class Areas:
    """Decides the batches of `yupan.internal.rate.v1`."""

    topics = (RATE,)

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
        held = self._without_others(batch, area, held, check_id, event.occurred_at)
        rates = held["checks"].get(check_id)
        change = rule.add(rates, record["pane"], record["succeeded"], record["failed"])
        if change is not None and rates is not None and rule.due(rates) == change.due:
            change = change._replace(due=None)  # it is armed, perhaps for later, since a partition is behind
        if change is None:
            self.shell.counts.count("yupan_late", record["succeeded"] + record["failed"], system="usage")
        else:
            self._keep(batch, area, held, check_id, change)

    def _counted(self, batch: Batch, source: int, slide: int, until: int) -> None:
        """A partition tells how far it has come: all have to, also those that never count anything."""
        key = counted_key(slide)
        known = (batch.get(key) or {"until": {}})["until"]
        batch.put(key, {"v": 1, "until": {**known, str(source): max(until, known.get(str(source), until))}})
        begin_ticking(batch, slide, until)

    def _fired(self, batch: Batch, fired: Fired) -> None:
        area, check_id = fired.customer, fired.name.removeprefix(DEADLINE)
        rule = self.conclusions.checks.areas.get(check_id)
        held = self._without_others(batch, area, batch.get(_key(area)), check_id, fired.due_at)
        rates = None if held is None else held["checks"].get(check_id)
        if rule is None and held is not None and rates is not None:
            # its file was taken away while it waited; what is open stays so until it is back and counts anew
            batch.put(_key(area), {**held, "checks": {**held["checks"], check_id: {**rates, "panes": []}}})
        if rule is None or rates is None or (due := rule.due(rates)) is None:
            return
        if due > fired.due_at:  # its window was made longer
            batch.arm(area, fired.name, due, self.topics)
        elif self._are_past(batch, rule.slide, due - rule.slide):
            self._keep(batch, area, held, check_id, rule.fall_due(area, held["region"], rates, due))
        else:  # a partition is behind: what it has not read yet may belong to this window. The later, the rarer
            now = max(fired.due_at, batch.now())
            wait = max(rule.slide // LOOKS, min(now - due, rule.slide), 1)
            batch.arm(area, fired.name, now + wait, self.topics)

    def _are_past(self, batch: Batch, slide: int, end: int) -> bool:
        """Whether every partition has counted all that occurred before `end`."""
        known = (batch.get(counted_key(slide)) or {"until": {}})["until"]
        partitions = range(self.shell.intake.partitions)
        return all(known.get(str(source), 0) >= end for source in partitions)

    def order(self, batch: Batch, event: Event) -> str:
        """Do to an area's anomaly what a person orders; what came of it: `done`, `unknown` or `impossible`."""
        known = batch.get(f"~open/{event.record['anomaly_id']}")
        if known is None:
            return "unknown"
        area, check_id = known["area"], known["check"]
        held = self._without_others(batch, area, batch.get(_key(area)), check_id, event.occurred_at)
        if check_id not in held["checks"]:
            return "done" if event.record["kind"] == "WITHDRAW" else "impossible"
        change = life.ordered_of_area(event, area, held["region"], held["checks"][check_id])
        if change is None:
            return "impossible"
        if check_id in self.conclusions.checks.areas:
            self._keep(batch, area, held, check_id, change)
        elif event.record["kind"] == "WITHDRAW":
            self._end(batch, area, held, check_id, change.decisions)
        else:
            return "impossible"
        return "done"

    def _end(self, batch: Batch, area: str, held: Any, check_id: str, decisions: Sequence[Decision]) -> None:
        """A person has withdrawn what is open of a check that is off, or whose file is gone."""
        rest = {name: one for name, one in held["checks"].items() if name != check_id}
        batch.put(_key(area), {**held, "checks": rest})
        anomaly = held["checks"][check_id]["open"]
        check = self.conclusions.last_known(batch, check_id, anomaly["id"])
        self._tell(batch, check, area, decisions, anomaly, None)

    def _keep(self, batch: Batch, area: str, held: Any, check_id: str, change: AreaChange) -> None:
        check, decisions = self.conclusions.checks.by_id[check_id], []
        rates: Rates = {**change.rates, "rule": check.shape}
        for decided in change.decisions:
            decision = life.placed(decided, rates.get("resolved"), shadow=check.mode == shadow.SHADOW)
            decisions.append(decision)
            if decision.status in life.ENDED:
                rates = {**rates, "resolved": life.former_of(decision)}
            elif rates["open"] is not None:
                rates = {**rates, "open": decision.anomaly}
        known = held["checks"].get(check_id)
        joins = entered(_group(area, known and known["open"]), _group(area, rates["open"])) if decisions else None
        if joins is not None:
            rates = {**rates, "open": joins}
        batch.put(_key(area), {**held, "checks": {**held["checks"], check_id: rates}})
        if change.due is not None:
            batch.arm(area, DEADLINE + check_id, change.due, self.topics)
        self._tell(batch, check, area, decisions, known and known["open"], rates["open"])

    def _without_others(self, batch: Batch, area: str, held: Any, check_id: str, at: int) -> Any:
        """What a rule of another shape has left under this id is dropped, and what it has open withdrawn."""
        check = self.conclusions.checks.by_id.get(check_id)
        rates: Rates | None = None if held is None else held["checks"].get(check_id)
        if check is None or rates is None or _is_of(check, rates):
            return held
        rest = {name: one for name, one in held["checks"].items() if name != check_id}
        batch.put(_key(area), held := {**held, "checks": rest})
        batch.disarm(area, DEADLINE + check_id)
        anomaly = rates["open"]
        if anomaly is not None:
            at, trigger = max(at, since_of(anomaly)), f"{check_id}|{area}|{at}"
            told = area, "WITHDRAWN", at, CHECK_CHANGED, anomaly, anomaly["evidence"], trigger, held["region"], trigger
            self._tell(batch, check, area, [Decision(*told, traceparent=None)], anomaly, None)
        return held

    def _tell(
        self,
        batch: Batch,
        check: Check,
        area: str,
        decisions: Sequence[Decision],
        before: Open | None,
        after: Open | None,
    ) -> None:
        """Announce what is decided, but for what opened in shadow."""
        for decision in decisions:
            if shadow.is_silent(decision.anomaly):
                self.shell.keep_silent(check.id, shadow.line(check.id, decision, None, area))
                continue
            self._note_open(batch, area, check.id, decision)
            self.conclusions.announce(batch, anomalies.anomaly_record(check, decision, area=area), decision)
        if decisions:
            join(self.shell, batch, check, (_group(area, before), _group(area, after)), decisions[-1])

    def _note_open(self, batch: Batch, area: str, check_id: str, decision: Decision) -> None:
        key = f"~open/{decision.anomaly['id']}"
        if decision.status in life.ENDED:
            batch.delete(key)
        else:
            batch.put(key, {"v": 1, "area": area, "check": check_id})


def _group(area: str, anomaly: Open | None) -> Group | None:
    per, _, name = area.partition(":")
    if anomaly is None or shadow.is_silent(anomaly):
        return None
    return Group(anomaly, None, name) if per == "cell" else Group(anomaly, name)


def _is_of(check: Check, rates: Rates) -> bool:
    """Whether a check's rule is of the shape of the one that has counted; of older records that is not told."""
    return isinstance(check.rule, AreaRule) and rates.get("rule", check.shape) == check.shape


def _key(area: str) -> str:
    return f"rates/{area}"
