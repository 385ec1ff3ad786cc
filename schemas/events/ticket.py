"""`yupan.ticket.v1`: a complaint or work ticket moved (#15, #16, #40)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Millis, Msisdn, Prose, Segment, enum

# In this form because `class` is a word of Python.
Ticket = TypedDict(
    "Ticket",
    {
        "ticket_id": Id,
        "msisdn": Msisdn,
        "action": Annotated[str, enum("TicketAction", "OPENED", "PROGRESSED", "CLOSED")],
        "class": str | None,
        "segment": Segment | None,
        "text": Prose | None,
        "region": str | None,
        "staff": str | None,
        "call_id": str | None,
        "occurred_at": Millis,
    },
)
Ticket.__doc__ = "One step of one ticket."

EVENT = EventType(
    record=Ticket,
    topic="yupan.ticket.v1",
    key=lambda r: r["msisdn"],
    examples=(
        {
            "ticket_id": "T-1",
            "msisdn": "8613800138000",
            "action": "OPENED",
            "class": "billing",
            "segment": "CAMPUS",
            "text": "扣费有误",
            "region": "nanchang",
            "staff": "1001",
            "call_id": "c-1",
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {"ticket_id": "T-1", "msisdn": "8613800138000", "action": "CLOSED", "occurred_at": 1795406400000},
    ),
    bad=(
        ("missing_field", {"ticket_id": ...}),
        ("bad_value", {"action": "LOST"}),
        ("bad_value", {"segment": "VIP"}),
        ("bad_msisdn", {"msisdn": "1380013800"}),
        ("bad_type", {"msisdn": None}),
    ),
)
