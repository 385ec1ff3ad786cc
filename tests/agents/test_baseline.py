"""Before the full exports of its systems are in, no check speaks; then all that differs is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.kinds.agree import Agree
from agents.replay import Input, Line, Replay
from agents.rules import Checks, load_checks
from schemas.catalogue import EVENTS
from schemas.fields import iso
from tests.agents.desk_world import Counted

T0 = 1_795_320_000_000
S, MIN, HOUR = 1_000, 60_000, 3_600_000
STATE, BASELINE = "yupan.state.v1", "yupan.internal.baseline.v1"


def number(n: int) -> str:
    return f"86138{n:08}"


class World:
    def __init__(self, *, baseline: bool = True) -> None:
        self.counted = Counted()
        self.replay = Replay(load_checks(), baseline=baseline, counts=self.counted)
        self.lines: list[Line] = []
        self.sent = 0

    def tell(self, topic: str, at: int, **record: Any) -> None:
        self.sent += 1
        made = EVENTS[topic].from_json({**record, "occurred_at": T0 + at})
        self.lines += self.replay.feed(Input(topic, made, f"e{self.sent}"))

    def state(self, at: int, name: str, value: Any, n: int = 1, **more: Any) -> None:
        system, _, attribute = name.partition(".")
        self.tell(STATE, at, msisdn=number(n), system=system, attribute=attribute, value=value, **more)

    def exported(self, at: int, system: str) -> None:
        self.tell(BASELINE, at, system=system, rows=1)

    def until(self, at: int) -> None:
        self.lines += self.replay.finish(T0 + at)

    @property
    def story(self) -> list[tuple[str, str, str]]:
        """(msisdn, status, time) of what was told."""
        return [(a["msisdn"], a["status"], a["at"]) for a in self.lines if a["kind"] == "anomaly"]


def test_half_of_the_data_tells_nobody_that_the_other_half_is_missing() -> None:
    world = World()
    for n in range(5):
        world.state(0, "crm.status", "active", n, reason="snapshot")
    world.exported(MIN, "crm")
    world.until(5 * HOUR)
    assert world.lines == []
    for n in range(4):
        world.state(5 * HOUR, "hlr.status", "active", n, reason="snapshot")
    world.exported(5 * HOUR + MIN, "hlr")
    world.until(7 * HOUR)
    ((whose, status, at),) = world.story
    assert (whose, status) == (number(4), "OPEN")
    assert iso(T0 + 5 * HOUR + MIN) < at < iso(T0 + 5 * HOUR + 15 * MIN)
    (alert,) = [line for line in world.lines if line["kind"] == "alert"]
    assert alert["cause_code"] == "cutover"


def test_without_the_switch_it_is_told_at_once() -> None:
    world = World(baseline=False)
    world.state(0, "crm.status", "active")
    world.until(HOUR)
    assert world.story == [(number(1), "OPEN", iso(T0 + 10 * MIN))]


def test_each_check_waits_for_its_own_systems() -> None:
    world = World()
    world.exported(0, "crm")
    world.exported(0, "vas")
    world.state(MIN, "crm.subscription.video", True)
    world.state(MIN, "crm.status", "active")
    world.until(HOUR)
    assert [line["check"] for line in world.lines if line["kind"] == "anomaly"] == ["subscription"]


def test_a_late_event_does_not_open_before_the_baseline_either() -> None:
    world = World()
    world.state(0, "crm.status", "active")
    world.state(HOUR, "hlr.status", "barred")  # past the deadline
    world.until(2 * HOUR)
    assert world.lines == []
    world.exported(2 * HOUR, "crm")
    world.exported(2 * HOUR, "hlr")
    world.until(3 * HOUR)
    assert [status for _, status, _ in world.story] == ["OPEN"]


def test_what_opens_at_once_is_silent_until_it_ends() -> None:
    world = World()
    for value in (20, 20):
        world.state(0, "ocs.charge", value, transaction="T-1")
    world.state(S, "crm.charge", 20, transaction="T-1")
    assert {line["kind"] for line in world.lines} <= {"shadow"}
    world.exported(HOUR, "crm")
    world.exported(HOUR, "ocs")
    world.state(2 * HOUR, "ocs.charge", -20, transaction="T-1")
    assert world.story == []


def test_failed_calls_need_no_export() -> None:
    world = World()
    for second in range(3):
        told = {"kind": "CALL_ATTEMPT", "result": "FAILED", "msisdn": number(1)}
        world.tell("yupan.usage.v1", second * S, **told)
    assert [status for _, status, _ in world.story] == ["OPEN"]


@pytest.mark.parametrize("order", [("crm", "hlr"), ("hlr", "crm")])
def test_an_export_is_in_when_what_was_written_before_is_decided(order: tuple[str, str]) -> None:
    world = World()
    for system in order:
        world.exported(MIN, system)
    world.state(0, "crm.status", "active")
    world.until(MIN)
    assert "~baseline" not in world.replay.worlds[0].records
    world.until(MIN + 1)
    assert set(world.replay.worlds[0].records["~baseline"]["systems"]) == {"crm", "hlr"}


def test_what_nobody_can_export_is_not_waited_for() -> None:
    world = World()
    for system in ("crm", "ocs"):
        world.exported(0, system)
    world.state(MIN, "order.opening", "completed")
    world.state(MIN, "order.payment", 50, transaction="T-1")
    world.state(MIN, "crm.charge", 5, transaction="T-2")
    world.until(HOUR)
    opened = {line["check"] for line in world.lines if line["kind"] == "anomaly"}
    assert opened == {"opening", "charging.recharge", "charging"}


def test_a_match_waits_for_those_of_its_systems_that_others_compare() -> None:
    world = World()
    world.exported(0, "crm")
    world.state(MIN, "order.payment", 50, transaction="T-1")
    world.until(5 * HOUR)
    assert world.story == []
    world.exported(5 * HOUR, "ocs")
    world.until(7 * HOUR)
    assert [status for _, status, _ in world.story] == ["OPEN"]


def test_a_check_that_is_loaded_silences_no_other_that_only_waits_for_what_it_compares() -> None:
    world = World()
    for system in ("crm", "ocs", "hlr", "vas", "sacp"):
        world.exported(0, system)
    shipped = load_checks()
    systems = ("order.opening", "smsc.status")
    rule = Agree("own.orders", 10 * MIN, systems, (("completed", "active"),))
    own = replace(shipped.by_id["activation"], id="own.orders", repair=None, cases=(), rule=rule)
    world.replay.conclusions.checks = Checks([*shipped.by_id.values(), own])
    world.state(MIN, "order.opening", "completed")
    world.until(HOUR)
    assert {line["check"] for line in world.lines if line["kind"] == "anomaly"} == {"opening"}


def test_a_gauge_says_for_which_systems_checks_are_silent() -> None:
    world = World()
    world.state(0, "crm.status", "active")
    assert awaited(world) == {"crm", "hlr", "ocs", "sacp", "vas"}
    world.exported(MIN, "crm")
    world.exported(MIN, "hlr")
    world.until(2 * MIN)
    world.state(3 * MIN, "crm.tariff", "a")
    assert awaited(world) == {"ocs", "sacp", "vas"}
    checks = world.replay.conclusions.checks.by_id
    world.replay.conclusions.checks = Checks([checks["activation"]])
    world.state(4 * MIN, "crm.tariff", "b")
    assert awaited(world) == set()


def test_without_the_switch_the_gauge_says_nothing() -> None:
    world = World(baseline=False)
    world.state(0, "crm.status", "active")
    assert not [key for key in world.counted.counts if key[0] == "yupan_baseline_missing"]


def awaited(world: World) -> set[str]:
    """The systems whose export the gauge says is missing."""
    return {key[1] for key, value in world.counted.counts.items() if key[0] == "yupan_baseline_missing" and value}
