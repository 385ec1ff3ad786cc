"""Which incident or works an anomaly is part of, and that each counts it once, however often it comes and goes."""

from __future__ import annotations

from agents.incident import Alerting
from agents.joining import MOST_JOINED, Group, entered
from agents.waiting import Open
from schemas.fields import iso
from tests.agents.worlds import ANNA, MIN, NOON, World, check, minute

BERT, CARL = "8613900139000", "8613700137000"


def activation(**alerting: bool) -> World:
    return World(check("activation", repair=None, alert=Alerting(**alerting)))


def works(world: World, minute_told: float, starts: int, ends: int) -> None:
    span = {"starts_at": iso(NOON + starts * MIN), "ends_at": iso(NOON + ends * MIN)}
    title = {"en": "HLR works", "zh": "HLR割接"}
    said = {"cutover_id": "w1", "systems": ["hlr"], "regions": [], "title": title, "action": "PLANNED", **span}
    world.feed("yupan.cutover.v1", minute_told, **said)


def alerts(world: World) -> list[tuple[float, str, str | None, int]]:
    return [(round(minute(a), 2), a["told"], a["region"], a["count"]) for a in world.of("alert")]


def test_a_cause_that_comes_and_goes_is_one_anomaly_of_each_incident() -> None:
    world = activation()
    world.state(0, "crm.status", "active")
    world.state(1, "hlr.status", "barred")
    world.until(12)
    for number in range(8):
        world.state(20 + number / 10, "hlr.status", None if number % 2 == 0 else "barred")
    world.until(60)
    assert {count for *_, count in alerts(world)} == {1}


def test_it_stays_in_the_incident_that_it_joined_when_the_file_says_another() -> None:
    world = activation()
    world.state(0, "crm.status", "active", region="Beijing")
    world.until(20)
    world.load(check("activation", repair=None, alert=Alerting(by_region=False)))
    world.state(20, "crm.status", "active", BERT, region="Beijing")
    world.until(35)
    world.state(40, "hlr.status", "active")
    world.until(90)
    assert alerts(world) == [
        (10.17, "FIRING", "Beijing", 1),
        (30.17, "FIRING", None, 1),
        (40.17, "RESOLVED", "Beijing", 1),
    ]
    world.load(check("activation", repair=None))
    world.state(95, "hlr.status", "active", BERT)
    world.until(48 * 60)
    assert alerts(world)[3:] == [(95.17, "RESOLVED", None, 1)]


def test_what_is_withdrawn_without_a_file_leaves_the_incident_that_it_joined() -> None:
    world = activation(by_region=False)
    world.state(0, "crm.status", "active", region="Beijing")
    world.until(20)
    world.load()
    world.order(30, "WITHDRAW", world.of("anomaly")[0]["anomaly_id"])
    world.until(60)
    assert alerts(world) == [(10.17, "FIRING", None, 1), (30.17, "RESOLVED", None, 1)]


def test_what_goes_on_beyond_works_is_not_healed_by_them() -> None:
    world = activation()
    works(world, -5, 0, 30)
    world.state(5, "crm.status", "suspended")
    world.until(20)
    world.state(35, "crm.status", "active")  # after the works another value, which the HLR does not follow either
    world.until(200)
    report = world.of("alert")[-1]
    assert (report["told"], report["count"]) == ("RESOLVED", 0)
    assert "新增差异 0 项，已恢复 0 项" in report["summary"]


def test_works_count_what_was_open_before_them_and_drifts_anew_in_their_window() -> None:
    world = activation()
    for whose in (ANNA, BERT, CARL):
        world.state(0, "crm.status", "active", whose)
    world.until(12)
    works(world, 13, 20, 59)
    for whose in (ANNA, BERT, CARL):
        world.state(14, "hlr.status", "active", whose)
    for number, whose in enumerate((ANNA, BERT, CARL)):
        world.state(21 + 12 * number, "hlr.status", "barred", whose)
        world.until(32 + 12 * number)
        world.state(32.5 + 12 * number, "hlr.status", "active", whose)
    world.until(300)
    assert "新增差异 3 项，已恢复 3 项" in world.of("alert")[-1]["summary"]


def test_so_many_are_remembered_the_last_ones() -> None:
    anomaly: Open = {"id": "a", "opened_at": 1, "evidence": {}, "cause_code": "", "joined": {}}
    before = None
    for number in [*range(20), 15]:
        after = Group({**anomaly, "cause_code": f"c-{number}"}, None)
        entry = entered(before, after)
        assert entry is not None
        anomaly, before = entry, after
    assert len(anomaly["joined"]) == MOST_JOINED
    assert list(anomaly["joined"].values()) == [1] * (MOST_JOINED - 1) + [2]
    assert entered(before, Group(anomaly, None)) is None
