"""`follow`, `match` and `streak` against references in the words of contracts (`histories`)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

from agents.kinds.follow import Follow
from agents.kinds.match import Match
from agents.kinds.streak import Streak
from tests.agents.histories import (
    CUSTOMERS,
    MIN,
    STATE,
    USAGE,
    Lives,
    Story,
    Told,
    arranged,
    caught_up,
    check,
    compared,
    lines_of,
    repeated,
    small,
    story_of,
)

# --- follow


class Followed:
    """One customer at a time: the trigger, then both others."""

    WITHIN = 10
    WANTED: ClassVar = {"crm.status": "active", "ocs.account": "open"}

    def __init__(self) -> None:
        self.seen: dict[str, list[Told]] = {}
        self.due: dict[str, int] = {}
        self.open: set[str] = set()
        self.lives = Lives()

    def held(self, whom: str, name: str) -> Any:
        best: Told | None = None
        ids = set()
        for event in self.seen.get(whom, []):
            if f"{event['system']}.{event['attribute']}" != name or event["id"] in ids:
                continue
            ids.add(event["id"])
            if best is None or event["at"] >= best["at"]:
                best = event
        return None if best is None else best["value"]

    def state(self, whom: str) -> tuple[bool, bool]:
        triggered = self.held(whom, "order.opening") == "completed"
        return triggered, all(self.held(whom, name) == value for name, value in self.WANTED.items())

    def fire(self, before: int) -> None:
        for due, whom in sorted((due, whom) for whom, due in self.due.items()):
            if due < before:
                del self.due[whom]
                self.open.add(whom)
                self.lives.opens(whom, due)

    def feed(self, event: Told) -> None:
        whom = event["msisdn"]
        self.fire(event["at"])
        was_triggered, _ = self.state(whom)
        self.seen.setdefault(whom, []).append(event)
        triggered, done = self.state(whom)
        if whom not in self.due and whom not in self.open:
            if triggered and not was_triggered and not done:
                self.due[whom] = event["at"] + self.WITHIN
        elif done or not triggered:
            self.due.pop(whom, None)
            if whom in self.open:
                self.open.remove(whom)
                self.lives.ends(whom, event["at"], "RESOLVED" if triggered else "WITHDRAWN")

    @classmethod
    def run(cls, events: list[Told]) -> Story:
        told = cls()
        for event in events:
            told.feed(event)
        told.fire(max((event["at"] for event in events), default=0))
        return told.lives.story


FORMS = {
    "order.opening": ["accepted", "completed", "completed", "cancelled", None],
    "crm.status": ["active", "active", "suspended", None],
    "ocs.account": ["open", "open", "frozen"],
}


def openings() -> st.SearchStrategy[list[Told]]:
    one = st.tuples(st.integers(0, 1), st.integers(0, 2), small, st.integers(0, 40))

    def history(drawn: list[tuple[int, ...]], arrival: int, again: list[int]) -> list[Told]:
        events = []
        for n, (customer, which, value, at) in enumerate(drawn):
            name = list(FORMS)[which]
            system, _, attribute = name.partition(".")
            told = {"system": system, "attribute": attribute, "value": FORMS[name][value % len(FORMS[name])]}
            events.append({"topic": STATE, "id": f"e-{n}", "at": at, "msisdn": CUSTOMERS[customer], **told})
        return repeated(arranged(events, arrival), again)

    return st.builds(history, st.lists(one, max_size=14), st.integers(0, 3), st.lists(small, max_size=2))


def test_follow_decides_as_the_reference_does() -> None:
    rule = Follow("x", Followed.WITHIN * MIN, ("order.opening", "completed"), Followed.WANTED)
    assert compared(openings(), rule, Followed.run) == {"OPEN", "RESOLVED", "WITHDRAWN"}


# --- match


class Matched:
    """Of each transaction all amounts, as they have arrived, summed up exactly and compared in whole fen."""

    WITHIN = 15
    REMEMBERED = 24 * 60

    def __init__(self, *, two_sided: bool) -> None:
        self.two_sided = two_sided
        self.ids: set[str] = set()
        self.amounts: dict[str, list[Told]] = {}
        self.due: dict[str, int] = {}
        self.forgotten: dict[str, int] = {}
        self.open: set[str] = set()
        self.void: set[str] = set()
        self.lives = Lives()

    def sums(self, transaction: str) -> tuple[Decimal | None, Decimal | None]:
        both: list[Decimal | None] = []
        for system in ("crm", "ocs"):
            told = [Decimal(str(e["value"])) for e in self.amounts.get(transaction, []) if e["system"] == system]
            both.append(sum(told, Decimal(0)).quantize(Decimal("0.01"), ROUND_HALF_UP) if told else None)
        return both[0], both[1]

    def is_right(self, transaction: str) -> bool:
        due, taken = self.sums(transaction)
        return (due or 0) == (taken or 0) or (not self.two_sided and not due)

    def is_too_much(self, transaction: str) -> bool:
        due, taken = self.sums(transaction)
        return bool(due) and taken is not None and (taken > due if due > 0 else taken < due)  # type: ignore[operator]

    def fire(self, before: int) -> None:
        for due, transaction in sorted((due, transaction) for transaction, due in self.due.items()):
            if due < before:
                del self.due[transaction]
                self.open.add(transaction)
                self.lives.opens(CUSTOMERS[0], due, transaction)

    def feed(self, event: Told) -> None:
        self.fire(event["at"])
        transaction = event["transaction"]
        if event["id"] in self.ids:
            return
        self.ids.add(event["id"])
        if event["value"] is None:
            return
        if transaction in self.forgotten and event["at"] > self.forgotten[transaction]:
            self.amounts.pop(transaction, None)
            del self.forgotten[transaction]
            self.void.discard(transaction)
        if isinstance(event["value"], str) or transaction in self.void:
            self.end(transaction, event["at"], "WITHDRAWN")
            self.void.add(transaction)
            return
        was_right = self.is_right(transaction)
        self.amounts.setdefault(transaction, []).append(event)
        if self.is_right(transaction):
            self.end(transaction, event["at"], "RESOLVED")
        elif transaction not in self.open:
            self.forgotten.pop(transaction, None)
            if self.is_too_much(transaction):
                self.due.pop(transaction, None)
                self.open.add(transaction)
                self.lives.opens(CUSTOMERS[0], event["at"], transaction)
            else:
                due = event["at"] + self.WITHIN
                self.due[transaction] = due if was_right else min(self.due[transaction], due)

    def end(self, transaction: str, at: int, status: str) -> None:
        self.due.pop(transaction, None)
        if transaction in self.open:
            self.open.remove(transaction)
            self.lives.ends(CUSTOMERS[0], at, status, transaction)
        self.forgotten[transaction] = at + self.REMEMBERED

    def run(self, events: list[Told]) -> Story:
        for event in events:
            self.feed(event)
        self.fire(max((event["at"] for event in events), default=0))
        return self.lives.story


def amounts() -> st.SearchStrategy[list[Told]]:
    one = st.tuples(st.integers(0, 1), st.integers(0, 1), small, st.integers(0, 60), st.integers(0, 2))
    values = [10, 10.0, 10, 4.1, 5.9, 20, -10, -4.1, 3.333, 3.334, -5, None, "twenty"]

    def history(drawn: list[tuple[int, ...]], arrival: int, days: int, again: list[int]) -> list[Told]:
        events = []
        for n, (side, transaction, value, at, day) in enumerate(drawn):
            events.append(
                {
                    "topic": STATE,
                    "id": f"e-{n}",
                    "at": at + day * days * 23 * 60,
                    "msisdn": CUSTOMERS[0],
                    "system": ("crm", "ocs")[side],
                    "attribute": "charge",
                    "value": values[value % len(values)],
                    "transaction": f"T-{transaction}",
                }
            )
        # amounts of more than a day before the newest are refused as too late: a history of days comes in order
        return repeated(arranged(events, 1 if days else arrival), [] if days else again)

    return st.builds(
        history, st.lists(one, max_size=12), st.integers(0, 3), st.integers(0, 1), st.lists(small, max_size=2)
    )


@pytest.mark.parametrize("two_sided", [True, False])
def test_match_decides_as_the_reference_does(two_sided: bool) -> None:
    rule = Match("x", Matched.WITHIN * MIN, "crm.charge", "ocs.charge", two_sided=two_sided)
    decided = compared(amounts(), rule, lambda events: Matched(two_sided=two_sided).run(events))
    assert decided == {"OPEN", "RESOLVED", "WITHDRAWN"}


@pytest.mark.parametrize("rest", [0.001, -0.001])
def test_what_is_due_as_a_part_of_a_fen_is_not_due(rest: float) -> None:
    told = {"topic": STATE, "msisdn": CUSTOMERS[0], "attribute": "charge", "transaction": "T", "at": 0}
    amounts = [("crm", 10 + rest), ("crm", -10), ("ocs", 10)]
    events = [{**told, "id": f"e-{n}", "system": system, "value": value} for n, (system, value) in enumerate(amounts)]
    closing = {**told, "id": "later", "system": "vas", "value": 0, "at": 2 * Matched.WITHIN}
    for two_sided in (True, False):
        rule = Match("x", Matched.WITHIN * MIN, "crm.charge", "ocs.charge", two_sided=two_sided)
        lines = lines_of(check(rule), [*events, closing])
        alerts = [line["cause_code"] for line in lines if line["kind"] == "alert"]
        assert alerts == (["ocs.charge.too_much"] if two_sided else [])
        assert story_of(lines) == ([(CUSTOMERS[0], Matched.WITHIN, "OPEN", Matched.WITHIN)] if two_sided else [])


# --- streak


class InARow:
    """All attempts of a customer, looked at anew each time, in order of time."""

    WITHIN, FORGET, FAILURES = 30, 60, 3

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.attempts: list[Told] = []
        self.opened: int | None = None
        self.lives = Lives()

    def row(self) -> list[int]:
        """When the failures since the last success were."""
        success = max((e["at"] for e in self.attempts if e["result"] == "OK"), default=-1)
        return sorted(e["at"] for e in self.attempts if e["result"] == "FAILED" and e["at"] > success)

    def ends(self) -> int | None:
        """When the earliest row was complete."""
        row = self.row()
        complete = [b for a, b in zip(row, row[self.FAILURES - 1 :], strict=False) if b - a <= self.WITHIN]
        return min(complete, default=None)

    def fire(self, before: int) -> None:
        row = self.row()
        if self.opened is not None and row and row[-1] + self.FORGET < before:
            self.lives.ends(CUSTOMERS[0], row[-1] + self.FORGET, "WITHDRAWN")
            self.opened = None
            self.attempts = [event for event in self.attempts if event["result"] == "OK"]
        elif self.opened is None and row and row[-1] + self.WITHIN < before:
            self.attempts = [event for event in self.attempts if event["result"] == "OK"]

    def feed(self, event: Told) -> None:
        self.fire(event["at"])
        if event["id"] in self.ids:
            return
        self.ids.add(event["id"])
        if event["result"] == "FAILED" and event["cause"] == "busy":
            return
        before = self.row()
        self.attempts.append(event)
        if self.opened is None:
            self.opened = self.ends()
            if self.opened is not None:
                self.lives.opens(CUSTOMERS[0], self.opened)
        elif event["result"] == "OK" and self.row() != before and self.ends() is None:
            self.lives.ends(CUSTOMERS[0], max(event["at"], self.opened), "RESOLVED")
            self.opened = None

    @classmethod
    def run(cls, events: list[Told]) -> Story:
        told = cls()
        for event in events:
            told.feed(event)
        told.fire(max((event["at"] for event in events), default=0))
        return told.lives.story


def attempts() -> st.SearchStrategy[list[Told]]:
    one = st.tuples(small, st.integers(0, 150))
    outcomes = [("OK", None), ("FAILED", "no_channel"), ("FAILED", "no_channel"), ("FAILED", None), ("FAILED", "busy")]

    def history(drawn: list[tuple[int, ...]], arrival: int, again: list[int]) -> list[Told]:
        events = []
        for n, (which, at) in enumerate(drawn):
            result, cause = outcomes[which % len(outcomes)]
            told = {"kind": "CALL_ATTEMPT", "result": result, "cause": cause}
            events.append({"topic": USAGE, "id": f"e-{n}", "at": at, "msisdn": CUSTOMERS[0], **told})
        return repeated(arranged(events, arrival), again)

    return st.builds(history, st.lists(one, max_size=16), st.integers(0, 3), st.lists(small, max_size=2))


def test_streak_decides_as_the_reference_does() -> None:
    rule = Streak("x", InARow.WITHIN * MIN, "CALL_ATTEMPT", InARow.FAILURES, InARow.FORGET * MIN, ["busy"])
    assert compared(attempts(), rule, InARow.run) == {"OPEN", "RESOLVED", "WITHDRAWN"}


# --- catching up


@pytest.mark.parametrize(
    ("histories", "rule"),
    [
        (openings(), Follow("x", Followed.WITHIN * MIN, ("order.opening", "completed"), Followed.WANTED)),
        (amounts(), Match("x", Matched.WITHIN * MIN, "crm.charge", "ocs.charge", two_sided=True)),
        (attempts(), Streak("x", InARow.WITHIN * MIN, "CALL_ATTEMPT", InARow.FAILURES, InARow.FORGET * MIN, ["busy"])),
    ],
    ids=["follow", "match", "streak"],
)
def test_a_worker_that_catches_up_decides_the_same(histories: Any, rule: Any) -> None:
    caught_up(histories, rule)
