"""The life of an anomaly: what people order, what opens again, and the reminder that follows it."""

from __future__ import annotations

from typing import Any

import pytest

from agents import shell
from agents.life import ORDERED, REOPENED_WITHIN, former_of, order_told, placed, told
from agents.replay import Input, Replay
from agents.rules import load_checks
from agents.verdicts import Decision
from agents.waiting import Open
from schemas.catalogue import EVENTS
from schemas.fields import millis
from tests.agents.desk_world import Counted
from tests.agents.histories import CatchingUp

NOON = 1_795_320_000_000
MIN = 60_000
HOUR = 60 * MIN
ANNA = "8613800138000"
STATE, USAGE, COMMAND = "yupan.state.v1", "yupan.usage.v1", "yupan.command.v1"


class Desk:
    """One replay, in minutes after noon."""

    def __init__(self) -> None:
        self.replay = Replay(load_checks())
        self.lines: list[dict[str, Any]] = []
        self.number = 0

    def feed(self, topic: str, minute: float, **fields: Any) -> None:
        self.number += 1
        record = EVENTS[topic].from_json({"occurred_at": NOON + round(minute * MIN), **fields})
        self.lines += self.replay.feed(Input(topic, record, f"e-{self.number}"))

    def state(self, minute: float, name: str, value: Any, **more: Any) -> None:
        system, _, attribute = name.partition(".")
        self.feed(STATE, minute, msisdn=ANNA, system=system, attribute=attribute, value=value, **more)

    def order(self, minute: float, kind: str, anomaly_id: str, msisdn: str | None = ANNA, **more: Any) -> None:
        said = {"command_id": f"k-{self.number}", "kind": kind, "anomaly_id": anomaly_id, "staff": "1001", **more}
        self.feed(COMMAND, minute, msisdn=msisdn, **said)

    def pass_time(self, minute: float) -> None:
        self.lines += self.replay.finish(NOON + round(minute * MIN))

    @property
    def anomalies(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] == "anomaly"]

    @property
    def story(self) -> list[tuple[float, str]]:
        return [((millis(line["at"]) - NOON) / MIN, line["status"]) for line in self.anomalies]

    @property
    def reminders(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] == "reminder"]


@pytest.fixture
def desk() -> Desk:
    """With one anomaly open since minute 10."""
    made = Desk()
    made.state(0, "crm.status", "active")
    made.pass_time(11)
    assert made.story == [(10, "OPEN")]
    return made


def opened(desk: Desk) -> str:
    return str(desk.anomalies[0]["anomaly_id"])


REPAIR = {"id": "a-1", "state": "", "due": None, "slot": 5, "taken": False}


@pytest.mark.parametrize("more", [{}, {"silent": True}, {"silent": True, "repair": REPAIR}, {"joined": {"c0ffee": 2}}])
def test_what_is_remembered_of_it_is_what_it_has_again(more: dict[str, Any]) -> None:
    anomaly: Open = {"id": "b", "opened_at": 9, "evidence": {}, "cause_code": "x"}
    decision = Decision("", "OPEN", 9, "deadline_passed", anomaly, {}, "e", None, "s|e", None)
    kept: Any = {"id": "a", "opened_at": 1, "ended_at": 7, "about": None, **more}
    again = placed(decision, kept, shadow="silent" in more).anomaly
    assert (again["id"], again["since"]) == ("a", 9)
    assert (again.get("repair"), again.get("joined")) == (more.get("repair"), more.get("joined"))
    assert placed(decision, kept, shadow="silent" not in more).anomaly["id"] == "b"
    ended = decision._replace(status="RESOLVED", at=20, anomaly=again)
    assert former_of(ended) == {**kept, "ended_at": 20}


# --- what people order


def test_an_acknowledged_anomaly_says_who_and_stays_open(desk: Desk) -> None:
    desk.order(12, "ACKNOWLEDGE", opened(desk))
    assert desk.story[1:] == [(12, "ACKNOWLEDGED")]
    assert desk.anomalies[1]["reason"] == "acknowledged by 1001"
    assert desk.anomalies[1]["anomaly_id"] == opened(desk)
    desk.state(15, "hlr.status", "active")
    assert desk.story[2:] == [(15, "RESOLVED")]


@pytest.mark.parametrize("kind", sorted(ORDERED))
@pytest.mark.parametrize("why", [None, "works: planned", '"', ": "])
@pytest.mark.parametrize("staff", ["1001", "ops: night", "ops:", "ops:  ", '"', '"a": b', "a\nb", "夜班: 一"])
def test_who_ordered_it_can_be_read_from_the_reason(kind: str, staff: str, why: str | None) -> None:
    order = {"kind": kind, "staff": staff, "reason": why}
    assert order_told(told(order, ORDERED[kind])) == order


def test_a_reason_of_before_names_were_quoted_is_read() -> None:
    assert order_told('withdrawn by "ops') == {"kind": "WITHDRAW", "staff": '"ops', "reason": None}
    assert order_told("deadline_passed") is None


def test_the_reminder_shows_the_progress_and_ends_with_the_anomaly(desk: Desk) -> None:
    desk.order(12, "ACKNOWLEDGE", opened(desk))
    desk.state(15, "hlr.status", "active")
    first, second, third = desk.reminders
    assert first["reminder_id"] == second["reminder_id"] == third["reminder_id"]
    assert (first["progress"], second["progress"]) == ("OPEN", "ACKNOWLEDGED")
    assert third["withdrawn"] == "RESOLVED: agrees_again"


def test_other_evidence_leaves_it_acknowledged(desk: Desk) -> None:
    desk.order(12, "ACKNOWLEDGE", opened(desk))
    desk.state(13, "hlr.status", "barred")
    assert desk.story[1:] == [(12, "ACKNOWLEDGED")]
    (changed,) = [line for line in desk.lines if line["kind"] == "evidence"]
    assert changed["evidence"]["hlr.status"] == "barred"
    assert desk.reminders[-1]["progress"] == "ACKNOWLEDGED"


def test_what_is_acknowledged_is_not_acknowledged_again(desk: Desk) -> None:
    desk.order(12, "ACKNOWLEDGE", opened(desk))
    desk.order(13, "ACKNOWLEDGE", opened(desk))
    assert desk.story[1:] == [(12, "ACKNOWLEDGED")]


def test_a_command_of_before_the_opening_counts_as_of_it(desk: Desk) -> None:
    desk.order(5, "ACKNOWLEDGE", opened(desk))
    assert desk.story[1:] == [(10, "ACKNOWLEDGED")]


def test_a_withdrawn_anomaly_does_not_open_again_by_itself(desk: Desk) -> None:
    desk.order(12, "WITHDRAW", opened(desk), reason="planned works")
    assert desk.anomalies[1]["reason"] == "withdrawn by 1001: planned works"
    assert desk.reminders[-1]["withdrawn"] == "WITHDRAWN: withdrawn by 1001: planned works"
    desk.state(13, "hlr.status", "barred")
    desk.pass_time(600)
    assert desk.story[1:] == [(12, "WITHDRAWN")]


def test_after_a_withdrawal_a_new_value_of_the_reference_is_another_anomaly(desk: Desk) -> None:
    desk.order(12, "WITHDRAW", opened(desk))
    desk.state(20, "crm.status", "suspended")
    desk.pass_time(60)
    assert desk.story[2:] == [(30, "OPEN")]
    assert desk.anomalies[2]["anomaly_id"] != opened(desk)


def test_after_a_withdrawal_and_agreement_all_begins_anew(desk: Desk) -> None:
    desk.order(12, "WITHDRAW", opened(desk))
    desk.state(13, "hlr.status", "active")
    desk.state(20, "hlr.status", "barred")
    desk.pass_time(60)
    assert desk.story[2:] == [(30, "OPEN")]


@pytest.mark.parametrize("kind", ["ACKNOWLEDGE", "WITHDRAW", "REPAIR"])
def test_what_is_not_open_cannot_be_ordered_about(desk: Desk, kind: str) -> None:
    desk.order(12, kind, "nobody")
    desk.state(15, "hlr.status", "active")
    desk.order(16, kind, opened(desk))
    assert desk.story[1:] == [(15, "RESOLVED")]


def test_a_streak_that_was_withdrawn_is_counted_anew() -> None:
    desk = Desk()
    failed = {"msisdn": ANNA, "kind": "CALL_ATTEMPT", "result": "FAILED"}
    for minute in range(3):
        desk.feed(USAGE, minute, **failed)
    desk.order(3, "WITHDRAW", opened(desk))
    desk.feed(USAGE, 4, **failed)
    desk.feed(USAGE, 5, **failed)
    assert desk.story == [(2, "OPEN"), (3, "WITHDRAWN")]
    desk.feed(USAGE, 6, **failed)
    assert desk.story[2:] == [(6, "OPEN")]
    assert desk.anomalies[2]["anomaly_id"] != opened(desk)


# --- what opens again


def reopened(desk: Desk, minute: float) -> tuple[str, str]:
    """The ids of the anomaly that ended in minute 15 and of the one that opens at `minute`."""
    desk.state(15, "hlr.status", "active")
    desk.state(minute - 10, "hlr.status", "barred")
    desk.pass_time(minute + 1)
    assert desk.story[1:] == [(15, "RESOLVED"), (minute, "OPEN")]
    return opened(desk), str(desk.anomalies[2]["anomaly_id"])


def test_what_opens_again_within_an_hour_is_the_same_anomaly(desk: Desk) -> None:
    before, after = reopened(desk, 15 + REOPENED_WITHIN / MIN)
    assert before == after


def test_what_opens_later_is_another_one(desk: Desk) -> None:
    before, after = reopened(desk, 16 + REOPENED_WITHIN / MIN)
    assert before != after


def test_what_opens_about_another_value_of_the_reference_is_another_one(desk: Desk) -> None:
    desk.state(15, "hlr.status", "active")
    desk.state(20, "crm.status", "suspended")
    desk.pass_time(31)
    assert desk.story[1:] == [(15, "RESOLVED"), (30, "OPEN")]
    assert desk.anomalies[2]["anomaly_id"] != opened(desk)


def test_how_long_it_took_and_what_came_again_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()
    monkeypatch.setattr(shell, "NoCounts", lambda: counted)
    desk = Desk()
    desk.state(0, "crm.status", "active")
    desk.pass_time(11)
    reopened(desk, 30)
    assert counted.counts["yupan_anomalies_reopened", "activation"] == 1
    assert [seconds for name, seconds in counted.observed if name == "yupan_resolve_seconds"] == [300.0]
    desk.order(41, "ACKNOWLEDGE", opened(desk))
    desk.state(45, "hlr.status", "active")
    assert [seconds for name, seconds in counted.observed if name == "yupan_resolve_seconds"] == [300.0, 2_100.0]
    assert counted.counts["yupan_anomalies_reopened", "activation"] == 1


def test_what_opens_again_is_open_and_not_acknowledged(desk: Desk) -> None:
    desk.order(12, "ACKNOWLEDGE", opened(desk))
    desk.state(15, "hlr.status", "active")
    desk.state(20, "hlr.status", "barred")
    desk.pass_time(31)
    assert desk.story[3:] == [(30, "OPEN")]
    desk.order(32, "ACKNOWLEDGE", opened(desk))
    assert desk.story[4:] == [(32, "ACKNOWLEDGED")]
    desk.state(33, "hlr.status", "active")
    assert {line["anomaly_id"] for line in desk.anomalies} == {opened(desk)}
    assert desk.story[5:] == [(33, "RESOLVED")]


def test_of_one_cause_never_two_are_open(desk: Desk) -> None:
    for minute, status in enumerate(["suspended", "active", "half_suspended", "active"] * 5, 20):
        desk.state(minute, "crm.status", status)
    desk.pass_time(600)
    assert desk.story == [(10, "OPEN")]


def test_what_was_withdrawn_after_it_opened_again_does_not_come_back(desk: Desk) -> None:
    desk.state(15, "hlr.status", "active")
    desk.state(20, "hlr.status", "barred")
    desk.pass_time(31)
    desk.order(32, "WITHDRAW", opened(desk))
    desk.state(33, "hlr.status", "active")
    desk.state(34, "hlr.status", "barred")
    desk.pass_time(60)
    assert desk.story[3:] == [(32, "WITHDRAWN"), (44, "OPEN")]
    assert desk.anomalies[4]["anomaly_id"] != opened(desk)


def test_a_command_about_the_life_before_is_not_followed(desk: Desk) -> None:
    desk.state(15, "hlr.status", "active")
    desk.state(20, "hlr.status", "barred")
    desk.pass_time(31)
    desk.order(14, "WITHDRAW", opened(desk))
    assert desk.story[1:] == [(15, "RESOLVED"), (30, "OPEN")]


def charge(desk: Desk, minute: float, system: str, amount: float) -> None:
    desk.state(minute, f"{system}.charge", amount, transaction="t-1")


def test_a_withdrawn_transaction_does_not_come_back() -> None:
    desk = Desk()
    charge(desk, 0, "crm", 50.0)
    desk.pass_time(16)
    desk.order(21, "WITHDRAW", opened(desk))
    charge(desk, 60, "ocs", 20.0)  # another amount: something new
    desk.pass_time(100)
    assert desk.story[2:] == [(75, "OPEN")]
    assert desk.anomalies[2]["evidence"] == {"crm.charge": "50", "ocs.charge": "20"}
    assert desk.anomalies[2]["anomaly_id"] != opened(desk)


@pytest.mark.parametrize(("later", "sum_of_crm"), [(24 * 60, "57"), (24 * 60 + 1, "7")])
def test_what_came_of_a_withdrawn_transaction_is_remembered_for_a_day(later: int, sum_of_crm: str) -> None:
    desk = Desk()
    charge(desk, 0, "crm", 50.0)
    desk.pass_time(16)
    desk.order(21, "WITHDRAW", opened(desk))
    charge(desk, 21 + later, "crm", 7.0)
    desk.pass_time(21 + later + 30)
    assert desk.anomalies[2]["evidence"]["crm.charge"] == sum_of_crm
    assert desk.anomalies[2]["anomaly_id"] != opened(desk)


@pytest.mark.parametrize(("minute", "same"), [(60, True), (600, False)])
def test_a_settled_transaction_that_goes_wrong_again_is_the_same_within_an_hour(minute: int, same: bool) -> None:
    desk = Desk()
    for at, system in ((0, "crm"), (0, "ocs"), (5, "ocs")):
        charge(desk, at, system, 50.0)
    charge(desk, 6, "ocs", -50.0)
    charge(desk, minute, "ocs", 50.0)
    assert desk.story == [(5, "OPEN"), (6, "RESOLVED"), (minute, "OPEN")]
    assert (desk.anomalies[2]["anomaly_id"] == opened(desk)) is same


@pytest.mark.parametrize("kind", [Replay, CatchingUp])
def test_it_is_the_same_also_when_a_worker_that_catches_up_has_read_on(kind: type[Replay]) -> None:
    desk = Desk()
    desk.replay = kind(load_checks())
    charge(desk, 0, "crm", 50.0)
    desk.state(0, "crm.status", "active")
    charge(desk, 20, "ocs", 50.0)
    charge(desk, 21, "crm", 50.0)
    desk.state(300, "hlr.status", "active")  # long after the deadline at 36, which may not have fired yet
    desk.pass_time(301)
    charged = [line for line in desk.anomalies if line["check"] == "charging"]
    assert sorted(line["at"][11:16] for line in charged) == ["04:15", "04:20", "04:36"]
    assert len({line["anomaly_id"] for line in charged}) == 1


def test_a_row_of_failures_that_is_complete_hours_after_another_was_resolved_is_another_anomaly() -> None:
    desk = Desk()
    failed = {"msisdn": ANNA, "kind": "CALL_ATTEMPT", "result": "FAILED"}
    for minute in (0, 1, 2, 20):
        desk.feed(USAGE, minute, **failed)
    desk.feed(USAGE, 2.5, **{**failed, "result": "OK"})  # late; the last failure still counts
    for minute in range(40, 200, 20):
        desk.feed(USAGE, minute, **failed)
    desk.feed(USAGE, 181, **failed)
    assert desk.story == [(2, "OPEN"), (2.5, "RESOLVED"), (181, "OPEN")]
    assert desk.anomalies[2]["anomaly_id"] != opened(desk)


# --- cells


def cell(desk: Desk, minute: float, succeeded: int, failed: int) -> None:
    for number in range(succeeded + failed):
        result = "OK" if number < succeeded else "FAILED"
        told = {"kind": "CALL_ATTEMPT", "result": result, "cell": "c-1"}
        desk.feed(USAGE, minute + number / 10_000, msisdn=f"86139{desk.number:08}", **told)


@pytest.fixture
def bad_cell() -> Desk:
    """With the anomaly of a cell open since minute 2."""
    desk = Desk()
    cell(desk, 0.1, 0, 60)
    desk.pass_time(2.5)
    assert desk.story == [(2, "OPEN")]
    return desk


def test_the_anomaly_of_a_cell_is_acknowledged_by_its_id(bad_cell: Desk) -> None:
    bad_cell.order(3, "ACKNOWLEDGE", opened(bad_cell), msisdn=None)
    assert bad_cell.story[1:] == [(3, "ACKNOWLEDGED")]
    cell(bad_cell, 10.1, 60, 0)
    bad_cell.pass_time(20)
    assert bad_cell.story[2:] == [(12, "RESOLVED")]


def test_a_cell_that_was_withdrawn_opens_no_more_until_it_has_recovered(bad_cell: Desk) -> None:
    bad_cell.order(3, "WITHDRAW", opened(bad_cell), msisdn=None)
    for minute in (4.1, 6.1, 8.1):
        cell(bad_cell, minute, 0, 60)
    bad_cell.pass_time(14)
    assert bad_cell.story[1:] == [(3, "WITHDRAWN")]
    cell(bad_cell, 20.1, 60, 0)
    cell(bad_cell, 30.1, 0, 60)
    bad_cell.pass_time(40)
    assert bad_cell.story[2:] == [(32, "OPEN")]


def test_a_cell_that_is_bad_again_within_an_hour_has_the_same_anomaly(bad_cell: Desk) -> None:
    cell(bad_cell, 10.1, 60, 0)
    cell(bad_cell, 20.1, 0, 60)
    bad_cell.pass_time(30)
    assert bad_cell.story[1:] == [(12, "RESOLVED"), (22, "OPEN")]
    assert len({line["anomaly_id"] for line in bad_cell.anomalies}) == 1


def test_a_command_about_a_cell_that_is_not_open_says_nothing(bad_cell: Desk) -> None:
    bad_cell.order(3, "ACKNOWLEDGE", "nobody", msisdn=None)
    cell(bad_cell, 10.1, 60, 0)
    bad_cell.pass_time(20)
    bad_cell.order(21, "WITHDRAW", opened(bad_cell), msisdn=None)
    assert bad_cell.story[1:] == [(12, "RESOLVED")]
