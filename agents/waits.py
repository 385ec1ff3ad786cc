"""What the checks wait for of one customer, as the ledger keeps it (#48, #53).

Ledger record `waits/MSISDN`: `{"v": 3, "waits": {"activation": Wait, "subscription|volte": Wait}, "resolved":
{"activation": Former}, "shapes": {"activation": SHAPE}}`: the former ones for a while, since what opens again is the
same anomaly, and of each check that stands there the shape of its rule (`Check.shape`). Version 1 has no shapes;
versions before 3 kept former ones otherwise, which are forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agents import life
from agents.ports import Batch
from agents.repair import repair_of
from agents.rules import Check
from agents.shadow import is_silent
from agents.verdicts import Decision
from agents.waiting import Former, Wait

MOST_FORMER = 16
"""Anomalies remembered of a customer after their end."""


class Waits:
    """What the checks of one customer wait for, read when first asked and stored once."""

    def __init__(self, batch: Batch, msisdn: str) -> None:
        self.msisdn = msisdn
        self._batch = batch
        self._key = f"waits/{msisdn}"
        record = batch.get(self._key) or {}
        self._stored: Mapping[str, Wait] = record.get("waits", {})
        self._known: Mapping[str, Former] = record.get("resolved", {})
        self._waits: Mapping[str, Wait] = self._stored
        self._former: Mapping[str, Former] = self._known
        self._shapes: Mapping[str, str] = record.get("shapes", {})

    def get(self, name: str) -> Wait | None:
        return self._waits.get(name)

    def of(self, check: Check) -> Mapping[str, Wait]:
        """All of one check."""
        return {name: wait for name, wait in self._waits.items() if _check_of(name) == check.id}

    def find(self, anomaly_id: str) -> str | None:
        """The name of what waits with this anomaly open; one in shadow is nobody's business."""
        opened = ((name, wait["open"]) for name, wait in self._waits.items() if not is_silent(wait["open"]))
        return next((name for name, anomaly in opened if anomaly is not None and anomaly["id"] == anomaly_id), None)

    def find_repair(self, repair_id: str) -> str | None:
        """The name of what waits for this repair."""
        opened = ((name, wait["open"]) for name, wait in self._waits.items())
        return next((name for name, one in opened if one is not None and repair_of(one) == repair_id), None)

    def fits(self, check: Check) -> bool:
        """Whether what is kept of a check is of its rule's shape."""
        shape = self._shapes.get(check.id)
        if shape is not None or not self._waits:
            return shape in (None, check.shape)
        return all(_is_of(check.kind, wait) for wait in self.of(check).values())

    def adopt(self, check: Check) -> None:
        """From now on what is kept of a check is its rule's; what was kept is gone by now."""
        self._former = {name: one for name, one in self._former.items() if _check_of(name) != check.id}
        self._shapes = {**self._shapes, check.id: check.shape}

    def former(self, name: str) -> Former | None:
        """The last anomaly of `name`, if it was resolved."""
        return self._former.get(name)

    def remember(self, name: str, decisions: Iterable[Decision]) -> None:
        """Keep what was resolved for as long as it may open again: also at a deadline that is still to be decided."""
        for decision in decisions:
            if decision.status in life.ENDED:
                since = decision.at - life.REOPENED_WITHIN
                known = ((n, f) for n, f in self._former.items() if n != name)
                recent = {n: f for n, f in known if f["ended_at"] >= since or self._is_running(n)}
                former = life.former_of(decision)
                newest = dict(list(recent.items())[-MOST_FORMER + 1 :])
                self._former = newest if former is None else {**newest, name: former}

    def _is_running(self, name: str) -> bool:
        wait = self._waits.get(name)
        return wait is not None and wait["due"] is not None

    def set(self, name: str, wait: Wait | None, check: Check | None = None) -> None:
        """Keep a wait, or forget it; `check`: whose rule it is."""
        if check is not None and self._shapes.get(check.id) != check.shape:
            self._shapes = {**self._shapes, check.id: check.shape}
        rest = {other: known for other, known in self._waits.items() if other != name}
        self._waits = rest if wait is None else {**rest, name: wait}

    def store(self) -> None:
        if self._waits is self._stored and self._former is self._known:
            return
        record: dict[str, Any] = {"v": 3, "waits": self._waits}
        if self._former:
            record["resolved"] = self._former
        if self._waits or self._former:
            kept = {_check_of(name) for name in (*self._waits, *self._former)}
            record["shapes"] = {check: shape for check, shape in self._shapes.items() if check in kept}
            self._batch.put(self._key, record)
        elif self._stored or self._known:
            self._batch.delete(self._key)


def _check_of(name: str) -> str:
    return name.partition("|")[0]


def _is_of(kind: str, wait: Wait) -> bool:
    """Whether a wait of version 1 may be of this kind; of which other systems it was is not told."""
    is_match, is_streak = "sums" in wait or "void" in wait, "failed" in wait
    return is_match == (kind == "match") and is_streak == (kind == "streak")
