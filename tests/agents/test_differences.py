"""What a backtest counts as the same finding, and what as a difference."""

from __future__ import annotations

import random

from agents.differences import KINDS, Opening, Pair, paired

NEAR = 1_000


def opening(name: str, at: int | None, whom: str = "8613800138000", subject: str = "") -> Opening:
    return Opening(name, whom, subject, at)


def kinds(now: list[Opening], then: list[Opening]) -> list[str]:
    def by_id(all_: list[Opening]) -> dict[str, Opening]:
        return {one.id: one for one in all_}

    return sorted(pair.kind for pair in paired(by_id(now), by_id(then), NEAR))


def test_equal_ids_are_one_finding_however_far_apart() -> None:
    assert kinds([opening("a", 0)], [opening("a", 10**9)]) == ["sooner"]
    assert kinds([opening("a", 10**9)], [opening("a", 0)]) == ["later"]
    assert kinds([opening("a", 5)], [opening("a", 5)]) == ["same"]
    assert kinds([opening("a", 5)], [opening("a", None)]) == ["same"]


def test_other_ids_are_one_finding_of_the_same_customer_and_product_near_in_time() -> None:
    assert kinds([opening("a", 1_000)], [opening("b", 0)]) == ["later"]
    assert kinds([opening("a", 1_001)], [opening("b", 0)]) == ["missed", "opened"]
    assert kinds([opening("a", 0)], [opening("b", 0, whom="8613900139000")]) == ["missed", "opened"]
    assert kinds([opening("a", 0, subject="x")], [opening("b", 0, subject="y")]) == ["missed", "opened"]
    assert kinds([opening("a", 0)], [opening("b", None)]) == ["missed", "opened"]


def test_each_is_paired_once_with_the_nearest() -> None:
    now = [opening("a", 0), opening("b", 500)]
    then = [opening("c", 490), opening("a", 0)]
    assert kinds(now, then) == ["later", "same"]
    assert kinds([opening("x", 0), opening("y", 1)], [opening("z", 0)]) == ["opened", "same"]


def test_none_is_lost_and_none_is_counted_twice() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(200):
        now, then = (
            {one: opening(one, chance.randrange(3_000), chance.choice("AB")) for one in chance.sample("abcdefgh", 5)}
            for _ in range(2)
        )
        pairs = list(paired(now, then, NEAR))
        assert sorted(p.now.id for p in pairs if p.now) == sorted(now)
        assert sorted(p.then.id for p in pairs if p.then) == sorted(then)
        assert {pair.kind for pair in pairs} <= {*KINDS, "same"}
        assert all(pair.shift is None or abs(pair.shift) <= NEAR or pair.now.id == pair.then.id for pair in pairs)


def test_the_shift_is_told_where_both_times_are_known() -> None:
    assert Pair(opening("a", 7), opening("a", 5)).shift == 2
    assert Pair(opening("a", 7), None).shift is None
    assert Pair(None, opening("a", 7)).either.at == 7
