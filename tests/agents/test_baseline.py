"""Before the full exports of its systems are in, no check speaks; then all that differs is told."""

from __future__ import annotations

from typing import Any

import pytest

from agents.replay import Input, Line, Replay
from agents.rules import load_checks
from schemas.catalogue import EVENTS
from schemas.fields import iso

T0 = 1_795_320_000_000
S, MIN, HOUR = 1_000, 60_000, 3_600_000
STATE, BASELINE = "yupan.state.v1", "yupan.internal.baseline.v1"


def number(n: int) -> str:
    return f"86138{n:08}"


class World:
    def __init__(self, *, baseline: bool = True) -> None:
        self.replay = Replay(load_checks(), baseline=baseline)
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
