"""`yupan.seat.v1`: who sits where in the call centre, and is free (#10, #34, #36)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Int, Millis, Share, enum


class Seat(TypedDict):
    """A seat was taken, became free or busy, or was left; with the figures of who sits there."""

    seat_id: Id
    staff: Id
    action: Annotated[str, enum("SeatAction", "SIGN_ON", "IDLE", "BUSY", "SIGN_OFF")]
    skills: list[str]
    satisfaction: Share | None
    first_contact_resolution: Share | None
    tenure_months: Int | None
    occurred_at: Millis


EVENT = EventType(
    record=Seat,
    topic="yupan.seat.v1",
    key=lambda r: r["seat_id"],
    examples=(
        {
            "seat_id": "A-17",
            "staff": "1001",
            "action": "SIGN_ON",
            "skills": ["mid_high", "complaints"],
            "satisfaction": 0.97,
            "first_contact_resolution": 1,
            "tenure_months": 18,
            "occurred_at": "2026-11-22T08:00:00+08:00",
        },
        {"seat_id": "A-17", "staff": "1001", "action": "IDLE", "occurred_at": 1795320000000},
    ),
    bad=(
        ("missing_field", {"seat_id": ...}),
        ("bad_value", {"action": "ASLEEP"}),
        ("bad_value", {"satisfaction": 97}),
        ("bad_value", {"satisfaction": float("nan")}),
        ("bad_type", {"skills": "complaints"}),
        ("bad_type", {"skills": [7]}),
    ),
)
