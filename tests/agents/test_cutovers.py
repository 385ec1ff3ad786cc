"""Works on systems: drift of their window is reported once, and a full export shows what told nobody."""

from __future__ import annotations

import random
from typing import Any

import pytest

from agents.cutover import KEPT, MOST_WINDOWS
from agents.cutovers import with_change
from agents.replay import Input, Line, Replay
from agents.rules import load_checks
from schemas.catalogue import EVENTS
from schemas.fields import iso
from tests.agents.desk_world import Counted

T0 = 1_795_320_000_000
S, MIN, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
STATE, CUTOVER = "yupan.state.v1", "yupan.cutover.v1"
GRACE = 30 * MIN + 10 * S
"""`sacp-signing` reads the HLR, too, and has the longest deadline of those that do."""


def number(n: int) -> str:
    return f"86138{n:08}"


class World:
    def __init__(self, **repairs: str) -> None:
        self.replay = Replay(load_checks(repairs=repairs))
        self.lines: list[Line] = []
        self.sent = 0

    def tell(self, topic: str, at: int, event_id: str = "", **record: Any) -> None:
        self.sent += 1
        made = EVENTS[topic].from_json({**record, "occurred_at": T0 + at})
        self.lines += self.replay.feed(Input(topic, made, event_id or f"e{self.sent}"))

    def works(self, at: int, begin: int, end: int, action: str = "PLANNED", **more: Any) -> None:
        told = {"cutover_id": "w-1", "systems": ["hlr"], "regions": [], "title": {"zh": "HLR割接", "en": "HLR works"}}
        self.tell(CUTOVER, at, starts_at=T0 + begin, ends_at=T0 + end, action=action, **{**told, **more})

    def crm(self, at: int, n: int = 1, value: str = "suspended", **more: Any) -> None:
        told = {"system": "crm", "attribute": "status", "value": value, "region": "nanchang", **more}
        self.tell(STATE, at, msisdn=number(n), **told)

    def hlr(self, at: int, n: int = 1, value: str = "barred", **more: Any) -> None:
        self.tell(STATE, at, msisdn=number(n), **{"system": "hlr", "attribute": "status", "value": value, **more})

    def until(self, at: int) -> None:
        self.lines += self.replay.finish(T0 + at)

    def of(self, kind: str) -> list[Line]:
        return [line for line in self.lines if line["kind"] == kind]

    @property
    def reports(self) -> list[tuple[str, str, int]]:
        """(time, status, count) of what was told of works."""
        return [(a["at"], a["told"], a["count"]) for a in self.of("alert") if a["check"] == "cutover"]

    @property
    def alerts(self) -> list[Line]:
        return [a for a in self.of("alert") if a["check"] != "cutover"]


# --- a window


def test_what_begins_in_the_window_is_reported_once_at_the_end() -> None:
    world = World()
    world.works(0, HOUR, 3 * HOUR)
    for n in range(10):
        world.crm(HOUR + n * MIN, n)
    for n in range(6):
        world.hlr(2 * HOUR + n * S, n)
    world.until(5 * HOUR)
    assert len([a for a in world.of("anomaly") if a["status"] == "OPEN"]) == 10  # the desk sees each
    assert world.alerts == []
    assert world.reports == [(iso(T0 + 3 * HOUR + GRACE), "FIRING", 10)]
    report = world.of("alert")[0]
    assert report["summary"] == "HLR割接收尾报告：新增差异 10 项，已恢复 6 项，未恢复 4 项；原有差异恢复 0 项"
    for n in range(6, 10):
        world.hlr(6 * HOUR + n * S, n)
    world.until(7 * HOUR)
    assert world.reports[1:] == [(iso(T0 + 6 * HOUR + 19 * S), "RESOLVED", 10)]
    assert world.alerts == []


def test_without_any_drift_the_report_says_so() -> None:
    world = World()
    world.works(0, HOUR, 3 * HOUR)
    world.crm(0, 1)
    world.hlr(5 * MIN, 1)
    world.until(9 * HOUR)
    assert world.reports == [(iso(T0 + 3 * HOUR + GRACE), "RESOLVED", 0)]


def test_other_evidence_and_what_comes_and_goes_is_one_difference() -> None:
    world = World()
    world.works(0, HOUR, 3 * HOUR)
    world.hlr(0, 2, "active")
    world.crm(0, 2, "active")
    world.crm(HOUR + MIN)
    world.hlr(HOUR + 20 * MIN, value="active")  # missing before: another cause, the same anomaly
    for quarter in range(4, 8):
        world.hlr(quarter * 15 * MIN + MIN, 2, "barred")
        world.hlr(quarter * 15 * MIN + 12 * MIN, 2, "active")
    world.until(5 * HOUR)
    assert len({a["anomaly_id"] for a in world.of("anomaly")}) == 2
    assert (
        world.of("alert")[0]["summary"] == "HLR割接收尾报告：新增差异 2 项，已恢复 1 项，未恢复 1 项；原有差异恢复 0 项"
    )


def gifts(world: World, at: int, many: int) -> None:
    """What `gift` waits for 24 h."""
    for n in range(many):
        told = {"attribute": "gift", "value": 10, "transaction": f"t{n}", "region": "nanchang"}
        world.tell(STATE, at, msisdn=number(n), system="crm", **told)


def test_what_opens_after_the_report_is_told_when_it_has_doubled() -> None:
    world = World()
    world.works(0, HOUR, 3 * HOUR, systems=["ocs", "hlr"])
    world.crm(HOUR + MIN, 900)
    gifts(world, 2 * HOUR, 100)
    world.until(5 * HOUR)
    assert [(status, count) for _, status, count in world.reports] == [("FIRING", 1)]
    world.until(27 * HOUR)
    assert world.reports[1:] == [(iso(T0 + 26 * HOUR + 10 * S), "FIRING", 101)]


def test_works_that_seemed_over_are_told_by_what_opens_later() -> None:
    world = World()
    world.works(0, HOUR, 3 * HOUR, systems=["ocs"])
    gifts(world, 2 * HOUR, 100)
    world.until(27 * HOUR)
    assert [(status, count) for _, status, count in world.reports] == [("RESOLVED", 0), ("FIRING", 100)]


def test_a_report_with_something_left_is_told_again_once_a_day() -> None:
    world = World()
    world.works(0, HOUR, 3 * HOUR)
    world.crm(HOUR + MIN)
    days = 40
    world.until(3 * HOUR + GRACE + days * DAY + S)
    assert world.reports == [(iso(T0 + 3 * HOUR + GRACE + n * DAY), "FIRING", 1) for n in range(days + 1)]
    assert len({a["incident_id"] for a in world.of("alert")}) == 1


def test_older_differences_that_end_in_the_window_are_reported_as_healed() -> None:
    world = World()
    for n in range(6):
        world.crm(0, n, region="jiujiang" if n == 5 else "nanchang")
    world.works(MIN, HOUR, 3 * HOUR, regions=["nanchang"])
    world.hlr(50 * MIN, 0)  # before
    world.crm(90 * MIN, 7)
    for n in (1, 2, 5):  # the last one elsewhere
        world.hlr(2 * HOUR, n)
    (opened,) = (a for a in world.of("anomaly") if a["msisdn"] == number(3) and a["status"] == "OPEN")
    said = {"command_id": "k", "kind": "WITHDRAW", "anomaly_id": opened["anomaly_id"], "staff": "1001"}
    world.tell("yupan.command.v1", 2 * HOUR, msisdn=number(3), **said)  # that heals nothing
    world.hlr(4 * HOUR, 4)  # afterwards
    world.until(6 * HOUR)
    (report,) = (a for a in world.of("alert") if a["check"] == "cutover")
    assert report["count"] == 1
    assert report["summary"] == "HLR割接收尾报告：新增差异 1 项，已恢复 0 项，未恢复 1 项；原有差异恢复 2 项"


def test_a_closing_of_an_older_record_goes_on() -> None:
    record = {"check": "activation", "change": "JOINS", "again": False, "moves": False, "example": None}
    older: Any = {"checks": {"activation": [3, 0]}, "examples": []}
    joined = with_change(older, record)
    assert with_change(joined, {**record, "change": "HEALED"}).get("older") == {"activation": 1}
    assert joined["checks"] == {"activation": [4, 1]}
    assert with_change(older, {**record, "again": True})["checks"] == {"activation": [3, 1]}


def test_other_times_regions_and_systems_are_alerted_as_usual() -> None:
    world = World()
    world.works(0, HOUR, 3 * HOUR, regions=["nanchang"])
    world.crm(30 * MIN, 1)  # before
    world.crm(2 * HOUR, 2, region="jiujiang")  # elsewhere
    world.crm(3 * HOUR + S, 3)  # afterwards
    world.tell(STATE, 2 * HOUR, msisdn=number(4), system="crm", attribute="subscription.video", value=True)  # VAS
    world.crm(2 * HOUR, 5)
    world.until(8 * HOUR)
    assert world.reports == [(iso(T0 + 3 * HOUR + GRACE), "FIRING", 1)]
    last = {(a["check"], a["region"]): a["count"] for a in world.alerts}
    assert last == {("activation", "nanchang"): 2, ("activation", "jiujiang"): 1, ("subscription", None): 1}


def test_works_that_are_changed_are_reported_later_and_cancelled_ones_at_once() -> None:
    world = World()
    world.works(0, HOUR, 2 * HOUR)
    world.crm(HOUR + MIN)
    world.works(90 * MIN, HOUR, 4 * HOUR, "CHANGED")
    world.crm(3 * HOUR, 2)
    world.until(4 * HOUR + GRACE - S)
    assert world.reports == []
    world.until(6 * HOUR)
    assert world.reports == [(iso(T0 + 4 * HOUR + GRACE), "FIRING", 2)]
    other = World()
    other.works(0, HOUR, 9 * HOUR)
    other.crm(HOUR + MIN)
    other.works(2 * HOUR, HOUR, 9 * HOUR, "CANCELLED")
    other.crm(3 * HOUR, 2)
    other.until(4 * HOUR)
    assert other.reports == [(iso(T0 + 2 * HOUR), "FIRING", 1)]
    assert [a["told"] for a in other.alerts] == ["FIRING"]


def test_works_that_are_prolonged_after_their_report_are_reported_once_more() -> None:
    world = World()
    world.works(0, HOUR, 2 * HOUR)
    world.crm(HOUR + MIN)
    world.until(2 * HOUR + GRACE + S)
    assert [status for _, status, _ in world.reports] == ["FIRING"]
    world.works(2 * HOUR + GRACE + MIN, HOUR, 5 * HOUR, "CHANGED")
    world.crm(4 * HOUR, 2)
    world.until(7 * HOUR)
    assert [(status, count) for _, status, count in world.reports] == [("FIRING", 1), ("FIRING", 2)]


def test_works_of_which_only_the_title_changes_after_their_report_are_not_reported_again() -> None:
    world = World()
    world.works(0, HOUR, 2 * HOUR)
    world.crm(HOUR + MIN)
    world.until(3 * HOUR)
    world.works(3 * HOUR, HOUR, 2 * HOUR, "CHANGED", title={"zh": "HLR割接二期"})
    world.until(5 * HOUR)
    assert [status for _, status, _ in world.reports] == ["FIRING"]
    world.hlr(6 * HOUR)
    world.until(7 * HOUR)
    assert [status for _, status, _ in world.reports] == ["FIRING", "RESOLVED"]
    assert world.of("alert")[-1]["summary"].startswith("HLR割接二期收尾报告")


def test_works_that_do_not_go_on_after_all_are_reported_at_once() -> None:
    world = World()
    world.works(0, HOUR, 2 * HOUR)
    world.until(3 * HOUR)
    world.works(3 * HOUR, HOUR, 9 * HOUR, "CHANGED")
    world.works(4 * HOUR, HOUR, 2 * HOUR, "CHANGED")
    world.until(20 * HOUR)
    assert [at for at, _, _ in world.reports] == [iso(T0 + 2 * HOUR + GRACE), iso(T0 + 4 * HOUR)]


def test_works_are_forgotten_when_nothing_of_theirs_is_open_any_more() -> None:
    world, key = World(), "~closing/w-1"
    world.works(0, HOUR, 2 * HOUR)
    world.crm(HOUR + MIN)
    world.until(KEPT + 3 * HOUR)
    assert key in world.replay.worlds[0].records  # its end is still to be told
    world.hlr(KEPT + 4 * HOUR)
    world.until(KEPT + 5 * HOUR)
    assert world.reports[-1][1:] == ("RESOLVED", 1)
    told = len(world.reports)
    world.until(2 * KEPT + 5 * HOUR)
    assert world.replay.worlds[0].records.get(key) is None
    assert not [customer for customer, _ in world.replay.worlds[0].armed if customer == key]
    world.works(2 * KEPT + 6 * HOUR, HOUR, 2 * HOUR, "CHANGED")  # told much too late
    world.until(2 * KEPT + 7 * HOUR)
    assert len(world.reports) == told


@pytest.mark.parametrize("partitions", [1, 4])
def test_works_cancelled_by_a_copy_of_the_line_that_planned_them_collect_nothing(partitions: int) -> None:
    world = World()
    world.replay = Replay(load_checks(), partitions=partitions)
    repeats = [("PLANNED", "p"), ("CANCELLED", "c"), ("PLANNED", "p")]
    for action, event_id in [*repeats, ("CANCELLED", "c")]:
        world.works(0, HOUR, 9 * DAY, action, event_id=event_id)
    for n in range(8):
        world.crm(2 * HOUR, n)
    world.until(3 * HOUR)
    assert {a["count"] for a in world.alerts} == {8}
    assert world.reports == [(iso(T0), "RESOLVED", 0)]
    for day in (1, 8):  # and when what was told of them is read once more
        world.until(day * DAY)
        for action, event_id in repeats:
            world.works(0, HOUR, 9 * DAY, action, event_id=event_id)
    world.crm(8 * DAY + HOUR, 9)
    world.until(20 * DAY)
    assert world.alerts[-1]["count"] == 9
    assert len(world.reports) == 1


def test_a_cancelled_record_of_closed_works_is_still_the_newest() -> None:
    world = World()
    world.works(0, HOUR, 2 * HOUR)
    world.until(3 * HOUR)
    world.works(3 * HOUR, HOUR, 2 * HOUR, "CANCELLED")
    world.works(2 * HOUR, HOUR, 5 * HOUR, "CHANGED")  # late
    world.until(9 * HOUR)
    assert len(world.reports) == 1


def test_works_that_are_forgotten_for_want_of_room_are_counted() -> None:
    counted = Counted()
    world = World()
    world.replay = Replay(load_checks(), counts=counted)
    for n in range(MOST_WINDOWS + 2):
        world.works(n, HOUR, 3 * HOUR, cutover_id=f"w-{n}")
    assert counted.counts["yupan_works_dropped",] == 2


def test_drift_of_works_is_not_repaired_by_itself() -> None:
    world = World(activation="on")
    world.works(0, HOUR, 3 * HOUR)
    world.crm(2 * HOUR)
    world.crm(4 * HOUR, 2)
    world.until(6 * HOUR)
    assert [line["msisdn"] for line in world.of("repair")] == [number(2)]


def test_any_window_is_balanced() -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    world = World()
    world.works(0, HOUR, 5 * HOUR, regions=["a", "b"])
    inside = opened = 0
    events = []
    for n in range(150):
        at, region = chance.randrange(6 * HOUR), chance.choice("abc")
        heals = chance.choice((None, 5 * MIN, 2 * HOUR))
        events.append((at, n, region, True))
        if heals is not None:
            events.append((at + heals, n, region, False))
        mine = HOUR <= at <= 5 * HOUR and region != "c"
        inside += mine and heals != 5 * MIN
        opened += mine and heals is None
    for at, n, region, begins in sorted(events):
        (world.crm if begins else world.hlr)(at, n, region=region)
    world.until(12 * HOUR)
    assert world.reports[0][2] == inside, seed
    assert (world.reports[-1][1] == "FIRING") is (opened > 0), seed


# --- full exports


def test_what_an_export_shows_has_the_cause_cutover() -> None:
    world = World()
    world.crm(0, 1)
    world.hlr(S, 1)
    world.crm(0, 2)
    world.hlr(S, 2)
    world.hlr(HOUR, 1, "active", reason="snapshot")  # it has changed without telling
    world.hlr(HOUR, 2, "barred", reason="snapshot")
    world.until(3 * HOUR)
    (opened,) = world.of("anomaly")
    assert (opened["msisdn"], opened["at"]) == (number(1), iso(T0 + HOUR + 10 * MIN))
    (alert,) = world.alerts
    assert alert["cause_code"] == "cutover"
    world.hlr(4 * HOUR, 1, "absent")  # other evidence, the same cause
    assert len(world.alerts) == 1
    world.hlr(5 * HOUR, 1)
    world.until(6 * HOUR)
    assert [a["told"] for a in world.alerts] == ["FIRING", "RESOLVED"]


def test_what_was_told_after_the_export_was_taken_counts_more() -> None:
    world = World()
    world.crm(2 * HOUR)
    world.hlr(2 * HOUR + S)
    world.hlr(HOUR, value="active", reason="snapshot")
    world.until(5 * HOUR)
    assert world.of("anomaly") == []


def test_a_baseline_of_one_system_waits_for_the_other() -> None:
    world = World()
    world.crm(0, reason="snapshot")
    world.hlr(0, reason="snapshot")
    world.crm(0, 2, reason="snapshot")
    world.until(HOUR)
    assert [line["msisdn"] for line in world.of("anomaly")] == [number(2)]
    assert world.alerts[0]["cause_code"] == "cutover"
