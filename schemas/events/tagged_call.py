"""`yupan.tagged-call.v1`: a call's phase with the segment that the call was given (#6, #7)."""

from __future__ import annotations

from typing import TypedDict

from schemas.event_type import EventType
from schemas.events.call import Call, FirstPhaseKeys, call_key
from schemas.fields import Millis, Segment


class Receipt(TypedDict):
    """Why a customer has this segment: what won, what lost to it, on which lists, for how long."""

    winner: str | None
    losers: list[str]
    list_versions: dict[str, str]
    valid_from: Millis | None
    valid_to: Millis | None


class TaggedCall(Call):
    """One phase of one call, with the segment as of the call's first phase."""

    segment: Segment | None
    receipt: Receipt


EVENT = EventType(
    record=TaggedCall,
    topic="yupan.tagged-call.v1",
    flow="out",
    key=call_key,
    keys=FirstPhaseKeys,
    examples=(
        {
            "call_id": "c-1",
            "msisdn": "8613800138000",
            "phase": "IVR_ENTERED",
            "segment": "MID_HIGH",
            "receipt": {
                "winner": "MID_HIGH",
                "losers": ["CAMPUS"],
                "list_versions": {"mid_high": "2026-11", "campus": "7"},
                "valid_from": "2026-11-01T00:00:00+08:00",
                "valid_to": None,
            },
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {"call_id": "c-2", "phase": "ENDED", "outcome": "ABANDONED", "receipt": {}, "occurred_at": 1795320000000},
    ),
    bad=(
        ("missing_field", {"receipt": ...}),
        ("bad_value", {"segment": "VIP"}),
        ("bad_value", {"phase": "RINGING"}),
        ("bad_type", {"receipt": {"losers": "CAMPUS"}}),
        ("bad_time", {"receipt": {"valid_from": "today"}}),
    ),
)
