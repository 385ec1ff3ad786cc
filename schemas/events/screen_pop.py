"""`yupan.screen-pop.v1`: what a seat sees when a call is offered (#1, #13, #37, #56)."""

from __future__ import annotations

from typing import TypedDict

from schemas.event_type import EventType
from schemas.events.call import FirstPhaseKeys, call_key
from schemas.events.tagged_call import Receipt
from schemas.fields import Id, Int, Millis, Msisdn, Segment, Text

MOST = 20
"""How many reminders, tasks, contacts and tickets a pop carries at most, newest first."""


class PopReminder(TypedDict):
    """A reminder, as far as the desk shows it."""

    reminder_id: Id
    kind: str
    title: Text
    cause: Text | None
    wording: Text | None
    guidance: Text | None
    progress: str | None
    severity: str
    expires_at: Millis | None
    source_id: str
    occurred_at: Millis


class PopTask(TypedDict):
    """A retention task: `state` OPEN may be offered; TAKEN, by its `owner`, may not (#58)."""

    task_id: Id
    state: str | None
    product: str | None
    policy: str | None
    script: str | None
    due_at: Millis | None
    priority: Int | None
    owner: str | None
    occurred_at: Millis


class PopContact(TypedDict):
    """An earlier contact, on any channel."""

    contact_id: Id
    channel: str
    direction: str | None
    kind: str
    subject: str | None
    text: str | None
    status: str | None
    order_id: str | None
    staff: str | None
    occurred_at: Millis


PopTicket = TypedDict(
    "PopTicket",
    {
        "ticket_id": Id,
        "action": str,
        "class": str | None,
        "text": str | None,
        "region": str | None,
        "staff": str | None,
        "occurred_at": Millis,
    },
)


class ScreenPop(TypedDict):
    """Who calls, what is open with them and what they said last; `call_id|seat` identifies it."""

    call_id: Id
    msisdn: Msisdn | None
    seat: str | None
    segment: Segment | None
    receipt: Receipt
    brand: str | None
    greeting: Text | None
    reminders: list[PopReminder]
    retention_tasks: list[PopTask]
    contacts: list[PopContact]
    tickets: list[PopTicket]
    occurred_at: Millis


EVENT = EventType(
    record=ScreenPop,
    topic="yupan.screen-pop.v1",
    flow="out",
    key=call_key,
    keys=FirstPhaseKeys,
    examples=(
        {
            "call_id": "c-1",
            "msisdn": "8613800138000",
            "seat": "A-17",
            "segment": "RURAL",
            "receipt": {"winner": "RURAL", "losers": [], "list_versions": {"rural": "3"}, "valid_from": 1795320000000},
            "brand": "EASYOWN",
            "greeting": {"zh": "尊敬的王站长,你好,有什么可以帮到您。"},
            "reminders": [
                {
                    "reminder_id": "r-1",
                    "kind": "ANOMALY",
                    "title": {"zh": "激活异常"},
                    "severity": "MAJOR",
                    "source_id": "activation-4f1c",
                    "occurred_at": 1795320000000,
                }
            ],
            "retention_tasks": [{"task_id": "t-1", "state": "OPEN", "product": "5g-199", "occurred_at": 1795320000000}],
            "contacts": [
                {"contact_id": "wx-1", "channel": "WECHAT", "kind": "MESSAGE", "occurred_at": 1795320000000},
            ],
            "tickets": [{"ticket_id": "T-1", "action": "OPENED", "class": "billing", "occurred_at": 1795320000000}],
            "occurred_at": 1795320005000,
        },
        {"call_id": "c-2", "receipt": {}, "occurred_at": "2026-11-22T12:00:00+08:00"},
    ),
    bad=(
        ("missing_field", {"receipt": ...}),
        ("bad_value", {"segment": "VIP"}),
        ("missing_field", {"reminders": [{"reminder_id": "r-1"}]}),
        ("bad_type", {"tickets": {}}),
        ("bad_type", {"contacts": ["wx-1"]}),
    ),
)
