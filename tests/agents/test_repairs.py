"""Automatic repair: slots, limits, commands that are sent once, answers, and what people order."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from agents.repair import Repairing
from agents.replay import Input, Line, Replay
from agents.rules import Checks, load_checks
from schemas.catalogue import EVENTS
from schemas.errors import UsageError
from schemas.fields import iso, millis

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


def test_dry_run_sends_nothing() -> None:
    world = World("dry_run")
    world.crm(0)
    world.until(HOUR)
    assert world.of("repair") == []
    assert world.story == [(10, "OPEN", "deadline_passed")]
    world.hlr(HOUR)
    assert world.story[-1][1] == "RESOLVED"


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


def test_evidence_that_changes_while_it_is_repaired_stays_repairing() -> None:
    world = World()
    world.crm(0)
    world.until(DUE + S)
    world.hlr(DUE + 10 * S, "active")
    assert [line["kind"] for line in world.lines if line.get("reason") == "partner_changed"] == ["evidence"]
    assert [line.get("progress") for line in world.of("reminder")] == ["OPEN", "REPAIRING", "REPAIRING"]


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
