"""What is open of a check that was exchanged or taken away is judged again, or ended by a person."""

from __future__ import annotations

import pytest

from agents.kinds.agree import Agree
from agents.kinds.match import Match
from agents.replay import Replay
from agents.rules import Check, load_checks
from tests.agents.test_exchange import NAME, rule
from tests.agents.worlds import ANNA, MIN, World, check

AGREES = {"active": "active", "suspended": "barred"}


def mapped(*rows: tuple[str, str]) -> Check:
    made = Agree(NAME, 600_000, ("crm.status", "hlr.status"), rows)
    return check("activation", id=NAME, rule=made, cases=(), repair=None)


def test_a_mapping_that_is_corrected_withdraws_what_it_had_opened() -> None:
    world = World(mapped(("active", "active"), ("suspended", "barred_outgoing"), ("active", "barred")))
    numbers = [f"86138{n:08}" for n in range(5)]
    for number in numbers:
        world.state(0, "crm.status", "suspended", number)
        world.state(1, "hlr.status", "barred", number)
    world.until(15)
    world.load(mapped(*AGREES.items()))
    world.until(80)
    ended = [(line["status"], line["reason"]) for line in world.of("anomaly")[5:]]
    assert ended == [("WITHDRAWN", "check_changed")] * 5
    assert [line["told"] for line in world.of("alert")] == ["FIRING", "RESOLVED"]
    assert not world.replay.worlds[0].records.get(f"reminders/{numbers[0]}")
    assert not [name for _, name in world.replay.worlds[0].armed if name.startswith("again/")]


def test_a_mapping_that_says_something_else_changes_the_evidence_and_the_cause() -> None:
    three = ("crm.network_type", "sacp.network_type", "hlr.network_type")

    def three_of(*rows: tuple[str, ...]) -> Check:
        rule = Agree(NAME, 600_000, three, rows)
        return check("sacp-signing", id=NAME, rule=rule, cases=(), repair=None)

    world = World(three_of(("5g", "5g", "4g"), ("4g", "4g", "5g")))
    for name in three:
        world.state(0, name, "5g")
    world.until(15)
    assert world.of("alert")[0]["cause_code"] == "hlr.network_type.differs"
    world.load(three_of(("5g", "4g", "5g"), ("4g", "5g", "4g")))
    world.until(80)
    assert {line["cause_code"]: line["told"] for line in world.of("alert")} == {
        "hlr.network_type.differs": "RESOLVED",
        "sacp.network_type.differs": "FIRING",
    }
    assert len(world.told) == 1


@pytest.mark.parametrize("hours", [0, 30])
def test_what_the_systems_settled_while_the_check_was_away_is_resolved_when_it_is_back(hours: int) -> None:
    world = World(check("activation"))
    world.state(0, "crm.status", "active")
    world.until(15)
    world.load(check("calls"))
    world.state(30, "hlr.status", "active")
    world.until(40 + hours * 60)
    assert len(world.told) == 1
    world.load(check("activation"))
    world.until(110 + hours * 60)
    assert [(status, reason) for _, status, reason in world.told[1:]] == [("RESOLVED", "agrees_by_now")]
    assert world.of("anomaly")[1]["evidence"]["hlr.status"] == "active"


def test_what_changed_while_the_check_was_away_is_told_when_it_is_back() -> None:
    world = World(check("activation"))
    world.state(0, "crm.status", "active")
    world.until(15)
    world.load()
    world.state(30, "hlr.status", "barred")
    world.load(check("activation"))
    world.until(80)
    assert len(world.told) == 1
    (changed,) = world.of("evidence")
    assert changed["evidence"]["hlr.status"] == "barred"
    world.state(90, "hlr.status", "active")
    assert world.told[1][1:] == ("RESOLVED", "agrees_again")


def test_a_streak_that_was_over_while_its_check_was_away_is_withdrawn_when_it_is_back() -> None:
    world = World(check("calls"))
    for number in range(3):
        world.fail(number)
    world.load()
    world.until(30 * 60)
    world.load(check("calls"))
    world.until(32 * 60)
    assert [(status, reason) for _, status, reason in world.told[1:]] == [("WITHDRAWN", "no_attempts")]


def test_a_rule_of_another_shape_ends_what_is_open_without_an_event() -> None:
    world = World(rule("match"))
    world.state(0, "crm.charge", 5.0, transaction="t-1")
    world.until(15)
    world.load(rule("agree"))
    world.until(80)
    assert [(status, reason) for _, status, reason in world.told[1:]] == [("WITHDRAWN", "check_changed")]


def test_what_a_person_has_withdrawn_is_not_judged_again() -> None:
    world = World(check("activation"))
    world.state(0, "crm.status", "active")
    world.until(15)
    world.order(16, "WITHDRAW", world.of("anomaly")[0]["anomaly_id"])
    world.until(300)
    assert [status for _, status, _ in world.told] == ["OPEN", "WITHDRAWN"]


def test_where_checks_are_never_exchanged_nothing_is_asked_again() -> None:
    replay = Replay(load_checks())
    world = World()
    world.replay = replay
    world.state(0, "crm.status", "active")
    world.until(15)
    assert world.told
    assert not replay.worlds[0].armed.keys() & {(ANNA, "again/activation")}


# --- a person ends what no check does any more


@pytest.mark.parametrize("is_off", [True, False], ids=["off", "gone"])
def test_what_is_open_of_a_check_that_is_away_can_be_withdrawn(is_off: bool) -> None:
    world = World(check("activation"))
    world.state(0, "crm.status", "active", region="nanchang")
    world.until(15)
    (anomaly,) = world.of("anomaly")
    world.load(*([check("activation", mode="off")] if is_off else []))
    world.order(20, "ACKNOWLEDGE", anomaly["anomaly_id"])
    world.order(21, "WITHDRAW", anomaly["anomaly_id"])
    world.until(200)
    assert world.told[1:] == [(21, "WITHDRAWN", "withdrawn by 1001")]
    assert world.of("reminder")[-1]["withdrawn"] == "WITHDRAWN: withdrawn by 1001"
    assert [line["told"] for line in world.of("alert")] == ["FIRING", "RESOLVED"]
    world.load(check("activation"))
    world.state(220, "crm.status", "suspended")
    world.until(240)
    assert world.told[2][:2] == (230, "OPEN")


@pytest.mark.parametrize("is_off", [True, False], ids=["off", "gone"])
def test_the_anomaly_of_a_cell_whose_check_is_away_can_be_withdrawn(is_off: bool) -> None:
    world = World(check("network-connect-rate"))
    world.cell(0.1, 0, 60)
    world.until(3)
    (anomaly,) = world.of("anomaly")
    world.load(*([check("network-connect-rate", mode="off")] if is_off else []))
    world.order(5, "WITHDRAW", anomaly["anomaly_id"], msisdn=None)
    world.until(10)
    assert world.told[1:] == [(5, "WITHDRAWN", "withdrawn by 1001")]
    assert [line["told"] for line in world.of("alert")] == ["FIRING", "RESOLVED"]


def of_products(*products: str) -> Check:
    systems = ("crm.subscription.PRODUCT", "hlr.service.PRODUCT")
    return check("subscription.network", repair=None, cases=(), rule=Agree("x", 600_000, systems, (), products))


def test_a_product_that_the_file_names_no_more_is_left_alone() -> None:
    world = World(of_products("volte", "roaming"))
    world.state(0, "crm.subscription.roaming", True)
    world.state(15, "crm.subscription.roaming", True, "8613900139000")
    world.until(16)
    world.load(of_products("volte"))
    world.until(300)
    assert [line["msisdn"] for line in world.of("anomaly")] == [ANNA, ANNA]
    assert [told[1:] for told in world.told] == [("OPEN", "deadline_passed"), ("WITHDRAWN", "check_changed")]
    assert [line["told"] for line in world.of("alert")] == ["FIRING", "RESOLVED"]


def gift(*, two_sided: bool) -> Check:
    rule = Match("gift", 15 * MIN, "crm.gift", "ocs.gift", two_sided=two_sided)
    return check("gift", repair=None, cases=(), rule=rule)


@pytest.mark.parametrize("reloaded_at", [5, 16])
def test_what_was_given_is_known_when_it_is_no_matter_any_more(reloaded_at: int) -> None:
    world = World(gift(two_sided=True))
    world.state(0, "ocs.gift", 10.0, transaction="t-1")
    world.until(reloaded_at)
    world.load(gift(two_sided=False))
    world.until(100)
    before = len(world.told)
    world.state(110, "crm.gift", 10.0, transaction="t-1")
    world.until(300)
    assert before == (0 if reloaded_at == 5 else 2)
    assert len(world.told) == before
    assert not [name for _, name in world.replay.worlds[0].armed if name.startswith("again/")]


@pytest.mark.parametrize("away", [False, True])
def test_what_was_retracted_is_withdrawn_whether_the_check_was_away_or_not(away: bool) -> None:
    world = World(check("opening", repair=None))
    world.state(0, "order.opening", "completed")
    world.until(20)
    if away:
        world.load(check("opening", repair=None, mode="off"))
    world.state(30, "order.opening", "cancelled")
    world.until(40)
    world.load(check("opening", repair=None))
    world.until(200)
    assert [status for _, status, _ in world.told] == ["OPEN", "WITHDRAWN"]
