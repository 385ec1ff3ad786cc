"""What is known before the day begins: customer facts, the lists of segments, a full export of states, the seats."""

from __future__ import annotations

from streams.simulate.desk import seat_name, staff_name
from streams.simulate.drift import ACCOUNT, HLR
from streams.simulate.openings import facts
from streams.simulate.stage import CUSTOMER, LIST, SEAT, Stage
from streams.simulate.subscribers import Subscriber


def prologue(stage: Stage, length: int, *, people: bool = True) -> None:
    """Plan it over the first `length` ms; without `people` the seats alone."""
    at = float(stage.start)
    for seat in range(len(stage.desk)):
        _sign_on(stage, at, seat)
    if people:
        _move_in(stage, at, length)


def _move_in(stage: Stage, at: float, length: int) -> None:
    version = f"v{stage.run}"
    for name in ("mid_high", "campus"):
        stage.plan(at, LIST, "bi", list=name, action="REPLACED", msisdn=None, version=version)
    step = (length - 10) / max(1, len(stage.population.people))
    for person in stage.population.people:
        at += step
        stage.plan(at, CUSTOMER, "crm", msisdn=person.msisdn, facts=facts(person))
        stage.state(person, at, "crm", "status", person.status, reason="snapshot")
        stage.state(person, at + 1, "hlr", "status", HLR[person.status], reason="snapshot")
        stage.state(person, at + 1, "ocs", "account", ACCOUNT[person.status], reason="snapshot")
        if person.status == "active" and stage.rng.random() < 0.1:  # some of them too little for the next month
            stage.state(person, at + 1, "ocs", "balance", round(person.fee * stage.rng.uniform(0.2, 4), 2))
        for name in person.lists:
            _entry(stage, person, at + 2, name, version)


def _sign_on(stage: Stage, at: float, seat: int) -> None:
    rng = stage.rng
    skills = ["fault", "complaint"] if seat % 3 == 0 else ["bill", "tariff", "recharge"]
    stage.plan(
        at,
        SEAT,
        "cti",
        seat_id=seat_name(seat),
        staff=staff_name(seat),
        action="SIGN_ON",
        skills=skills,
        satisfaction=round(rng.uniform(0.88, 0.99), 3),
        first_contact_resolution=round(rng.uniform(0.78, 0.95), 3),
        tenure_months=rng.randrange(1, 96),
    )


def _entry(stage: Stage, person: Subscriber, at: float, name: str, version: str) -> None:
    """An entry of a full list has its version; rural contacts are entered one by one, with name and station (#5)."""
    fields = {"version": version} if name != "rural" else {"name": person.name, "station": person.station}
    stage.plan(at, LIST, "bi" if name != "rural" else "desk", list=name, action="ADD", msisdn=person.msisdn, **fields)
