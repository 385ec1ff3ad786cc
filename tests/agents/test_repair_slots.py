"""The slots of automatic repair: the rate, the cap of a day, what waits for the next one, and what flaps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.conclude import INTERNAL_REPAIR
from agents.repair import Repairing, grant, next_day
from agents.rules import Checks, load_checks
from schemas.fields import millis
from tests.agents.desk_world import ZONE
from tests.agents.test_repairs import DUE, HOUR, MIN, T0, S, World, minutes, number


def test_the_rate_is_kept_and_what_heals_meanwhile_is_left_alone() -> None:
    world = World(per_minute=3)
    for n in range(12):
        world.crm(0, n=n)
    world.until(DUE)
    world.until(DUE + 70 * S)
    world.hlr(DUE + 70 * S, n=11)
    healed = {number(11)} - {line["msisdn"] for line in world.of("repair")}
    world.until(HOUR)
    times = [minutes(line["at"]) for line in world.of("repair")]
    assert times == pytest.approx([10 + n / 3 for n in range(12) if n != 11 or not healed])
    assert len({line["msisdn"] for line in world.of("repair")}) == len(times)


def test_the_day_has_its_most_and_the_next_day_more() -> None:
    world = World(per_day=5)
    for n in range(8):
        world.crm(0, n=n)
    world.until(HOUR)
    assert len(world.of("repair")) == 5
    first = {line["msisdn"] for line in world.of("repair")}
    healed, *waiting = sorted({number(n) for n in range(8)} - first)
    world.hlr(11 * HOUR, n=int(healed[-8:]))
    world.until(12 * HOUR - S)
    assert len(world.of("repair")) == 5
    world.crm(13 * HOUR, n=20)  # after midnight
    world.until(14 * HOUR)
    assert [line["msisdn"] for line in world.of("repair")][5:] == [*waiting, number(20)]
    assert [minutes(line["at"]) for line in world.of("repair")][5:7] == pytest.approx([720, 720 + 1 / 60])


def test_who_had_no_slot_for_days_is_repaired_when_there_is_one() -> None:
    world = World(per_day=1)
    for n in range(3):
        world.crm(0, n=n)
    world.until(4 * 24 * HOUR)
    assert [minutes(line["at"]) for line in world.of("repair")] == [10, 720, 720 + 24 * 60]
    assert len({line["msisdn"] for line in world.of("repair")}) == 3


@pytest.mark.parametrize("mode", [None, "off", "shadow"])
def test_a_slot_asked_for_where_the_new_files_are_not_read_yet_comes_later(mode: str | None) -> None:
    world = World()
    conclusions = world.replay.conclusions
    new, off = conclusions.checks, load_checks().by_id["activation"]
    old = replace(off, mode="shadow") if mode == "shadow" else off
    inner, asked = world.replay._agents[INTERNAL_REPAIR], []

    def granted_elsewhere(batch: Any) -> None:
        asked.append(batch)
        conclusions.checks = new if len(asked) > 1 else Checks([] if mode is None else [old])
        inner(batch)
        conclusions.checks = new

    world.replay._agents[INTERNAL_REPAIR] = granted_elsewhere
    world.crm(0)
    world.until(DUE + HOUR)
    assert [minutes(line["at"]) for line in world.of("repair")] == [11]


@pytest.fixture
def asking() -> World:
    """With an anomaly that has asked for a slot, to which nobody has answered yet."""
    world = World()
    answering = world.replay._agents[INTERNAL_REPAIR]
    world.replay._agents[INTERNAL_REPAIR] = lambda batch: None
    world.crm(0)
    world.until(DUE + S)
    world.replay._agents[INTERNAL_REPAIR] = answering
    return world


def slot_of(world: World, at: int, slot: int | None) -> None:
    """An answer comes."""
    told = {"check": "activation", "asks": False, "slot": None if slot is None else T0 + slot}
    anomaly = world.of("anomaly")[0]["anomaly_id"]
    world.tell(INTERNAL_REPAIR, at, msisdn=number(1), anomaly_id=anomaly, **told)


def test_a_worker_of_before_does_not_say_when_to_ask_again(asking: World) -> None:
    slot_of(asking, DUE + 2 * S, None)
    asking.until(DUE + HOUR)
    assert [minutes(line["at"]) for line in asking.of("repair")] == pytest.approx([11 + 2 / 60])


def test_a_slot_of_a_former_life_is_not_taken(asking: World) -> None:
    slot_of(asking, DUE + 2 * S, DUE - MIN)
    assert asking.of("repair") == []
    slot_of(asking, DUE + 3 * S, DUE + 4 * S)
    slot_of(asking, DUE + 3 * S, DUE + 5 * S)
    asking.until(DUE + HOUR)
    assert [minutes(line["at"]) for line in asking.of("repair")] == pytest.approx([10 + 4 / 60])


def test_a_day_ends_at_midnight_where_the_operator_is() -> None:
    assert next_day(T0, ZONE) == T0 + 12 * HOUR
    assert next_day(T0 + 12 * HOUR - 1, ZONE) == T0 + 12 * HOUR
    assert next_day(T0 + 12 * HOUR, ZONE) == T0 + 36 * HOUR
    clocks_go_back = millis("2026-10-25T00:00:00+02:00")
    assert next_day(clocks_go_back, ZoneInfo("Europe/Berlin")) == clocks_go_back + 25 * HOUR


def test_slots_are_in_order_and_their_day_is_the_operators() -> None:
    repairing = Repairing("hlr", "x", {}, per_minute=60, per_day=3)
    known, slots = None, []
    midnight = T0 + 12 * HOUR
    for at in (midnight - 1500, midnight - 1500, midnight - 1500, midnight - 1400, midnight + S):
        known, slot = grant(known, at, repairing, ZONE)
        slots.append(None if slot is None else slot - midnight)
    assert slots == [-1500, -500, 500, 1500, 2500]
    known, slot = grant(known, midnight + 5 * S, repairing, ZONE)
    assert slot is None
    assert known["day"] == "2026-11-23"


def test_old_drifts_are_not_repaired() -> None:
    world = World()
    world.crm(3 * HOUR, n=2)  # the clock is there already
    world.crm(0, n=1)
    world.until(5 * HOUR)
    assert {line["msisdn"] for line in world.of("repair")} == {number(2)}


def test_back_within_an_hour_it_is_repaired_when_that_is_over_under_another_id() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.hlr(DUE + 30 * S)
    world.hlr(DUE + MIN, "active")
    world.until(DUE + HOUR - S)
    assert world.story[-1] == (21, "OPEN", "deadline_passed")
    assert len(world.of("repair")) == 1
    world.until(2 * HOUR)
    first, second = world.of("repair")
    assert minutes(second["at"]) == 70
    assert first["anomaly_id"] == second["anomaly_id"]
    assert first["repair_id"] != second["repair_id"]


def test_a_number_that_flaps_leaves_the_slots_of_the_day_to_others() -> None:
    world = World(per_minute=1, per_day=3)
    for n in range(5):
        world.hlr(11 * n * MIN, "active")
        world.crm(11 * n * MIN)
        world.hlr(11 * n * MIN + DUE + 5 * S)
    world.crm(56 * MIN, n=2)
    world.until(HOUR + DUE)
    assert [status for _, status, _ in world.story].count("RESOLVED") == 5
    assert [line["msisdn"] for line in world.of("repair")] == [number(1), number(2)]


def test_waiting_for_a_slot_makes_nothing_too_old() -> None:
    world = World(per_minute=2)
    for n in range(50):
        world.crm(n, n=n)
    world.until(HOUR)
    assert len(world.of("repair")) == 50
