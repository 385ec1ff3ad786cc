"""Repair while something else changes: works begin, or the check's file says another time limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agents.rules import Check
from schemas.fields import iso
from tests.agents.worlds import ANNA, MIN, NOON, World, check


def repaired(**changes: Any) -> Check:
    made = check("activation")
    assert made.repair is not None
    return replace(made, repair=replace(made.repair, mode="on", **changes))


def test_nothing_is_sent_into_works_of_which_it_has_become_part() -> None:
    world = World(repaired(per_minute=1))
    numbers = [f"86138{n:08}" for n in range(40)]
    for whose in numbers:
        world.state(0, "crm.status", "active", whose)
    span = {"starts_at": iso(NOON + 15 * MIN), "ends_at": iso(NOON + 200 * MIN)}
    said = {"cutover_id": "w1", "systems": ["hlr"], "regions": [], "action": "PLANNED", **span}
    world.feed("yupan.cutover.v1", 5, title={"en": "HLR works", "zh": "HLR割接"}, **said)
    world.until(16)
    world.state(17, "crm.status", "suspended", numbers[35])  # it begins anew, in the window, before its slot
    world.until(60)
    assert {line["msisdn"] for line in world.of("repair")} == set(numbers) - {numbers[35]}


def test_an_answer_is_not_dated_by_a_time_limit_that_was_changed_meanwhile() -> None:
    world = World(repaired(within=30 * MIN))
    world.state(0, "crm.status", "active")
    world.state(0.5, "hlr.status", "barred")
    world.until(11)
    world.load(repaired(within=1 * MIN))
    repair_id = world.of("repair")[0]["repair_id"]
    world.feed("yupan.repair-result.v1", 12, repair_id=repair_id, msisdn=ANNA, outcome="REFUSED")
    world.state(13, "hlr.status", "active")
    assert [(at, status) for at, status, _ in world.told][2:] == [(12, "OPEN"), (13, "RESOLVED")]
