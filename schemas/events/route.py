"""`yupan.route.v1`: which pools and seats a call was offered to, and why (#8, #9, #11)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.events.call import FirstPhaseKeys, call_key
from schemas.fields import Id, Millis, Msisdn, Segment, Share, enum


class Hop(TypedDict):
    """One pool that was asked, the seat that it gave, and the reason."""

    pool: str
    seat: str | None
    reason: str


class Route(TypedDict):
    """The way of one call through the pools."""

    call_id: Id
    msisdn: Msisdn | None
    segment: Segment | None
    chain: list[Hop]
    chosen: str | None
    outcome: Annotated[str, enum("RouteOutcome", "ROUTED", "QUEUED", "RELEASED")]
    target_connect_rate: Share
    occurred_at: Millis


EVENT = EventType(
    record=Route,
    topic="yupan.route.v1",
    flow="out",
    key=call_key,
    keys=FirstPhaseKeys,
    examples=(
        {
            "call_id": "c-1",
            "msisdn": "8613800138000",
            "segment": "MID_HIGH",
            "chain": [
                {"pool": "virtual:mid_high", "seat": None, "reason": "no seat free"},
                {"pool": "gotone", "seat": "A-17", "reason": "overflow"},
            ],
            "chosen": "A-17",
            "outcome": "ROUTED",
            "target_connect_rate": 0.95,
            "occurred_at": "2026-11-22T12:00:05+08:00",
        },
        {"call_id": "c-2", "outcome": "RELEASED", "target_connect_rate": 0.8, "occurred_at": 1795320000000},
    ),
    bad=(
        ("missing_field", {"outcome": ...}),
        ("bad_value", {"outcome": "LOST"}),
        ("bad_value", {"target_connect_rate": 95}),
        ("missing_field", {"chain": [{"pool": "gotone"}]}),
    ),
)
