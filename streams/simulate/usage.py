"""Use of the network: call attempts, messages, data sessions (#49)."""

from __future__ import annotations

from schemas.events.usage import USER_CAUSES
from streams.simulate.stage import USAGE, Stage
from streams.simulate.subscribers import Subscriber


def attempt(stage: Stage, at: int) -> None:
    """A call attempt: most succeed, some find the other side busy, few fail in the network."""
    person, word = stage.population.pick(), stage.rng.random()
    if word < 0.015 and not person.failed:
        person.failed = True
        _use(stage, person, at, "CALL_ATTEMPT", "congestion")
    elif word < 0.12:
        _use(stage, person, at, "CALL_ATTEMPT", stage.rng.choice(USER_CAUSES))
    else:
        person.failed = False
        _use(stage, person, at, "CALL_ATTEMPT", None, int(stage.rng.expovariate(1 / 60_000)))


def message(stage: Stage, at: int) -> None:
    """An SMS; one in a hundred is not delivered."""
    _use(stage, stage.population.pick(), at, "SMS_DELIVERY", "expired" if stage.rng.random() < 0.01 else None)


def session(stage: Stage, at: int) -> None:
    """A data session."""
    _use(stage, stage.population.pick(), at, "DATA_SESSION", None, int(stage.rng.expovariate(1 / 300_000)))


def _use(stage: Stage, person: Subscriber, at: int, kind: str, cause: str | None, duration: int | None = None) -> None:
    stage.plan(
        at,
        USAGE,
        "probe",
        msisdn=person.msisdn,
        kind=kind,
        result="FAILED" if cause else "OK",
        cause=cause,
        cell=person.cell,
        region=person.region,
        duration_ms=duration,
    )
