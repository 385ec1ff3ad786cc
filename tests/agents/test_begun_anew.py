"""What goes wrong anew is dated by that: works and exports of before have nothing to do with it."""

from __future__ import annotations

from tests.agents.test_cutovers import HOUR, MIN, STATE, World, number


def charge(world: World, system: str, at: int, amount: float = 50.0) -> None:
    told = {"attribute": "charge", "value": amount, "transaction": "t-1"}
    world.tell(STATE, at, msisdn=number(1), system=system, **told)


def test_a_transaction_that_was_settled_is_dated_by_what_goes_wrong_then() -> None:
    world = World()
    world.works(0, HOUR, 2 * HOUR, systems=["ocs"])
    charge(world, "crm", 30 * MIN)
    charge(world, "ocs", 31 * MIN)
    charge(world, "ocs", 90 * MIN)  # twice, in the window
    world.until(4 * HOUR)
    assert [(status, count) for _, status, count in world.reports] == [("FIRING", 1)]
    assert world.alerts == []


def test_a_transaction_of_the_window_that_goes_wrong_later_is_no_part_of_the_works() -> None:
    world = World()
    world.works(0, HOUR, 2 * HOUR, systems=["ocs"])
    charge(world, "crm", 80 * MIN)
    charge(world, "ocs", 81 * MIN)
    charge(world, "ocs", 9 * HOUR)
    world.until(10 * HOUR)
    assert [(status, count) for _, status, count in world.reports] == [("RESOLVED", 0)]
    assert [(a["check"], a["told"]) for a in world.alerts] == [("charging", "FIRING")]


def test_a_new_value_of_the_reference_after_the_works_is_no_longer_part_of_them() -> None:
    world = World()
    world.works(0, HOUR, 2 * HOUR)
    world.crm(70 * MIN)
    world.crm(80 * MIN, value="active")  # still in the window
    world.until(9 * HOUR)
    assert world.alerts == []
    world.crm(9 * HOUR + MIN)
    world.until(10 * HOUR)
    assert [(a["check"], a["told"], a["cause_code"]) for a in world.alerts] == [
        ("activation", "FIRING", "hlr.status.missing")
    ]


def test_what_an_export_has_shown_becomes_a_fault_when_the_reference_changes_live() -> None:
    world = World()
    world.crm(0, value="active")
    world.hlr(MIN, value="active")
    world.crm(HOUR, reason="snapshot")
    world.until(2 * HOUR)
    world.crm(3 * HOUR, value="half_suspended", reason="snapshot")
    assert [a["cause_code"] for a in world.alerts] == ["cutover"]
    world.crm(10 * HOUR)
    world.until(11 * HOUR)
    assert [(a["told"], a["cause_code"]) for a in world.alerts[1:]] == [
        ("RESOLVED", "cutover"),
        ("FIRING", "hlr.status.differs"),
    ]
    assert len({line["anomaly_id"] for line in world.of("anomaly") if line["check"] == "activation"}) == 1
