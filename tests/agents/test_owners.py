"""What opened under an earlier owner of a number is not shown to the desk of the next; the anomaly itself goes on."""

from __future__ import annotations

from typing import Any

import pytest

from agents.owners import ANOTHER_OWNER
from schemas.fields import iso
from tests.agents.worlds import ANNA, MIN, NOON, World, check, minute

CUSTOMER = "yupan.customer.v1"


@pytest.fixture
def world() -> World:
    return World(check("activation"))


def drifts(world: World) -> None:
    """The activation opens at minute 10."""
    world.state(0, "crm.status", "suspended")
    world.state(1, "hlr.status", "active")
    world.until(20)


def owner(world: World, at: float, since: float, name: str = "owner_changed_at") -> None:
    """Told at minute `at`: the number has its owner since another minute."""
    world.feed(CUSTOMER, at, msisdn=ANNA, facts={name: NOON + round(since * 60_000)})


def reminders(world: World) -> list[tuple[float, Any]]:
    """(minute, progress, or why it was withdrawn)."""
    return [(minute(line), line.get("progress") or line["withdrawn"]) for line in world.of("reminder")]


def stands(world: World) -> bool:
    return bool((world.record("reminders/" + ANNA) or {"open": {}})["open"])


@pytest.mark.parametrize("name", ["owner_changed_at", "opened_at"])
def test_another_owner_ends_the_reminder_and_not_the_anomaly(world: World, name: str) -> None:
    drifts(world)
    assert stands(world)
    owner(world, 30, 29, name)
    assert not stands(world)
    assert reminders(world) == [(10, "OPEN"), (30, ANOTHER_OWNER)]
    assert [status for _, status, _ in world.told] == ["OPEN"]


def test_no_change_of_the_anomaly_brings_it_back(world: World) -> None:
    drifts(world)
    owner(world, 30, 29)
    world.state(40, "hlr.status", "barred_outgoing")
    world.order(50, "ACKNOWLEDGE", world.of("anomaly")[0]["anomaly_id"])
    owner(world, 60, 29)  # as the feed says every night
    world.state(70, "hlr.status", "barred")
    assert not stands(world)
    assert reminders(world) == [(10, "OPEN"), (30, ANOTHER_OWNER)]
    assert [status for _, status, _ in world.told] == ["OPEN", "ACKNOWLEDGED", "RESOLVED"]


def test_it_is_the_same_when_the_owner_is_told_after_the_change(world: World) -> None:
    drifts(world)
    world.state(40, "hlr.status", "barred_outgoing")
    owner(world, 45, 29)
    assert not stands(world)


def test_it_is_the_same_when_the_owner_was_told_before(world: World) -> None:
    world.state(0, "crm.status", "suspended")
    world.state(1, "hlr.status", "active")
    owner(world, 9, 15)
    world.until(14)
    assert stands(world)
    world.until(16)
    assert not stands(world)
    assert reminders(world) == [(10, "OPEN"), (15, ANOTHER_OWNER)]


def test_what_opens_under_the_present_owner_is_shown(world: World) -> None:
    owner(world, 0, -5)
    drifts(world)
    world.feed(CUSTOMER, 30, msisdn=ANNA, facts={"brand": "gotone"})
    owner(world, 31, -5)
    assert stands(world)
    assert reminders(world) == [(10, "OPEN")]


def test_what_opens_again_under_another_owner_is_another_anomaly(world: World) -> None:
    drifts(world)
    world.state(30, "hlr.status", "barred")
    owner(world, 35, 34)
    world.state(40, "hlr.status", "active")
    world.until(60)
    first, _, second = world.of("anomaly")
    assert first["anomaly_id"] != second["anomaly_id"]
    assert stands(world)


def test_of_several_only_what_is_earlier_ends() -> None:
    world = World(check("activation"), check("sacp-signing"))
    drifts(world)
    owner(world, 30, 29)
    world.state(31, "crm.network_type", "5g")
    world.until(90)
    owner(world, 91, 29)
    open_ones = world.record("reminders/" + ANNA)["open"].values()
    assert [one["title"]["en"] for one in open_ones] == [check("sacp-signing").title["en"]]


def test_of_two_owners_who_are_told_ahead_the_second_one_counts_too(world: World) -> None:
    told = {"left_at": iso(NOON + 60 * MIN), "opened_at": iso(NOON + 120 * MIN)}
    drifts(world)
    world.feed("yupan.customer.v1", 30, msisdn=ANNA, facts=told)
    world.until(119)
    assert stands(world)
    world.until(121)
    assert not stands(world)
