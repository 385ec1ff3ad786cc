"""What follows from contacts: tickets, retention tasks, surveys."""

from __future__ import annotations

from typing import Any

from streams.simulate import texts
from streams.simulate.stage import CONTACT, TASK, TICKET, Stage
from streams.simulate.subscribers import DAY, Subscriber


def after_call(stage: Stage, person: Subscriber, at: float, call_id: str, need: str, staff: str) -> None:
    """A ticket after a call about a fault or a complaint, and now and then a survey by message."""
    if need in ("fault", "complaint") and stage.rng.random() < 0.5:
        _ticket(stage, person, at, "network" if need == "fault" else "service", staff, call_id)
    if stage.rng.random() < 0.15:
        score = stage.rng.choices((1, 2, 3, 4, 5), (4, 4, 12, 30, 50))[0]
        stage.plan(
            at + stage.span(30, 180),
            CONTACT,
            "sms",
            contact_id=f"survey-{call_id}",
            msisdn=person.msisdn,
            channel="SMS",
            direction="IN",
            kind="SURVEY_ANSWER",
            subject="满意度调查",
            text=f"{score}分",
            score=score,
            staff=staff,
            details={"call_id": call_id},
        )


def ticket(stage: Stage, at: int) -> None:
    """A ticket that did not begin with a call."""
    _ticket(stage, stage.population.pick(), at, stage.rng.choice(tuple(texts.TICKETS)), None, None)


def _ticket(stage: Stage, person: Subscriber, at: float, kind: str, staff: str | None, call_id: str | None) -> None:
    text = stage.rng.choice(texts.TICKETS[kind])
    same: dict[str, Any] = {
        "ticket_id": f"T{stage.number()}",
        "msisdn": person.msisdn,
        "class": kind,
        "region": person.region,
    }
    same |= {"staff": staff, "call_id": call_id}
    stage.plan(at + stage.span(2, 10), TICKET, "tickets", action="OPENED", text=text, **same)
    stage.plan(at + stage.span(60, 240), TICKET, "tickets", action="PROGRESSED", text="已派单至网络维护班组", **same)
    stage.plan(at + stage.span(300, 1800), TICKET, "tickets", action="CLOSED", text="已处理,客户认可", **same)


def task(stage: Stage, at: int) -> None:
    """A retention task: created, sometimes taken and done by a service manager (#56, #58)."""
    person = stage.population.pick()
    product, policy, script = stage.rng.choice(texts.PRODUCTS)
    same: dict[str, Any] = {"task_id": f"R{stage.number()}", "msisdn": person.msisdn, "product": product}
    terms: dict[str, Any] = {
        "policy": policy,
        "script": script,
        "due_at": at + 14 * DAY,
        "priority": stage.rng.randrange(1, 4),
    }
    stage.plan(at, TASK, "retention", action="CREATED", **same, **terms)
    if stage.rng.random() < 0.3:
        owner = f"KH{stage.rng.randrange(200, 240)}"
        taken = at + stage.span(30, 300)
        stage.plan(taken, TASK, "retention", action="TAKEN", owner=owner, **same)
        stage.plan(taken + stage.span(60, 600), TASK, "retention", action="DONE", owner=owner, **same)
