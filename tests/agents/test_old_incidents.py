"""Which incidents are history: those of which all was too old to act when the broker got it."""

from __future__ import annotations

from typing import Any

import pytest

from agents.incident import Alerting, fall_due, graver, is_old, joined
from tests.agents.worlds import NOON, World, check

S, MIN = 1_000, 60_000
ALERTING = Alerting()


def told(at: int, severity: str = "MAJOR", *, old: bool | None = False) -> dict[str, Any]:
    named = {"check": "activation", "cause_code": "hlr.status.missing", "example": None, "again": False, "was": "MAJOR"}
    return {**named, "severity": severity, "old": old, "occurred_at": NOON + at}


def test_what_is_new_makes_it_news_and_is_told() -> None:
    first = joined(None, told(0, old=True), "e1", ALERTING).incident
    assert first is not None
    fires = fall_due(first, NOON + 10 * S, ALERTING)
    assert fires.incident is not None
    assert (fires.tell, is_old(fires.incident)) == ("FIRING", True)
    many = fires.incident
    for second in range(20, 23):  # from one to four: twice as many, once more twice as many
        grown = joined(many, told(second * S, old=True), "e2", ALERTING)
        assert grown.incident is not None
        many = grown.incident
    assert is_old(many)
    news = joined(many, told(MIN), "e3", ALERTING)
    assert news.incident is not None
    assert (news.tell, is_old(news.incident)) == ("FIRING", False)  # though five are not twice four
    later = joined(news.incident, told(2 * MIN, old=True), "e4", ALERTING)
    assert later.incident is not None
    assert (later.tell, is_old(later.incident)) == (None, False)


def test_what_an_earlier_version_has_counted_is_news() -> None:
    known = joined(None, told(0, old=None), "e1", ALERTING).incident
    assert known is not None
    assert not is_old(known)


def test_a_repair_that_fails_now_makes_old_drift_news() -> None:
    incident = joined(None, told(0, old=True), "e1", ALERTING).incident
    assert incident is not None
    fires = fall_due(incident, NOON + 10 * S, ALERTING).incident
    changed = graver(fires, told(MIN, "CRITICAL"), ALERTING)
    assert changed.incident is not None
    assert (changed.tell, is_old(changed.incident)) == ("FIRING", False)


OLD = [("at once", 9, False), ("at once", 10, True), ("of a deadline", 19, False), ("of a deadline", 20, True)]


@pytest.mark.parametrize(("kind", "delay", "old"), OLD)
def test_what_counts_is_the_age_at_the_broker(kind: str, delay: float, *, old: bool) -> None:
    world = World(check("activation"), check("charging"))
    world.state(delay, "crm.tariff", "a", "8613900139000")  # so late it is when the rest arrives
    if kind == "at once":
        world.state(0, "ocs.charge", 9, transaction="t-1")
        world.state(0, "crm.charge", 5, transaction="t-1")
    else:  # it falls due after 10 min: so much younger is what that decides
        world.state(0, "crm.status", "active")
    world.until(60)
    (incident,) = (one for key, one in world.replay.worlds[0].records.items() if key.startswith("~incident/"))
    assert is_old(incident) is old
