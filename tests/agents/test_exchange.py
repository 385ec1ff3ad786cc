"""Checks that are exchanged while they wait: for others of another kind or about other systems, or for none."""

from __future__ import annotations

import gc
import random
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.kinds.agree import Agree
from agents.kinds.follow import Follow
from agents.kinds.match import Match
from agents.kinds.rate import Bounds, Rate
from agents.kinds.streak import Streak
from agents.rules import SHIPPED, Check, changes, load_checks
from tests.agents.worlds import ANNA, World, check

NAME = "odd"
RULES: dict[str, Any] = {
    "agree": Agree(NAME, 600_000, ("crm.status", "hlr.status"), [("active", "active"), ("suspended", "barred")]),
    "agree elsewhere": Agree(NAME, 600_000, ("crm.status", "smsc.status"), [("active", "active")]),
    "agree of each": Agree(NAME, 600_000, ("crm.subscription.PRODUCT", "vas.subscription.PRODUCT")),
    "follow": Follow(NAME, 600_000, ("crm.status", "active"), {"hlr.status": "active"}),
    "match": Match(NAME, 600_000, "crm.charge", "ocs.charge", two_sided=True),
    "streak": Streak(NAME, 600_000, "CALL_ATTEMPT", 3, 3_600_000),
    "rate": None,
}


def rule(name: str) -> Check:
    """A check of this rule, always of the same id."""
    made = RULES[name] or load_checks(deadlines={"network-connect-rate": 300_000}).by_id["network-connect-rate"].rule
    texts = {"cause": {"zh": "{hlr.status}", "en": "{hlr.status}"}}
    return check("activation", id=NAME, kind=name.partition(" ")[0], rule=made, cases=(), repair=None, **texts)


def all_happens(world: World, at: float) -> None:
    """Something that each of these rules opens an anomaly about."""
    world.state(at, "crm.status", "active", region="nanchang")
    world.state(at, "crm.subscription.volte", True)
    world.state(at, "crm.charge", 12.5, transaction="t-1")
    for second in range(3):
        world.fail(at + second / 60)
    world.cell(at + 0.1, 0, 60)


@pytest.mark.parametrize("after", RULES)
@pytest.mark.parametrize("before", RULES)
def test_a_check_of_another_shape_withdraws_what_the_old_one_has_open(before: str, after: str) -> None:
    world = World(rule(before))
    all_happens(world, 0)
    world.until(15)
    opened = {line["anomaly_id"] for line in world.of("anomaly")}
    assert opened
    world.load(rule(after))
    world.state(20, "crm.status", "suspended")
    world.state(20, "crm.subscription.volte", False)
    world.state(20, "ocs.charge", 1.0, transaction="t-2")
    world.fail(20, msisdn=ANNA)
    world.cell(20.1, 60, 0)
    withdrawn = {line["anomaly_id"]: line for line in world.of("anomaly") if line["reason"] == "check_changed"}
    if before == after:
        assert not withdrawn
        return
    area = before == "rate"
    if area:  # nothing of a cell is met by a rule about customers: a person ends it
        (anomaly_id,) = opened
        world.order(25, "WITHDRAW", anomaly_id, msisdn=None)
        withdrawn = {line["anomaly_id"]: line for line in world.of("anomaly") if line["reason"] == "check_changed"}
    if after == "rate":
        for number, anomaly_id in enumerate(sorted(opened)):
            world.order(25 + number, "WITHDRAW", anomaly_id)
        withdrawn = {line["anomaly_id"]: line for line in world.of("anomaly") if line["reason"] == "check_changed"}
    assert withdrawn.keys() == opened
    assert {line["status"] for line in withdrawn.values()} == {"WITHDRAWN"}
    gone = [line for line in world.of("reminder") if line.get("withdrawn") == "WITHDRAWN: check_changed"]
    assert len(gone) == (0 if area else len(opened))


def test_what_only_waits_is_dropped_at_its_deadline_and_opens_nothing() -> None:
    world = World(rule("match"))
    world.state(0, "crm.charge", 5.0, transaction="t-1")
    world.load(rule("agree"))
    world.until(60)
    assert world.lines == []
    assert world.record(f"waits/{ANNA}") is None


def test_the_new_rule_judges_the_event_that_met_the_old_wait() -> None:
    world = World(rule("agree"))
    world.state(0, "crm.status", "active")
    world.until(11)
    world.load(rule("agree elsewhere"))
    world.state(12, "smsc.status", "blocked")
    world.until(40)
    assert world.told == [
        (10, "OPEN", "deadline_passed"),
        (12, "WITHDRAWN", "check_changed"),
    ]  # blocked is no word of the new mapping
    world.state(41, "smsc.status", "active")
    world.state(42, "crm.status", "active")
    world.until(60)
    assert len(world.told) == 2


def test_a_mapping_a_deadline_or_texts_leave_what_is_open_as_it_is() -> None:
    world = World(rule("agree"))
    world.state(0, "crm.status", "active")
    world.until(11)
    shorter = Agree(NAME, 60_000, ("crm.status", "hlr.status"), [("active", "active"), ("active", "barred")])
    world.load(check("activation", id=NAME, rule=shorter, cases=(), severity="CRITICAL"))
    world.state(20, "hlr.status", "barred")
    assert world.told[1:] == [(20, "RESOLVED", "agrees_again")]


def test_a_wait_of_before_shapes_were_kept_is_known_by_what_it_holds() -> None:
    world = World(rule("match"))
    world.state(0, "crm.charge", 5.0, transaction="t-1")
    world.until(20)
    key = f"waits/{ANNA}"
    old = {"v": 1, "waits": world.record(key)["waits"]}
    world.replay.worlds[0].records[key] = old
    world.state(21, "ocs.charge", 5.0, transaction="t-1")
    assert world.told[1:] == [(21, "RESOLVED", "amounts_match")]
    world.replay.worlds[0].records[key] = old
    world.load(rule("agree"))
    world.state(30, "crm.status", "active")
    assert world.told[2:] == [(30, "WITHDRAWN", "check_changed")]


def test_what_is_withdrawn_leaves_its_incident() -> None:
    world = World(rule("agree"))
    world.state(0, "crm.status", "active", region="nanchang")
    world.until(15)
    world.load(rule("follow"), check("calls"))
    world.state(20, "crm.status", "suspended")
    world.until(40)
    assert [line["told"] for line in world.of("alert")] == ["FIRING", "RESOLVED"]


def test_what_opened_in_shadow_is_dropped_in_silence() -> None:
    world = World(replace(rule("match"), mode="shadow"))
    world.state(0, "crm.charge", 5.0, transaction="t-1")
    world.until(20)
    world.load(rule("agree"))
    world.state(30, "crm.status", "suspended")
    assert world.silent == [(15 - 5, "OPEN"), (30, "WITHDRAWN")]
    assert world.told == []


def test_a_rate_of_cells_that_becomes_one_of_regions() -> None:
    rate = check("network-connect-rate")
    assert isinstance(rate.rule, Rate)
    world = World(rate)
    world.cell(0.1, 0, 60)
    world.until(3)
    by_region = Rate(rate.id, 300_000, "CALL_ATTEMPT", "region", Bounds(0.9, 0.92, 50))
    world.load(check("network-connect-rate", rule=by_region))
    world.until(9)
    assert [(at, status) for at, status, _ in world.told] == [(2, "OPEN"), (3, "WITHDRAWN")]


def test_any_exchange_of_any_rules_decides_without_an_error_and_leaves_nothing_open() -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    world, at = World(rule("agree")), 0.0
    for _ in range(1_200):
        at += chance.randrange(20)
        if chance.random() < 0.05:
            world.load(*([] if chance.random() < 0.2 else [rule(chance.choice(list(RULES)))]))
        what = chance.choice(("crm.status", "hlr.status", "smsc.status", "crm.subscription.a", "vas.subscription.a"))
        if chance.random() < 0.6:
            words = (True, False) if "subscription" in what else ("active", "suspended")
            world.state(at, what, chance.choice(words))
        elif chance.random() < 0.5:
            side = chance.choice(("crm.charge", "ocs.charge"))
            world.state(at, side, float(chance.randrange(3)), transaction=f"t{chance.randrange(9)}")
        else:
            world.fail(at, chance.choice(("OK", "FAILED")))
    world.load(rule("streak"))  # whatever is of another kind is withdrawn when it is met
    world.fail(at + 1)
    world.fail(at + 2, "OK")
    world.until(at + 5_000)
    last = {line["anomaly_id"]: line["status"] for line in world.of("anomaly")}
    assert len(last) > 5, seed
    assert set(last.values()) <= {"RESOLVED", "WITHDRAWN"}, seed


# --- what has changed


def own(directory: Path, text: str, name: str = "mine") -> Path:
    (directory / f"{name}.yaml").write_text(text, "utf-8")
    return directory


def test_it_is_told_which_were_added_changed_and_removed(tmp_path: Path) -> None:
    text = (SHIPPED / "activation.yaml").read_text("utf-8")
    before = load_checks([own(tmp_path, text.replace("id: activation", "id: activation.mine"))])
    assert changes(before, load_checks([tmp_path])) == ((), (), ())
    assert str(changes(before, load_checks([tmp_path]))) == "nothing is different"
    moved = load_checks([own(tmp_path, f"# a remark\n{text}")])  # in the place of ours
    assert changes(before, moved) == ((), (), ("activation.mine",))
    own(tmp_path, text.replace("id: activation", "id: activation.new"), "other")
    after = load_checks([own(tmp_path, f"mode: shadow\n{text}")])
    assert str(changes(before, after)) == "added activation.new; changed activation; removed activation.mine"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("within: 10 min", "within: 11 min"),
        ("severity: MAJOR", "severity: MINOR"),
        ("[closed, absent]", "[closed, barred]"),
        ("command: set_status", "command: set"),
    ],
)
def test_whatever_decides_or_speaks_otherwise_is_a_change(tmp_path: Path, old: str, new: str) -> None:
    text = (SHIPPED / "activation.yaml").read_text("utf-8")
    assert old in text
    after = load_checks([own(tmp_path, text.replace(old, new, 1))])
    assert changes(load_checks(), after) == ((), ("activation",), ())


def test_settings_change_checks_too() -> None:
    before = load_checks()
    assert changes(before, load_checks(deadlines={"calls": 60_000})).changed == ("calls",)
    assert changes(before, load_checks(repairs={"activation": "on"})).changed == ("activation",)


def test_reading_files_leaves_no_cycles() -> None:
    """Neither, as above, may what was only needed to read them."""
    load_checks()  # what is made once stays
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        load_checks()
        gc.collect()
        left = {type(one).__module__ for one in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not [module for module in left if module.startswith(("yaml", "agents"))]


def test_a_set_that_was_replaced_goes_at_once() -> None:
    """A worker sets aside what survives a look: a cycle would stay there for ever."""
    gc.disable()
    try:
        world = World(rule("agree"))
        gone = weakref.ref(world.replay.conclusions.checks.rules["odd"])
        world.state(0, "crm.status", "active")
        RULES["agree"], kept = None, RULES["agree"]
        world.load(check("calls"))
        RULES["agree"] = kept
        watched = weakref.ref(world.replay.conclusions.checks)
        world.fail(1)
        world.load(rule("agree"))
        assert watched() is None
        assert gone() is kept
    finally:
        gc.enable()
