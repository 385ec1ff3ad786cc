from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.event import Event
from agents.states import MOST_IDS, NEVER, REMEMBERED, Held, apply, equal, occur, value_of


def state(value: Any, at: int = 0, *, source: str = "crm", sequence: int | None = None, id: str = "") -> Event:
    name = id or f"{value}@{at}/{sequence}"
    return Event("yupan.state.v1", {"value": value, "sequence": sequence}, name, source, at)


def hold(*events: Event) -> Held:
    states: Held = {}
    for event in events:
        states = apply(states, "crm.status", event).held
    return states


def value(*events: Event) -> Any:
    return value_of(hold(*events), "crm.status")


def test_of_two_states_the_higher_sequence_of_the_same_source_wins_though_it_occurred_earlier() -> None:
    assert value(state("a", 9, sequence=1), state("b", 5, sequence=2)) == "b"
    assert value(state("b", 5, sequence=2), state("a", 9, sequence=1)) == "b"


def test_sequences_of_different_sources_are_not_compared() -> None:
    assert value(state("a", 5, sequence=9), state("b", 6, sequence=1, source="boss")) == "b"
    assert value(state("a", 5, sequence=1), state("b", 4, sequence=9, source="boss")) == "a"


@pytest.mark.parametrize("sequences", [(None, None), (None, 3), (3, None), (3, 3)])
def test_without_two_sequences_that_differ_the_later_occurred_at_wins(sequences: tuple[int | None, int | None]) -> None:
    early, late = state("a", 5, sequence=sequences[0]), state("b", 6, sequence=sequences[1])
    assert value(early, late) == "b"
    assert value(late, early) == "b"


def test_at_the_same_time_the_later_arrival_wins() -> None:
    assert value(state("a", 5), state("b", 5)) == "b"


def test_a_repeat_never_turns_a_newer_state_back_even_at_the_same_time() -> None:
    first, second = state("a", 5), state("b", 5)
    assert value(first, second, first) == "b"
    assert value(first, second, first, second, first) == "b"


def test_the_same_id_from_another_source_is_another_event() -> None:
    assert value(state("a", 5, id="1"), state("b", 5, id="1", source="boss")) == "b"


def test_what_loses_changes_nothing_and_says_why() -> None:
    states = hold(state("a", 5))
    older = apply(states, "crm.status", state("b", 4))
    assert older.reason == "older"
    assert older.held is states
    repeated = apply(states, "crm.status", state("a", 5))
    assert repeated.reason == "repeated"
    assert repeated.held is states


def test_states_of_other_attributes_stay() -> None:
    states = apply(hold(state("a", 5)), "crm.tariff", state("t", 1)).held
    assert value_of(states, "crm.status") == "a"
    assert value_of(states, "crm.tariff") == "t"


def test_null_counts_as_never_seen_and_an_older_value_does_not_come_back() -> None:
    assert value(state("a", 5), state(None, 6)) is NEVER
    assert value(state(None, 6), state("a", 5)) is NEVER
    assert value() is NEVER


@given(st.integers(-(10**6), 10**6))
def test_long_and_double_compare_by_value(n: int) -> None:
    assert equal("ocs.balance", n, float(n))
    assert not equal("ocs.balance", n, n + 0.5)


def test_a_boolean_is_no_number_and_a_number_no_text() -> None:
    assert not equal("x.y", True, 1)
    assert not equal("x.y", False, 0.0)
    assert not equal("x.y", 1, "1")
    assert equal("x.y", True, True)


def test_never_seen_differs_from_any_value() -> None:
    for something in ("active", 0, 0.0, "", True, "absent"):
        assert not equal("crm.status", NEVER, something)


def test_never_seen_equals_false_and_absent_in_the_hlr() -> None:
    assert equal("vas.subscription.x", NEVER, False)
    assert equal("hlr.status", NEVER, "absent")
    assert equal("hlr.status", NEVER, NEVER)


# --- occurrences


def charge(id: str, source: str = "ocs") -> Event:
    return Event("yupan.state.v1", {"value": 1.0}, id, source, 0)


def ids(*names: str, at: int = 0) -> Mapping[int, int]:
    kept: Mapping[int, int] = {}
    for name in names:
        kept = occur(kept, charge(name), at).ids
    return kept


def test_an_occurrence_counts_unless_its_source_and_id_repeat() -> None:
    once = occur({}, charge("1"), 0)
    assert not once.repeated
    assert occur(once.ids, charge("1"), 5).repeated
    assert not occur(once.ids, charge("2"), 5).repeated
    assert not occur(once.ids, charge("1", "boss"), 5).repeated


def test_ids_are_kept_for_24_hours_of_broker_time() -> None:
    kept = ids("1")
    assert occur(kept, charge("1"), REMEMBERED).repeated
    later = occur(kept, charge("1"), REMEMBERED + 1)
    assert not later.repeated
    assert len(later.ids) == 1
    assert later.dropped == 0  # its time was over: nothing was lost


def test_of_more_than_256_ids_the_oldest_goes_and_is_counted() -> None:
    full = ids(*map(str, range(MOST_IDS)))
    more = occur(full, charge("one more"), 1)
    assert more.dropped == 1
    assert len(more.ids) == MOST_IDS
    assert not occur(more.ids, charge("0"), 1).repeated
    assert occur(more.ids, charge("1"), 1).repeated


def test_a_repeat_changes_nothing_in_the_ledger() -> None:
    kept = ids("1", "2")
    assert occur(kept, charge("1"), 9).ids is kept
