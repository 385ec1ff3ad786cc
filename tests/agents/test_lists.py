"""Each rule of contracts.md, "Lists"; then any order of arrival against a slow, obvious reference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lists import KEPT, entry_at, version_at, with_event, with_replaced


def add(at: int, version: str | None = None, **more: Any) -> dict[str, Any]:
    return {"action": "ADD", "occurred_at": at, "version": version, **more}


def remove(at: int) -> dict[str, Any]:
    return {"action": "REMOVE", "occurred_at": at, "version": None}


def replaced(at: int, version: str | None = None) -> dict[str, Any]:
    return {"action": "REPLACED", "occurred_at": at, "version": version}


def arrived(events: list[dict[str, Any]]) -> tuple[Any, Any]:
    held, head = None, None
    for event in events:
        if event["action"] == "REPLACED":
            head = with_replaced(head, event)
        else:
            held = with_event(held, event)
    return held, head


def is_member(at: int, *events: dict[str, Any]) -> bool:
    forwards = entry_at(*arrived(list(events)), at) is not None
    backwards = entry_at(*arrived(list(events[::-1])), at) is not None
    assert forwards == backwards
    return forwards


def test_an_add_without_version_ends_at_the_first_replaced_with_a_later_time():
    assert is_member(20, add(10))
    assert is_member(19, add(10), replaced(20, "v1"))
    assert not is_member(20, add(10), replaced(20, "v1"))
    assert is_member(20, add(10), replaced(10, "v1"))
    assert is_member(20, add(10), replaced(5, "v1"))


def test_an_add_with_a_version_counts_while_that_version_is_the_newest_replaced():
    assert not is_member(20, add(10, "v1"))
    assert is_member(20, add(10, "v1"), replaced(5, "v1"))
    assert is_member(20, add(10, "v1"), replaced(15, "v1"))
    assert not is_member(20, add(10, "v1"), replaced(15, "v1"), replaced(20, "v2"))
    assert is_member(19, add(10, "v1"), replaced(15, "v1"), replaced(20, "v2"))
    assert not is_member(20, add(10, "v1"), replaced(15))


def test_a_version_that_is_replaced_again_counts_again():
    assert is_member(30, add(10, "v1"), replaced(10, "v1"), replaced(20, "v2"), replaced(30, "v1"))


def test_remove_ends_entries_with_an_earlier_time_whatever_their_version():
    assert not is_member(20, add(10), remove(15))
    assert not is_member(20, add(10, "v1"), replaced(5, "v1"), remove(15))
    assert is_member(20, add(15), remove(15))
    assert is_member(20, add(16), remove(15))
    assert is_member(14, add(10), remove(15))


def test_valid_from_and_valid_to_bound_an_entry():
    entry = add(10, valid_from=20, valid_to=30)
    assert [is_member(at, entry) for at in (19, 20, 29, 30)] == [False, True, True, False]


def test_an_entry_does_not_count_before_it_occurred():
    assert [is_member(at, add(10)) for at in (9, 10)] == [False, True]


def test_of_several_entries_the_newest_tells_name_and_station():
    held, head = arrived([add(20, name="李明", station="赣县"), add(10, name="王芳", station="赣县")])
    assert entry_at(held, head, 30)["name"] == "李明"
    assert entry_at(held, head, 15)["name"] == "王芳"


def test_entries_of_an_earlier_owner_do_not_count():
    held, head = arrived([add(10)])
    assert entry_at(held, head, 30, since=11) is None
    assert entry_at(held, head, 30, since=10) is not None


def test_repeats_are_recognised():
    held, head = arrived([add(10, "v1", name="李明"), remove(5), replaced(10, "v1")])
    assert with_event(held, add(10, "v1", name="李明")) is held
    assert with_event(held, remove(5)) is held
    assert with_replaced(head, replaced(10, "v1")) is head


def test_the_newest_version_is_that_of_the_question():
    _, head = arrived([replaced(20, "v2"), replaced(10, "v1")])
    assert [version_at(head, at) for at in (9, 10, 20)] == [None, "v1", "v2"]


def test_what_is_kept_is_bounded_and_the_newest():
    held, head = arrived([make(at) for at in range(100) for make in (add, remove, replaced)])
    assert len(held["adds"]) == len(held["removes"]) == len(head["replaced"]) == KEPT
    assert held["adds"][0]["at"] == held["removes"][0] == head["replaced"][0][0] == 99


def reference(events: list[dict[str, Any]], at: int) -> bool:
    """The paragraph of contracts.md, word by word, over all events that have occurred."""
    seen = [e for e in events if e["occurred_at"] <= at]
    replacements = [e for e in seen if e["action"] == "REPLACED"]
    newest = max(
        replacements, key=lambda e: (e["occurred_at"], e["version"] is not None, e["version"] or ""), default=None
    )
    for entry in (e for e in seen if e["action"] == "ADD"):
        time = entry["occurred_at"]
        if any(e["action"] == "REMOVE" and e["occurred_at"] > time for e in seen):
            continue
        if entry["version"] is None and any(e["occurred_at"] > time for e in replacements):
            continue
        if entry["version"] is not None and (newest is None or newest["version"] != entry["version"]):
            continue
        if entry.get("valid_from") is not None and at < entry["valid_from"]:
            continue
        if entry.get("valid_to") is not None and at >= entry["valid_to"]:
            continue
        return True
    return False


times = st.integers(0, 12)
versions = st.sampled_from([None, "v1", "v2", "v3"])
list_events = st.lists(
    st.one_of(
        st.builds(add, times, versions, valid_from=st.none() | times, valid_to=st.none() | times),
        st.builds(remove, times),
        st.builds(replaced, times, versions),
    ),
    max_size=KEPT,
)


@given(list_events, st.randoms())
def test_any_order_of_arrival_gives_the_membership_of_the_reference(events, random):
    shuffled = events + events[: len(events) // 2]  # some are delivered twice
    random.shuffle(shuffled)
    held, head = arrived(shuffled)
    for at in range(14):
        assert (entry_at(held, head, at) is not None) == reference(events, at)


@pytest.mark.parametrize("action", ["ADD", "REMOVE"])
def test_what_is_too_old_to_keep_changes_nothing(action):
    held, _ = arrived([e for at in range(10, 10 + KEPT) for e in (add(at), remove(at))])
    assert with_event(held, {"action": action, "occurred_at": 1, "version": None}) is held
