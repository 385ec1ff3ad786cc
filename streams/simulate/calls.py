"""Calls to the hotline: through the IVR, the queue and the desk, with seats that are taken in turn (#7, #13, #59)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streams.simulate import texts
from streams.simulate.care import after_call
from streams.simulate.stage import CALL, CONTACT, SEAT, Stage, Story
from streams.simulate.subscribers import Subscriber

HOTLINE = "10010"
_WEIGHTS = (24, 16, 14, 16, 12, 6, 6, 6)


@dataclass
class _Call:
    """One call being told: its customer and what all of its phases say."""

    stage: Stage
    person: Subscriber | None
    call_id: str
    need: str

    def phase(self, at: float, phase: str, **fields: Any) -> str:
        """Plan one phase."""
        person = self.person
        return self.stage.plan(
            at,
            CALL,
            "cti",
            call_id=self.call_id,
            msisdn=person and person.msisdn,
            brand=person and person.brand,
            phase=phase,
            hotline=HOTLINE,
            need=None if phase == "IVR_ENTERED" else self.need,
            **fields,
        )

    @property
    def pool(self) -> str:
        """The pool that the chosen need leads to (#35)."""
        return "expert" if self.need in ("fault", "complaint") else "general"


def call(stage: Stage, at: int) -> None:
    """Somebody calls; a few hide their number."""
    person = stage.population.pick()
    need = stage.rng.choices(texts.NEEDS, _WEIGHTS)[0]
    _tell(stage, at, None if stage.rng.random() < 0.02 else person, need)


def call_of(person: Subscriber, need: str) -> Story:
    """The story of a call of this customer about `need`."""
    return lambda stage, at: _tell(stage, at, person, need)


def _tell(stage: Stage, at: int, person: Subscriber | None, need: str) -> None:
    told = _Call(stage, person, f"{HOTLINE}-{stage.number()}", need)
    told.phase(at, "IVR_ENTERED")
    chosen = at + stage.span(2, 9)
    told.phase(chosen, "NEED_CHOSEN")
    left = chosen + stage.span(1, 4)
    told.phase(left, "IVR_LEFT")
    stage.later(left + 50, lambda _, when: _queue(told, when))


def _queue(told: _Call, at: int) -> None:
    """Into the queue: a seat is offered when one is free, unless patience ends before."""
    stage = told.stage
    told.phase(at, "QUEUED", pool=told.pool)
    patience = at + stage.rng.expovariate(1 / 180) * 1000 / stage.haste + 2000 / stage.haste
    offered = max(at + stage.span(1, 16), stage.desk.first_free())
    if patience < offered:
        waited = int(patience - at)
        told.phase(patience, "ABANDONED", pool=told.pool, wait_ms=waited, outcome="ABANDONED")
        return
    _desk(told, at, offered)


def _desk(told: _Call, queued: int, offered: float) -> None:
    """Offered, answered, sometimes held or handed on, ended."""
    stage, wait = told.stage, int(offered - queued)
    answered = offered + stage.span(1, 4)
    talk = min(900_000.0, 75_000 * stage.rng.lognormvariate(0, 0.7)) / stage.haste
    ended = answered + talk
    seat, staff = stage.desk.take(ended + stage.span(3, 15))
    told.phase(offered, "OFFERED", pool=told.pool, seat=seat, staff=staff, wait_ms=wait)
    told.phase(answered, "ANSWERED", pool=told.pool, seat=seat, staff=staff, wait_ms=wait)
    _seat(stage, answered, seat, staff, "BUSY")
    if stage.rng.random() < 0.15:
        told.phase(answered + talk * 0.4, "HELD", pool=told.pool, seat=seat, staff=staff)
    last_seat, last_staff = seat, staff
    if stage.rng.random() < 0.06:
        last_seat, last_staff = stage.desk.take(ended)
        told.phase(answered + talk * 0.6, "TRANSFERRED", pool="expert", seat=last_seat, staff=last_staff)
    told.phase(
        ended,
        "ENDED",
        pool=told.pool,
        seat=last_seat,
        staff=last_staff,
        wait_ms=wait,
        talk_ms=int(talk),
        outcome="ANSWERED",
    )
    _seat(stage, ended, seat, staff, "IDLE")
    if told.person is not None:
        _note(told, told.person, ended, last_staff)
        after_call(stage, told.person, ended, told.call_id, told.need, last_staff)


def _seat(stage: Stage, at: float, seat: str, staff: str, action: str) -> None:
    stage.plan(at, SEAT, "cti", seat_id=seat, staff=staff, action=action)


def _note(told: _Call, person: Subscriber, at: float, staff: str) -> None:
    """What the staff writes down after the call."""
    stage = told.stage
    if stage.rng.random() < 0.4:
        stage.plan(
            at + stage.span(3, 20),
            CONTACT,
            "desk",
            contact_id=f"note-{told.call_id}",
            msisdn=person.msisdn,
            channel="HOTLINE",
            direction="IN",
            kind="CALL_NOTE",
            subject=told.need,
            text=stage.rng.choice(texts.NOTES),
            staff=staff,
            details={"call_id": told.call_id},
        )
