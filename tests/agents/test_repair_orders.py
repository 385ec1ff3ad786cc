"""Repairs that people order: each order is followed once, and who takes care is left alone."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from agents.replay import Replay
from agents.rules import Checks, load_checks
from tests.agents.test_repairs import DUE, HOUR, MIN, STATE, S, World, minutes, number


@pytest.mark.parametrize("outcome", ["REFUSED", "FAILED"])
def test_an_order_that_comes_twice_sends_one_repair(outcome: str) -> None:
    world = World("off")
    world.crm(0)
    world.until(DUE + S)
    first = world.order(DUE + 2 * S)
    world.repeat(first)
    world.answer(DUE + 20 * S, outcome)
    world.repeat(first)
    assert len(world.of("repair")) == 1
    second = world.order(DUE + 30 * S)
    world.answer(DUE + 40 * S, outcome)
    world.repeat(first)
    world.repeat(second)
    assert len(world.of("repair")) == 2
    world.order(DUE + 50 * S, name=second.record["command_id"])  # tried again by the desk, as of another moment
    assert len(world.of("repair")) == 2
    world.order(DUE + MIN)
    assert len({line["repair_id"] for line in world.of("repair")}) == 3


def test_an_order_that_was_refused_is_not_followed_when_it_comes_again() -> None:
    world = World("off")
    world.crm(0)
    world.until(DUE + S)
    world.order(DUE + 2 * S)
    refused = world.order(DUE + 3 * S)  # one is on its way
    world.answer(DUE + 20 * S, "REFUSED")
    world.repeat(refused)
    assert len(world.of("repair")) == 1


def test_an_order_of_before_what_was_sent_is_not_followed() -> None:
    world = World("on", per_minute=1)
    world.crm(0, n=2)
    world.crm(S, n=1)
    world.until(DUE + 2 * MIN)
    assert [minutes(line["at"]) for line in world.of("repair")] == [10, 11]
    world.answer(DUE + 2 * MIN, "REFUSED")
    world.order(DUE + MIN - S)
    assert len(world.of("repair")) == 2


def test_an_order_about_a_former_life_is_not_followed() -> None:
    check = load_checks(deadlines={"activation": 2 * MIN}).by_id["activation"]
    world = World("off")
    world.replay = Replay(Checks([check]))
    world.crm(0)
    world.until(2 * MIN + S)
    first = world.order(2 * MIN + 2 * S)
    world.hlr(2 * MIN + 10 * S)
    world.hlr(2 * MIN + 20 * S, "active")
    world.until(5 * MIN)
    world.repeat(first)
    world.order(3 * MIN)  # it had healed then
    assert [status for _, status, _ in world.story] == ["OPEN", "REPAIRING", "RESOLVED", "OPEN"]
    assert len(world.of("repair")) == 1
    world.order(5 * MIN + S)
    assert len({line["repair_id"] for line in world.of("repair")}) == 2


def test_of_any_orders_and_answers_each_order_sends_one_repair_at_most() -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    world, at, orders = World(chance.choice(("on", "off")), per_minute=600, within=2 * MIN), 0, []
    for n in range(4):
        world.crm(0, n=n)
    world.until(at := DUE + S)
    for _ in range(150):
        at += chance.randrange(1, 20 * S)
        world.until(at)
        what = chance.random()
        if what < 0.3 or not orders:
            orders.append(world.order(at - chance.randrange(30 * S), n=chance.randrange(4), name=f"k-{len(orders)}"))
        elif what < 0.7:
            world.repeat(chance.choice(orders))
        elif sent := len(world.of("repair")):
            world.answer(at, chance.choice(("DONE", "REFUSED", "FAILED")), nth=chance.randrange(sent))
    ids = Counter(line["repair_id"] for line in world.of("repair"))
    assert set(ids.values()) == {1}, seed
    assert 4 < len(ids) <= 4 + len(orders), seed


def test_an_order_of_a_former_life_is_not_followed_when_late_events_brought_the_next() -> None:
    world = World()
    world.replay = Replay(load_checks())

    def amount(at: int, system: str, attribute: str) -> None:
        told = {"system": system, "attribute": attribute, "value": 50, "transaction": "T-1"}
        world.tell(STATE, at, msisdn=number(1), **told)

    amount(0, "order", "payment")
    world.until(20 * MIN)
    first = world.order(20 * MIN)
    amount(16 * MIN, "ocs", "credit")
    amount(17 * MIN, "ocs", "credit")
    assert world.story[-2:] == [(16, "RESOLVED", "amounts_match"), (17, "OPEN", "too_much")]
    world.repeat(first)
    assert len(world.of("repair")) == 1


def test_what_a_person_takes_care_of_is_not_repaired_by_itself() -> None:
    world = World(per_minute=1, per_day=2)
    for n in range(3):
        world.crm(n, n=n)
    world.until(DUE + S)
    world.order(DUE + 10 * S, "ACKNOWLEDGE", n=1)
    world.order(DUE + 10 * S, "ACKNOWLEDGE", n=2)  # which waits for the next day
    world.until(24 * HOUR)
    assert [line["msisdn"] for line in world.of("repair")] == [number(0)]
    world.order(24 * HOUR, n=1)
    assert len(world.of("repair")) == 2


def test_who_takes_care_still_does_when_the_repair_has_failed() -> None:
    world = World("off")
    world.crm(0)
    world.until(DUE + S)
    world.order(DUE + 2 * S, "ACKNOWLEDGE")
    world.order(DUE + 3 * S)
    world.answer(DUE + 9 * S, "REFUSED")
    world.order(DUE + 20 * S)
    world.until(HOUR)
    assert [status for _, status, _ in world.story] == ["OPEN", *(["ACKNOWLEDGED", "REPAIRING"] * 2), "ACKNOWLEDGED"]
    assert world.story[-1][2] == "repair_unanswered"
    assert world.of("reminder")[-1]["progress"] == "ACKNOWLEDGED"
