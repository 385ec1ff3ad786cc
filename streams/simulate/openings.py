"""New numbers: the order, then the CRM, the account and the network one after the other (#4, #48)."""

from __future__ import annotations

from streams.simulate import drift
from streams.simulate.stage import CUSTOMER, Stage
from streams.simulate.subscribers import Subscriber


def opening(stage: Stage, at: int) -> None:
    """A number is ordered, accepted and completed; some orders are cancelled instead."""
    done = at + stage.span(2, 8)
    active = done + stage.propagation("opening")
    network = active + stage.propagation("activation")
    if not stage.fits(network):
        return
    person = stage.population.join(at)
    stage.state(person, at, "order", "opening", "accepted")
    if stage.rng.random() < 0.06:
        person.status = "closed"
        stage.state(person, done, "order", "opening", "cancelled", previous="accepted")
        return
    trigger = stage.state(person, done, "order", "opening", "completed", previous="accepted")
    stage.plan(done, CUSTOMER, "crm", msisdn=person.msisdn, facts=facts(person) | {"opened_at": int(done)})
    stage.state(person, active + stage.span(1, 2), "crm", "service_password", "initial")
    drift.change(stage, person, active, network, "active", follows=trigger)


def facts(person: Subscriber) -> dict[str, str | float | None]:
    """What the CRM tells of a customer (`yupan.customer.v1`)."""
    return {
        "brand": person.brand,
        "opened_at": person.opened_at,
        "q4_arpu": person.q4_arpu,
        "birthday": person.birthday,
        "preferred_channel": person.channel,
        "monthly_fee": person.fee,
        "tariff": person.tariff,
    }
