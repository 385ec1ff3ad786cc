"""`agree` against a reference that is slow and obviously right, on thousands of random histories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from agents.audit import Audit
from agents.kinds.agree import Agree
from agents.replay import Input, Replay
from agents.rules import SHIPPED, Check, Checks, read_file
from schemas.catalogue import EVENTS
from tests.agents.histories import HISTORIES, SEED, CatchingUp, Lives, Story, story_of

START = 1_767_225_600_000
MIN = 60_000
WITHIN = 10
CUSTOMERS = ("8613800138000", "8613900139000")

History = list[dict[str, Any]]


class Reference:
    """One check, told in the words of contracts; it keeps whole histories and computes everything anew."""

    def __init__(self, agrees: Any) -> None:
        self.agrees = agrees
        """The values of all systems, None for never seen -> True, False, or None for not applicable."""
        self.arrived: dict[str, History] = {}
        self.waiting: dict[str, int] = {}
        self.open: dict[str, Any] = {}
        """Who has an anomaly open, and what the reference held while it was one."""
        self.lives = Lives()
        self.clock = 0

    def winner(self, history: History, name: str) -> Any:
        best: dict[str, Any] | None = None
        seen = []
        for event in history:
            if event["name"] != name or event["id"] in seen:
                continue
            seen.append(event["id"])
            if best is None or self.beats(event, best):
                best = event
        return None if best is None else best["value"]

    def beats(self, later: dict[str, Any], best: dict[str, Any]) -> bool:
        """Whether the later arrival wins."""
        a, b = later["sequence"], best["sequence"]
        if a is not None and b is not None and a != b:
            return bool(a > b)
        return bool(later["at"] >= best["at"])

    def verdict(self, customer: str, names: list[str]) -> Any:
        return self.agrees([self.winner(self.arrived.get(customer, []), name) for name in names])

    def fire(self, before: int, reference: str) -> None:
        for due, customer in sorted((due, customer) for customer, due in self.waiting.items()):
            if due < before:
                del self.waiting[customer]
                self.open[customer] = self.winner(self.arrived[customer], reference)
                self.lives.opens(customer, due, about=self.open[customer])

    def feed(self, event: dict[str, Any], names: list[str]) -> None:
        self.fire(event["at"], names[0])
        self.clock = max(self.clock, event["at"])
        customer = event["customer"]
        history = self.arrived.setdefault(customer, [])
        reference = self.winner(history, names[0])
        states = [self.winner(history, name) for name in names]
        history.append(event)
        if list(map(typed, states)) == [typed(self.winner(history, name)) for name in names]:
            # nothing has changed but, perhaps, since when it holds
            return
        now = self.verdict(customer, names)
        if now is None or now is True:
            self.waiting.pop(customer, None)
            if customer in self.open:
                status = "RESOLVED" if now else "WITHDRAWN"
                self.lives.ends(customer, event["at"], status, about=self.open.pop(customer))
        elif customer in self.open:
            self.open[customer] = self.winner(history, names[0])
        else:
            anew = not same(reference, self.winner(history, names[0]))
            if customer not in self.waiting or anew:
                self.waiting[customer] = event["at"] + WITHIN

    def run(self, events: History, names: list[str]) -> Story:
        for event in events:
            self.feed(event, names)
        self.fire(self.clock, names[0])
        return self.lives.story


def same(a: Any, b: Any) -> bool:
    """For the references of the checks below: booleans know no difference between false and never seen."""
    return typed(a) == typed(b) or all(value is None or value is False for value in (a, b))


def typed(value: Any) -> tuple[type, Any]:
    """In Python 1 is True, in the contract it is not."""
    return type(value), value


PAIRS = {"active": "active", "suspended": "barred", "half_suspended": "barred_outgoing", "closed": "absent"}


def activation(values: list[Any]) -> Any:
    crm, hlr = values
    if crm not in (None, *PAIRS) or hlr not in (None, *PAIRS.values()):
        return None
    if crm is None:
        return hlr in (None, "absent")
    return PAIRS[crm] == ("absent" if hlr is None else hlr)


def subscription(values: list[Any]) -> Any:
    if any(value is not None and not isinstance(value, bool) for value in values):
        return None
    crm, vas = values
    return (crm or False) == (vas or False)


def network(values: list[Any]) -> Any:
    if any(value not in (None, "2g", "3g", "4g", "5g") for value in values):
        return None
    crm, sacp, hlr = values
    return crm == sacp == hlr


def check(rule: Agree) -> Checks:
    shipped = read_file(SHIPPED / "activation.yaml")
    return Checks([Check(**{**vars(shipped), "rule": rule})])


SHIPPED_ROWS = [tuple(pair) for pair in PAIRS.items()]
WORLDS = {
    "mapping": (
        Agree("x", WITHIN * MIN, ["crm.status", "hlr.status"], SHIPPED_ROWS),
        ["crm.status", "hlr.status"],
        activation,
        [
            ("crm.status", [*PAIRS, "reserved", None]),
            ("hlr.status", [*PAIRS.values(), "unreachable", None]),
        ],
    ),
    "product": (
        Agree("x", WITHIN * MIN, ["crm.subscription.PRODUCT", "vas.subscription.PRODUCT"]),
        ["crm.subscription.video", "vas.subscription.video"],
        subscription,
        [
            ("crm.subscription.video", [True, False, None, True, False, "true", 1]),
            ("vas.subscription.video", [True, False, None, True, False, "false", 0, 1.0]),
        ],
    ),
    "three systems": (
        Agree("x", WITHIN * MIN, ["crm.network_type", "sacp.network_type", "hlr.network_type"]),
        ["crm.network_type", "sacp.network_type", "hlr.network_type"],
        network,
        [
            (f"{system}.network_type", ["4g", "5g", None, "4g", "5g", "6g", "5G", True])
            for system in ("crm", "sacp", "hlr")
        ],
    ),
}


def histories(forms: list[tuple[str, list[Any]]]) -> st.SearchStrategy[History]:
    """Times are minutes, mostly close together, so that ties, repeats and exact deadlines are frequent.

    A system sends sequences always or never; which of them do, the order of arrival and the repeats vary.
    """
    small = st.integers(0, 59)
    event = st.tuples(st.integers(0, 1), small, small, st.integers(0, 45), st.integers(1, 3))
    lists = st.lists(event, max_size=14)
    return st.builds(
        lambda *drawn: _history(forms, *drawn),
        lists,
        st.integers(0, 3),
        st.integers(0, 7),
        st.lists(small, max_size=2),
        st.sampled_from([1, 1, 5]),
    )


def _history(
    forms: list[tuple[str, list[Any]]],
    drawn: list[tuple[int, ...]],
    arrival: int,
    sequenced: int,
    again: list[int],
    spread: int,
) -> History:
    events = []
    for n, (customer, which, value, at, sequence) in enumerate(drawn):
        name, values = forms[which % len(forms)]
        events.append(
            {
                "id": f"e-{n}",
                "customer": CUSTOMERS[customer],
                "name": name,
                "value": values[value % len(values)],
                "at": at * spread,
                "sequence": sequence if sequenced >> (which % len(forms)) & 1 else None,
            }
        )
    if arrival:
        events.sort(key=lambda event: event["at"])
    return events + [events[n % len(events)] for n in again if events]


def ours(checks: Checks, events: History, kind: type[Replay] = Replay) -> Story:
    replay = kind(checks, exchanged=True)
    lines = []
    for event in events:
        system, _, attribute = event["name"].partition(".")
        record = EVENTS[Audit.topics[0]].from_json(
            {
                "msisdn": event["customer"],
                "system": system,
                "attribute": attribute,
                "value": event["value"],
                "sequence": event["sequence"],
                "occurred_at": START + event["at"] * MIN,
            }
        )
        lines += replay.feed(Input(Audit.topics[0], record, event["id"]))
    lines += replay.finish()
    return story_of(lines)


def of_customer(story: Story, customer: str) -> Story:
    return [line for line in story if line[0] == customer]


@pytest.mark.parametrize("world", WORLDS)
def test_agree_decides_as_the_reference_does(world: str) -> None:
    rule, names, agrees, forms = WORLDS[world]
    checks = check(rule)
    decided = set()

    @seed(SEED)
    @settings(max_examples=max(HISTORIES, 1_500), deadline=None, database=None)
    @given(histories(forms))
    def compare(events: History) -> None:
        expected = Reference(agrees).run(events, names)
        story = ours(checks, events)
        for customer in CUSTOMERS:
            assert of_customer(story, customer) == of_customer(expected, customer)
        assert sorted(story, key=str) == sorted(expected, key=str)
        decided.update(status for _, _, status, _ in story)

    compare()
    assert decided == {"OPEN", "RESOLVED", "WITHDRAWN"}  # else the histories would prove nothing


def test_a_worker_that_catches_up_decides_the_same_in_the_same_order() -> None:
    rule, _, _, forms = WORLDS["mapping"]
    checks = check(rule)

    @seed(SEED)
    @settings(max_examples=max(HISTORIES, 1_000), deadline=None, database=None)
    @given(histories(forms).map(lambda events: sorted(events, key=lambda event: event["at"])))
    def compare(events: History) -> None:
        in_time = ours(checks, events)
        caught_up = ours(checks, events, CatchingUp)
        for customer in CUSTOMERS:
            assert of_customer(in_time, customer) == of_customer(caught_up, customer)

    compare()
