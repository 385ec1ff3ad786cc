"""Automatic repair: slots, limits, commands that are sent once, answers, and what people order."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from agents.repair import Repairing, grant
from agents.replay import Input, Line, Replay
from agents.rules import Checks, load_checks
from schemas.catalogue import EVENTS
from schemas.errors import UsageError
from schemas.fields import iso
from tests.agents.desk_world import ZONE

T0 = 1_795_320_000_000  # 2026-11-22, noon in Shanghai
S, MIN, HOUR = 1_000, 60_000, 3_600_000
DUE = 10 * MIN
STATE, COMMAND, RESULT = "yupan.state.v1", "yupan.command.v1", "yupan.repair-result.v1"


def number(n: int) -> str:
    return f"86138{n:08}"


class World:
    """The check `activation` with a repair, over a ledger in memory."""

    def __init__(self, mode: str = "on", **limits: Any) -> None:
        check = load_checks(repairs={"activation": mode}).by_id["activation"]
        assert check.repair is not None
        self.replay = Replay(Checks([replace(check, repair=replace(check.repair, **limits))]))
        self.lines: list[Line] = []
        self.sent = 0

    def tell(self, topic: str, at: int, **record: Any) -> None:
        self.sent += 1
        made = EVENTS[topic].from_json({**record, "occurred_at": T0 + at})
        self.last = Input(topic, made, f"e{self.sent}")
        self.lines += self.replay.feed(self.last)

    def crm(self, at: int, value: str = "suspended", n: int = 1) -> None:
        self.tell(STATE, at, msisdn=number(n), system="crm", attribute="status", value=value, region="nanchang")

    def hlr(self, at: int, value: str = "barred", n: int = 1) -> None:
        self.tell(STATE, at, msisdn=number(n), system="hlr", attribute="status", value=value)

    def answer(self, at: int, outcome: str, text: str | None = None, nth: int = -1) -> None:
        repair = self.of("repair")[nth]
        told = {"repair_id": repair["repair_id"], "msisdn": repair["msisdn"], "outcome": outcome, "text": text}
        self.tell(RESULT, at, **told)

    def order(self, at: int, kind: str = "REPAIR", n: int = 1, name: str | None = None) -> Input:
        anomaly = next(line for line in self.of("anomaly") if line["msisdn"] == number(n))
        told = {"command_id": name or f"k-{at}", "kind": kind, "anomaly_id": anomaly["anomaly_id"], "staff": "1001"}
        self.tell(COMMAND, at, msisdn=number(n), **told)
        return self.last

    def repeat(self, line: Input) -> None:
        """The very same record comes once more."""
        self.lines += self.replay.feed(line)

    def until(self, at: int) -> None:
        self.lines += self.replay.finish(T0 + at)

    def of(self, kind: str) -> list[Line]:
        return [line for line in self.lines if line["kind"] == kind]

    @property
    def story(self) -> list[tuple[float, str, str]]:
        """(minutes, status, reason) of each change of an anomaly's status."""
        return [(minutes(line["at"]), line["status"], line["reason"]) for line in self.of("anomaly")]


def minutes(at: str) -> float:
    from schemas.fields import millis

    return (millis(at) - T0) / MIN


def test_what_opens_is_repaired_and_closed_by_the_next_consistent_state() -> None:
    world = World()
    world.crm(0)
    world.hlr(S, "active")
    world.until(DUE + S)
    (repair,) = world.of("repair")
    assert (repair["system"], repair["command"], repair["arguments"]) == ("hlr", "set_status", {"status": "barred"})
    assert repair["msisdn"] == number(1)
    world.answer(DUE + 20 * S, "DONE")
    world.hlr(DUE + 30 * S)
    world.until(HOUR)
    assert world.story == [
        (10, "OPEN", "deadline_passed"),
        (10, "REPAIRING", "repair_sent"),
        (10.5, "RESOLVED", "agrees_again"),
    ]
    progress = [line.get("progress") for line in world.of("reminder")]
    assert progress == ["OPEN", "REPAIRING", None]


@pytest.mark.parametrize(
    ("outcome", "text", "reason", "after"),
    [
        ("REFUSED", "subscriber locked", "repair_refused", 20 * S),
        ("FAILED", None, "repair_failed", 20 * S),
        ("DONE", None, "repair_without_effect", 20 * S + 5 * MIN),
        (None, None, "repair_unanswered", 5 * MIN),
    ],
)
def test_a_repair_that_does_not_help_makes_it_graver(outcome: str | None, text: str, reason: str, after: int) -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    if outcome is not None:
        world.answer(DUE + 20 * S, outcome, text)
    world.until(HOUR)
    assert world.story[2:] == [((DUE + after) / MIN, "OPEN", reason)]
    assert world.of("anomaly")[-1]["evidence"]["repair"] == (f"{reason}: {text}" if text else reason)
    assert world.of("reminder")[-1]["progress"] == "OPEN"
    assert [line["told"] for line in world.of("alert")] == ["FIRING", "FIRING"]  # graver: told again
    world.hlr(HOUR)
    assert world.story[-1][1] == "RESOLVED"
    assert len(world.of("repair")) == 1


def test_off_by_default_and_people_may_order_it() -> None:
    assert load_checks().by_id["activation"].repair == replace(
        load_checks(repairs={"activation": "on"}).by_id["activation"].repair or Repairing("", "", {}), mode="off"
    )
    world = World("off")
    world.crm(0)
    world.until(DUE + MIN)
    assert world.of("repair") == []
    world.order(DUE + MIN)
    world.order(DUE + MIN + S)  # it is on its way
    assert len(world.of("repair")) == 1
    assert world.story[-1] == (11, "REPAIRING", "repair ordered by 1001")
    world.answer(DUE + 2 * MIN, "REFUSED")
    world.order(DUE + 3 * MIN)
    assert len({line["repair_id"] for line in world.of("repair")}) == 2


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
        elif world.of("repair"):
            world.answer(at, chance.choice(("DONE", "REFUSED", "FAILED")), nth=chance.randrange(len(world.of("repair"))))
    ids = Counter(line["repair_id"] for line in world.of("repair"))
    assert set(ids.values()) == {1}, seed
    assert 4 < len(ids) <= 4 + len(orders), seed


def test_dry_run_sends_nothing() -> None:
    world = World("dry_run")
    world.crm(0)
    world.until(HOUR)
    assert world.of("repair") == []
    assert world.story == [(10, "OPEN", "deadline_passed")]
    world.hlr(HOUR)
    assert world.story[-1][1] == "RESOLVED"


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
    world.crm(13 * HOUR, n=20)  # after midnight
    world.until(14 * HOUR)
    assert len(world.of("repair")) == 6
    assert [line["msisdn"] for line in world.of("repair")][-1] == number(20)


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


def test_what_is_withdrawn_while_it_is_repaired_stays_so() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.order(DUE + 10 * S, "WITHDRAW")
    world.answer(DUE + 20 * S, "FAILED")
    world.until(HOUR)
    assert [status for _, status, _ in world.story] == ["OPEN", "REPAIRING", "WITHDRAWN"]


def test_it_may_be_acknowledged_again_after_a_failure() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.answer(DUE + 20 * S, "FAILED")
    world.order(DUE + MIN, "ACKNOWLEDGE")
    assert [status for _, status, _ in world.story] == ["OPEN", "REPAIRING", "OPEN", "ACKNOWLEDGED"]


def test_a_late_answer_of_another_repair_is_nothing() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.tell(RESULT, DUE + 5 * S, repair_id="unheard-of", msisdn=number(1), outcome="FAILED")
    world.answer(DUE + 20 * S, "REFUSED")
    world.answer(DUE + 30 * S, "DONE")
    world.answer(DUE + 40 * S, "REFUSED")
    world.until(HOUR)
    assert [status for _, status, _ in world.story] == ["OPEN", "REPAIRING", "OPEN"]


def test_old_drifts_are_not_repaired() -> None:
    world = World()
    world.crm(3 * HOUR, n=2)  # the clock is there already
    world.crm(0, n=1)
    world.until(5 * HOUR)
    assert {line["msisdn"] for line in world.of("repair")} == {number(2)}


def test_evidence_that_changes_while_it_is_repaired_stays_repairing() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.hlr(DUE + 10 * S, "active")
    assert [line["kind"] for line in world.lines if line.get("reason") == "partner_changed"] == ["evidence"]
    assert [line.get("progress") for line in world.of("reminder")] == ["OPEN", "REPAIRING", "REPAIRING"]


def test_back_within_an_hour_it_is_repaired_once_more_under_another_id() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.hlr(DUE + 30 * S)
    world.hlr(DUE + MIN, "active")
    world.until(HOUR)
    first, second = world.of("repair")
    assert first["anomaly_id"] == second["anomaly_id"]
    assert first["repair_id"] != second["repair_id"]


def test_of_any_history_each_life_has_one_repair_and_never_two_at_once() -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    world, at, answered = World(per_minute=chance.choice((1, 30, 600)), per_day=chance.choice((10, 1_000))), 0, 0
    for _ in range(600):
        at += chance.randrange(3 * MIN)
        world.until(at)
        what, n = chance.random(), chance.randrange(12)
        if what < 0.4:
            world.crm(at, chance.choice(("active", "suspended")), n=n)
        elif what < 0.8:
            world.hlr(at, chance.choice(("active", "barred")), n=n)
        elif len(world.of("repair")) > answered:
            world.answer(at, chance.choice(("DONE", "REFUSED", "FAILED")), nth=answered)
            answered += 1
    world.until(at + HOUR)
    ids = Counter(line["repair_id"] for line in world.of("repair"))
    assert set(ids.values()) <= {1}, seed
    status: dict[str, str] = {}
    repaired: Counter[str] = Counter()
    for line in world.lines:
        if line["kind"] == "anomaly":
            before = status.get(line["anomaly_id"])
            status[line["anomaly_id"]] = line["status"]
            if line["status"] == "REPAIRING":
                repaired[line["anomaly_id"]] += 1
                assert before == "OPEN", seed
                assert repaired[line["anomaly_id"]] == 1, seed
            elif line["status"] in ("RESOLVED", "WITHDRAWN"):
                repaired[line["anomaly_id"]] = 0
    assert len(ids) > 5, seed


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_command_is_not_sent_to_the_side_that_is_right(mode: str) -> None:
    world = World(mode)
    world.hlr(0, "active")  # the CRM never says anything: what should the HLR hold?
    world.until(HOUR)
    assert [status for _, status, _ in world.story] == ["OPEN"]
    world.order(HOUR)
    assert world.of("repair") == []


def test_a_partner_whose_clock_is_behind_has_as_much_time() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.answer(DUE - 7 * MIN, "DONE")
    world.until(DUE + 4 * MIN)
    assert world.story[-1][1] == "REPAIRING"
    world.hlr(DUE + 4 * MIN)
    assert world.story[-1][1] == "RESOLVED"


def test_what_a_repair_said_stays_in_the_evidence() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.answer(DUE + 20 * S, "REFUSED", "locked")
    world.hlr(DUE + MIN, "active")
    assert next(line for line in world.lines if line.get("reason") == "partner_changed")["evidence"]["repair"] == (
        "repair_refused: locked"
    )


# --- the settings


def test_a_mode_for_what_cannot_be_repaired_is_refused() -> None:
    with pytest.raises(UsageError, match=r"YUPAN_REPAIRS: no check 'activaton'; these can be repaired: activation, "):
        load_checks(repairs={"activaton": "on"})
    with pytest.raises(UsageError, match=r"YUPAN_REPAIRS: the file of calls says no repair"):
        load_checks(repairs={"calls": "on"})


def test_times_are_told() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    assert world.of("repair")[0]["at"] == iso(T0 + DUE)
