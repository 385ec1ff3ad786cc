"""Each rule of contracts.md, "Segments"; then all of them at once against a slow, obvious reference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lists import with_replaced
from agents.profile import with_entry, with_facts
from agents.segments import LISTS, NEW_FOR, ORDER, segment_at

DAY = 24 * 3_600_000


def entry(list_name: str, at: int, action: str = "ADD", version: str | None = None, **more: Any) -> dict[str, Any]:
    return {"list": list_name, "action": action, "occurred_at": at, "version": version, **more}


def fact(at: int, **facts: Any) -> dict[str, Any]:
    return {"facts": facts, "occurred_at": at}


def arrived(*events: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    profile, heads = None, {}
    for event in events:
        if "facts" in event:
            profile = with_facts(profile, event)
        elif event["action"] == "REPLACED":
            heads[event["list"]] = with_replaced(heads.get(event["list"]), event)
        else:
            profile = with_entry(profile, event)
    return profile, heads


def segment(at: int, *events: dict[str, Any], order: tuple[str, ...] = ORDER) -> str | None:
    return segment_at(*arrived(*events), at, order).name


def test_an_unknown_customer_has_none():
    assert segment_at(None, {}, 10).receipt == {
        "winner": None,
        "losers": [],
        "list_versions": {},
        "valid_from": None,
        "valid_to": None,
    }


@pytest.mark.parametrize(
    ("arpu", "name"), [(359.99, None), (360, "MID_HIGH"), (360.0, "MID_HIGH"), (359.996, "MID_HIGH")]
)
def test_mid_high_by_q4_arpu_compared_in_whole_fen(arpu, name):
    assert segment(20, fact(10, q4_arpu=arpu)) == name


@pytest.mark.parametrize("arpu", [True, "400", None, float("nan"), float("inf")])
def test_what_is_no_amount_makes_nobody_mid_high(arpu):
    assert segment(20, fact(10, q4_arpu=arpu)) is None


@pytest.mark.parametrize(("name", "expected"), [("mid_high", "MID_HIGH"), ("campus", "CAMPUS"), ("rural", "RURAL")])
def test_lists_make_segments(name, expected):
    assert segment(20, entry(name, 10)) == expected
    assert segment(9, entry(name, 10)) is None
    assert segment(20, entry(name, 10), entry(name, 15, "REMOVE")) is None


def test_a_watch_list_makes_none():
    assert segment(20, entry("watch:stopped", 10)) is None


def test_new_from_the_opening_for_thirty_days_both_sides():
    opened = fact(100, opened_at=100)
    assert NEW_FOR == 30 * DAY
    assert [segment(at, opened) for at in (99, 100, 99 + 30 * DAY, 100 + 30 * DAY)] == [None, "NEW", "NEW", None]


def test_new_also_when_the_daily_feed_tells_it_after_the_call():
    assert segment(150, fact(900, opened_at=100)) == "NEW"


EVERY = (
    fact(0, opened_at=0),
    fact(10, q4_arpu=400),
    entry("campus", 10),
    entry("rural", 10),
)


def test_ranked_and_the_order_is_configuration():
    assert segment(20, *EVERY) == "MID_HIGH"
    assert segment(20, *EVERY[::3], EVERY[2]) == "NEW"
    assert segment(NEW_FOR, *EVERY[2:]) == "CAMPUS"
    assert segment(20, *EVERY, order=("RURAL", "CAMPUS", "NEW", "MID_HIGH")) == "RURAL"
    assert segment_at(*arrived(*EVERY), 20, ("CAMPUS", "NEW")).receipt["losers"] == ["NEW"]


def test_the_receipt_names_winner_losers_versions_and_validity():
    events = (*EVERY, entry("campus", 11, "REPLACED", "2026-11"), entry("campus", 5, version="2026-11"))
    assert segment_at(*arrived(*events), 20).receipt == {
        "winner": "MID_HIGH",
        "losers": ["NEW", "CAMPUS", "RURAL"],
        "list_versions": {"campus": "2026-11"},
        "valid_from": 10,
        "valid_to": None,
    }
    assert segment_at(*arrived(EVERY[0]), 20).receipt["valid_to"] == NEW_FOR
    bounded = segment_at(*arrived(entry("rural", 10, valid_from=12, valid_to=30)), 20).receipt
    assert (bounded["valid_from"], bounded["valid_to"]) == (12, 30)


def test_leaving_ends_all():
    left = (*EVERY, fact(50, left_at=50))
    assert segment(49, *left) == "MID_HIGH"
    assert segment(50, *left) is None
    assert segment_at(*arrived(*left), 50).receipt["losers"] == []


def test_who_put_off_leaving_has_not_left():
    moved = (*EVERY, fact(50, left_at=55), fact(52, left_at=70))
    assert segment(51, *moved) == segment(60, *moved) == segment(69, *moved) == "MID_HIGH"
    assert segment(70, *moved) is None
    too_late = (*EVERY, fact(50, left_at=55), fact(60, left_at=70))
    assert segment(59, *too_late) is None
    assert segment(60, *too_late) == "MID_HIGH"


def test_who_opens_again_has_not_left():
    assert segment(70, fact(50, left_at=50), fact(60, opened_at=60)) == "NEW"
    assert segment(70, fact(65, left_at=50, opened_at=60)) == "NEW"
    assert segment(70, fact(50, left_at=50), fact(60, opened_at=60), fact(65, left_at=65)) is None


@pytest.mark.parametrize("evidence", [fact(10, q4_arpu=400), entry("mid_high", 10)])
def test_a_change_of_owner_ends_mid_high_at_once(evidence):
    changed = fact(50, owner_changed_at=50)
    assert segment(49, evidence, changed) == "MID_HIGH"
    assert segment(50, evidence, changed) is None


@pytest.mark.parametrize("evidence", [fact(50, q4_arpu=400), entry("mid_high", 50)])
def test_mid_high_stated_together_with_the_change_of_owner_was_the_earlier_owners(evidence):
    assert segment(60, evidence, fact(50, owner_changed_at=50)) is None


def test_the_new_owner_may_be_mid_high_again():
    assert segment(70, fact(50, owner_changed_at=50), fact(60, q4_arpu=400)) == "MID_HIGH"
    assert segment(70, fact(50, owner_changed_at=50), entry("mid_high", 60)) == "MID_HIGH"


@pytest.mark.parametrize("boundary", ["opened_at", "owner_changed_at"])
def test_what_is_older_than_the_owner_counts_for_nothing(boundary):
    old = (fact(10, q4_arpu=400), *(entry(name, 10) for name in LISTS))
    found = segment_at(*arrived(*old, fact(50, **{boundary: 50})), 50)
    assert (found.name, found.receipt["losers"]) == ("NEW" if boundary == "opened_at" else None, [])


def test_the_winning_list_entry_comes_along():
    found = segment_at(*arrived(entry("rural", 10, name="李明", station="赣县服务站")), 20)
    assert found.match is not None
    assert found.match.entry is not None
    assert (found.match.entry["name"], found.match.entry["station"]) == ("李明", "赣县服务站")


def reference(events: list[dict[str, Any]], at: int) -> list[str]:
    """The paragraph of contracts.md, word by word, for facts with one time each (their `occurred_at`)."""
    newest: dict[str, tuple[int, Any]] = {}
    for event in (e for e in events if "facts" in e and e["occurred_at"] <= at):
        for name, value in event["facts"].items():
            if name not in newest or event["occurred_at"] > newest[name][0]:
                newest[name] = (event["occurred_at"], value)
    changed = newest.get("owner_changed_at", (-1, -1))[1]
    since = max(newest.get("opened_at", (-1, -1))[1], changed)
    newest = {name: pair for name, pair in newest.items() if pair[0] >= since}
    if "left_at" in newest:
        return []
    adds = [e for e in events if e.get("action") == "ADD" and since <= e["occurred_at"] <= at]
    ends = [e for e in events if e.get("action") == "REMOVE" and e["occurred_at"] <= at]
    on = {
        e["list"]: max(e["occurred_at"], 0)
        for e in sorted(adds, key=lambda e: e["occurred_at"])
        if not any(r["list"] == e["list"] and r["occurred_at"] > e["occurred_at"] for r in ends)
    }
    found = []
    if on.get("mid_high", -1) > changed or (
        newest.get("q4_arpu", (-1, 0))[1] >= 360 and newest["q4_arpu"][0] > changed
    ):
        found.append("MID_HIGH")
    if "opened_at" in newest and newest["opened_at"][1] <= at < newest["opened_at"][1] + NEW_FOR:
        found.append("NEW")
    return found + [name.upper() for name in ("campus", "rural") if name in on]


moments = st.integers(0, 12).map(lambda days: days * 3 * DAY)
one = st.one_of(
    st.builds(
        lambda at, name: fact(at, **{name: at}), moments, st.sampled_from(["opened_at", "owner_changed_at", "left_at"])
    ),
    st.builds(lambda at, arpu: fact(at, q4_arpu=arpu), moments, st.sampled_from([100, 400])),
    st.builds(entry, st.sampled_from(LISTS), moments, st.sampled_from(["ADD", "REMOVE"])),
)


def _identity(event: dict[str, Any]) -> tuple[Any, ...]:
    return (
        *event.get("facts", {"list": event.get("list")}),
        event["occurred_at"],
        event.get("list"),
        event.get("action"),
    )


@given(st.lists(one, max_size=10, unique_by=_identity), st.randoms())
def test_any_order_of_arrival_gives_the_segments_of_the_reference(events, random):
    kept: dict[str, int] = {}
    for event in events:  # four versions of a fact are kept; the reference knows no bound
        for name in event.get("facts", ()):
            kept[name] = kept.get(name, 0) + 1
    events = events if max(kept.values(), default=0) <= 4 else []
    shuffled = list(events)
    random.shuffle(shuffled)
    profile, heads = arrived(*shuffled)
    for days in range(0, 50, 3):
        at = days * DAY
        receipt = segment_at(profile, heads, at).receipt
        assert [name for name in (receipt["winner"], *receipt["losers"]) if name] == reference(events, at)
