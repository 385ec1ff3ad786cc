"""Kind `rate`: the share of attempts that succeed in a cell or region, over a sliding window (#49).

A window has five panes and slides by one. It is judged as of a pane later, the time that late events have; what
comes later still joins the windows to come. The exact rules are those of contracts, "rate".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agents.texts import share_text
from agents.verdicts import AreaChange, Decision
from agents.waiting import Open, Rates
from agents.words import usage_kind, user_causes
from agents.yaml_reader import Section

PANES = 5
SHORTEST = 5_000
"""Milliseconds of a window, so that a pane is a second: each is judged, and told to all areas, by itself."""


class Bounds(NamedTuple):
    """Shares of one. An anomaly opens below `below` and ends at `recovered`; neither with fewer than `at_least`."""

    below: float
    recovered: float
    at_least: int


class Rate:
    """Of the usage `kind` in each `per` (`cell` or `region`)."""

    def __init__(
        self, check: str, within: int, kind: str, per: str, bounds: Bounds, user_causes: Sequence[str] = ()
    ) -> None:
        self.check = check
        self.within = within
        self.usage = kind
        self.per = per
        self.bounds = bounds
        self.user_causes = tuple(user_causes)
        self.slide = within // PANES

    @property
    def placeholders(self) -> frozenset[str]:
        """See `Rule.placeholders`."""
        return frozenset((self.per, "usage.rate", "usage.attempts", "within"))

    def words(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.words`."""
        return {**evidence, self.per: subject.partition(":")[2]}

    def counts(self, record: Mapping[str, Any]) -> bool:
        """See `AreaRule.counts`."""
        return record["result"] == "OK" or record["cause"] not in self.user_causes

    def pane(self, at: int) -> int:
        """See `AreaRule.pane`."""
        return at - at % self.slide

    # --- the decisions

    def add(self, rates: Rates | None, pane: int, succeeded: int, failed: int) -> AreaChange | None:
        """See `AreaRule.add`."""
        known: Rates = {"panes": [], "ended": 0, "open": None} if rates is None else rates
        if pane + self.within <= known["ended"]:
            return None
        panes = {start: [start, ok, bad] for start, ok, bad in known["panes"]}
        before = panes.get(pane, [pane, 0, 0])
        panes[pane] = [pane, before[1] + succeeded, before[2] + failed]
        kept: Rates = {**known, "panes": [panes[start] for start in sorted(panes)]}
        return AreaChange(kept, self.due(kept))

    def due(self, rates: Rates) -> int | None:
        """See `AreaRule.due`."""
        if not rates["panes"]:
            return None
        # what has slid out of all windows is gone, so the window after the last one holds at least this pane
        since = max(rates["ended"], rates["panes"][0][0])
        return since - since % self.slide + 2 * self.slide

    def fall_due(self, area: str, region: str | None, rates: Rates, at: int) -> AreaChange:
        """See `AreaRule.fall_due`."""
        end = at - self.slide
        window = [pane for pane in rates["panes"] if end - self.within <= pane[0] < end]
        succeeded, failed = (sum(pane[side] for pane in window) for side in (1, 2))
        anomaly, decisions = self._judge(area, region, rates["open"], succeeded, failed, at)
        ahead = [pane for pane in rates["panes"] if pane[0] + self.within > end]
        kept: Rates = {**rates, "panes": ahead, "ended": end, "open": anomaly}
        if rates.get("muted"):  # a person has withdrawn it: nothing opens before it has recovered
            return AreaChange({**kept, "open": None, "muted": not self._recovered(succeeded, failed)}, self.due(kept))
        return AreaChange(kept, self.due(kept), decisions)

    def _recovered(self, succeeded: int, failed: int) -> bool:
        attempts = succeeded + failed
        return attempts >= self.bounds.at_least and succeeded / attempts >= self.bounds.recovered

    def _judge(
        self, area: str, region: str | None, anomaly: Open | None, succeeded: int, failed: int, at: int
    ) -> tuple[Open | None, tuple[Decision, ...]]:
        attempts = succeeded + failed
        if attempts < self.bounds.at_least:
            return anomaly, ()
        share = succeeded / attempts
        evidence = {"usage.rate": f"{100 * share:.1f}%", "usage.attempts": str(attempts)}
        trigger = f"{self.check}|{area}|{at}"
        if anomaly is None and share < self.bounds.below:
            anomaly_id = hashlib.sha256(trigger.encode()).hexdigest()[:32]
            cause = f"usage.{self.usage}.{self.per}"
            opened: Open = {"id": anomaly_id, "opened_at": at, "evidence": evidence, "cause_code": cause}
            told = area, "OPEN", at, "below_bound", opened, evidence, trigger, region, trigger, None
            return opened, (Decision(*told),)
        if anomaly is not None and share >= self.bounds.recovered:
            return None, (
                Decision(area, "RESOLVED", at, "recovered", anomaly, evidence, trigger, region, trigger, None),
            )
        return anomaly, ()

    def describe(self) -> Mapping[str, object]:
        """See `Rule.describe`."""
        return {
            "usage": self.usage,
            "per": self.per,
            "below": share_text(self.bounds.below),
            "recovered": share_text(self.bounds.recovered),
            "at_least": self.bounds.at_least,
            "user_causes": list(self.user_causes),
        }


# --- the file

SCHEMA = {
    "usage": {"$ref": "#/$defs/usage"},
    "per": {"enum": ["cell", "region"]},
    "below": {"$ref": "#/$defs/share"},
    "recovered": {"$ref": "#/$defs/share"},
    "at_least": {"type": "integer", "minimum": 1},
    "user_causes": {"$ref": "#/$defs/causes"},
}
REQUIRED = ("usage", "per", "below", "recovered", "at_least")


def read(section: Section, check: str, within: int) -> Rate:
    """The keys of this kind: `usage`, `per`, `below`, `recovered`, `at_least`, `user_causes`. Raises `FileError`."""
    if within < SHORTEST:
        raise section.take("within").fail("a window is at least 5 s, also by YUPAN_DEADLINES")
    kind = usage_kind(section.take("usage"))
    per = section.take("per").one_of("cell", "region")
    below = section.take("below").share()
    item = section.take("recovered")
    recovered = item.share()
    if recovered < below:
        raise item.fail("should not be less than below: it would end what begins")
    bounds = Bounds(below, recovered, section.take("at_least").count())
    return Rate(check, within, kind, per, bounds, user_causes(section.get("user_causes")))
