from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.profile import VERSIONS, fact, facts_at, owner_since, with_facts


def told(*events: tuple[dict[str, Any], int]) -> Any:
    profile = None
    for facts, at in events:
        profile = with_facts(profile, {"facts": facts, "occurred_at": at})
    return profile


def test_the_newest_of_each_fact_wins_whichever_arrives_first():
    profile = told(({"brand": "gotone", "tariff": "a"}, 20), ({"brand": "mzone"}, 10))
    assert facts_at(profile, 99) == {"brand": "gotone", "tariff": "a"}


def test_null_removes_and_an_older_value_does_not_bring_it_back():
    profile = told(({"brand": "gotone"}, 10), ({"brand": None}, 20), ({"brand": "mzone"}, 15))
    assert facts_at(profile, 99) == {}


def test_of_two_at_the_same_time_the_later_arrival_wins_and_a_repeat_changes_nothing():
    profile = told(({"brand": "a"}, 10), ({"brand": "b"}, 10))
    assert facts_at(profile, 99) == {"brand": "b"}
    assert with_facts(profile, {"facts": {"brand": "a"}, "occurred_at": 10}) is profile


def test_a_boolean_is_no_repeat_of_the_number_that_equals_it():
    profile = told(({"vip": 1}, 10), ({"vip": True}, 10))
    assert facts_at(profile, 99)["vip"] is True


def test_a_late_question_gets_the_fact_of_its_own_time():
    profile = told(({"brand": "a"}, 10), ({"brand": "b"}, 20))
    assert [fact(profile, "brand", at) for at in (9, 10, 19, 20)] == [None, ("a", 10), ("a", 10), ("b", 20)]


def test_versions_are_bounded_and_keep_the_newest():
    profile = told(*(({"brand": str(at)}, at) for at in range(20)))
    assert [at for _, (at,) in profile["facts"]["brand"]] == list(range(19, 19 - VERSIONS, -1))


def test_a_fact_that_a_full_feed_repeats_every_night_uses_up_one_version():
    profile = told(({"brand": "a"}, 5), *(({"brand": "b"}, night) for night in range(10, 40)))
    assert profile["facts"]["brand"] == [["b", [10, *range(33, 40)]], ["a", [5]]]
    found = [fact(profile, "brand", at) for at in (4, 9, 10, 25, 36, 99)]
    assert found == [None, ("a", 5), ("b", 10), ("b", 10), ("b", 36), ("b", 39)]
    assert with_facts(profile, {"facts": {"brand": "b"}, "occurred_at": 20}) is profile


def test_a_repeat_after_a_change_of_owner_speaks_of_the_new_owner():
    before = told(*(({"q4_arpu": 400}, at) for at in (10, 20)), ({"owner_changed_at": 30}, 30))
    assert fact(before, "q4_arpu", 99) is None
    after = with_facts(before, {"facts": {"q4_arpu": 400}, "occurred_at": 40})
    assert fact(after, "q4_arpu", 99) == (400, 40)
    assert [fact(after, "q4_arpu", at) for at in (19, 29, 39)] == [(400, 10), (400, 20), None]


def test_a_value_told_between_two_times_of_another_stands_between_them():
    profile = told(({"brand": "a"}, 10), ({"brand": "a"}, 30), ({"brand": "b"}, 20))
    assert [fact(profile, "brand", at) for at in (19, 20, 29, 30)] == [("a", 10), ("b", 20), ("b", 20), ("a", 30)]
    assert with_facts(profile, {"facts": {"brand": "a"}, "occurred_at": 10}) is profile


def test_a_repeat_that_was_told_earlier_says_that_the_value_held_before():
    profile = told(({"brand": "a"}, 20), ({"brand": "b"}, 5), ({"brand": "a"}, 10))
    assert [fact(profile, "brand", at) for at in (5, 9, 10, 20)] == [("b", 5), ("b", 5), ("a", 10), ("a", 20)]
    assert len(profile["facts"]["brand"]) == 2


@pytest.mark.parametrize("boundary", ["opened_at", "owner_changed_at"])
def test_facts_older_than_the_newest_opening_or_change_of_owner_are_not_shown(boundary):
    profile = told(({"brand": "a", "birthday": "01-02"}, 50), ({boundary: 100}, 100), ({"birthday": "03-04"}, 100))
    assert facts_at(profile, 99) == {"brand": "a", "birthday": "01-02"}
    assert facts_at(profile, 100) == {boundary: 100, "birthday": "03-04"}


def test_an_opening_older_than_the_change_of_owner_belongs_to_the_earlier_owner():
    profile = told(({"opened_at": 10}, 10), ({"owner_changed_at": 50}, 50))
    assert owner_since(profile, 60) == 50
    assert facts_at(profile, 60) == {"owner_changed_at": 50}


def test_an_opening_announced_before_its_day_is_not_an_earlier_owners_own():
    profile = told(({"opened_at": 100}, 90))
    assert owner_since(profile, 99) is None
    assert facts_at(profile, 100) == {"opened_at": 100}


def test_an_opening_withdrawn_by_null_no_longer_hides_what_is_older():
    profile = told(({"brand": "a"}, 10), ({"opened_at": 50}, 50), ({"opened_at": None}, 60))
    assert facts_at(profile, 99) == {"brand": "a"}


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, "a", "b"])), unique_by=lambda e: e[0]), st.randoms()
)
def test_the_order_of_arrival_does_not_matter(events, random):
    straight = told(*(({"brand": value}, at) for at, value in sorted(events, key=lambda e: e[0])))
    shuffled = list(events)
    random.shuffle(shuffled)
    mixed = told(*(({"brand": value}, at) for at, value in shuffled))
    assert facts_at(mixed, 99) == facts_at(straight, 99)


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, "a", "b"])), max_size=8))
def test_runs_say_what_all_that_was_told_says(events):
    """Against a plain list of everything, told in order: of two at the same time the later arrival counts."""
    in_order = sorted(events, key=lambda e: e[0])
    profile, plain = told(*(({"brand": value}, at) for at, value in in_order)), []
    for at, value in in_order:
        if (at, value) not in plain:
            plain.append((at, value))
    runs = 1 + sum(a[1] != b[1] for a, b in pairwise(plain))
    for at in range(10):
        before = [value for moment, value in plain if moment <= at]
        found = fact(profile, "brand", at)
        if runs <= VERSIONS and before:
            assert (found[0] if found else None) == before[-1]
