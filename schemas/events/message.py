"""`yupan.message.v1`: a message to a customer, for the SMS gateway (#14, #23)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Millis, Msisdn, Rule, check_filled


class Message(TypedDict):
    """One message, ready to be sent, not before `send_after`."""

    message_id: Id
    msisdn: Msisdn
    text: Annotated[str, Rule(check_filled)]
    template: Id
    cause_id: str
    send_after: Millis | None
    occurred_at: Millis


EVENT = EventType(
    record=Message,
    topic="yupan.message.v1",
    flow="out",
    key=lambda r: r["msisdn"],
    examples=(
        {
            "message_id": "m-1",
            "msisdn": "8613800138000",
            "text": "感谢您的来电",
            "template": "rural.after_call",
            "cause_id": "e-7",
            "occurred_at": "2026-11-22T12:06:00+08:00",
        },
        {
            "message_id": "m-2",
            "msisdn": "8613800138000",
            "text": "Happy birthday",
            "template": "care.birthday",
            "cause_id": "e-8",
            "send_after": 1795345200000,
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"template": ...}),
        ("bad_value", {"text": ""}),
        ("bad_time", {"send_after": "tomorrow"}),
    ),
)
