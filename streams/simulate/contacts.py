"""Contacts on every channel but the hotline: chats, posts, self service, mall orders, complaints (#46, #59, #60)."""

from __future__ import annotations

from typing import Any

from streams.simulate import texts
from streams.simulate.stage import CONTACT, Stage, Story
from streams.simulate.subscribers import Subscriber

_CHATS = ("WECHAT", "WECHAT", "WECHAT", "QQ", "WEB", "APP")


def _contact(stage: Stage, person: Subscriber | None, at: float, channel: str, kind: str, **fields: Any) -> str:
    fields.setdefault("contact_id", f"{channel.lower()}-{stage.number()}")
    fields.setdefault("direction", "IN")
    msisdn = person.msisdn if person else None
    return stage.plan(at, CONTACT, channel.lower(), msisdn=msisdn, channel=channel, kind=kind, **fields)


def chat(stage: Stage, at: int) -> None:
    """A question by WeChat, QQ, web or app, and its answer."""
    theme = stage.rng.choice(texts.NEEDS)
    _chat(stage, stage.population.pick(), at, theme, stage.rng.choice(texts.QUESTIONS[theme]))


def _chat(stage: Stage, person: Subscriber, at: float, theme: str, question: str) -> None:
    channel = person.channel if person.channel in _CHATS and stage.rng.random() < 0.5 else stage.rng.choice(_CHATS)
    handle = person.handle if channel in ("WECHAT", "QQ") else None
    _contact(stage, person, at, channel, "MESSAGE", subject=theme, text=question, handle=handle)
    _contact(
        stage,
        person,
        at + stage.span(8, 90),
        channel,
        "MESSAGE",
        direction="OUT",
        subject=theme,
        text=stage.rng.choice(texts.ANSWERS[theme]),
        staff=f"WX{stage.rng.randrange(301, 325)}",
        handle=handle,
    )


def complaint_of(person: Subscriber) -> Story:
    """The story of a customer who writes about a change that the network did not follow."""

    def story(stage: Stage, at: int) -> None:
        _chat(stage, person, at, "fault", stage.rng.choice(texts.DRIFT[person.status]))

    return story


def post(stage: Stage, at: int) -> None:
    """A post on Weibo; most authors are not known by number, a few are widely read (#44)."""
    known = stage.rng.random() < 0.3
    person = stage.population.pick()
    audience = int(stage.rng.lognormvariate(5.5, 1.8))
    _contact(
        stage,
        person if known else None,
        at,
        "WEIBO",
        "MESSAGE",
        text=stage.rng.choice(texts.POSTS),
        handle=person.handle,
        audience=audience,
    )


def self_service(stage: Stage, at: int) -> None:
    """Something done in the app or on the web without staff (#47)."""
    what = stage.rng.choice(texts.SELF_SERVICE)
    channel = stage.rng.choice(("APP", "APP", "WEB", "WECHAT"))
    _contact(stage, stage.population.pick(), at, channel, "SELF_SERVICE", subject=what, status="DONE")


def order(stage: Stage, at: int) -> None:
    """An order in the web mall, and its progress until it is received (#60)."""
    person, goods = stage.population.pick(), stage.rng.choice(texts.GOODS)
    order_id = f"M{stage.number()}"
    _contact(stage, person, at, "MALL", "ORDER", order_id=order_id, subject=goods, status="已下单", text=f"订购{goods}")
    when = float(at)
    for status in texts.PROGRESS[: stage.rng.randrange(1, 5)]:
        when += stage.span(20, 400)
        _contact(
            stage,
            person,
            when,
            "MALL",
            "ORDER_PROGRESS",
            direction="OUT",
            order_id=order_id,
            subject=goods,
            status=status,
        )


def complaint(stage: Stage, at: int) -> None:
    """A complaint on the web."""
    text = stage.rng.choice(texts.QUESTIONS["complaint"])
    _contact(stage, stage.population.pick(), at, "WEB", "COMPLAINT", subject="complaint", text=text)
