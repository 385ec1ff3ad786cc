"""`yupan.internal.call.v1`: the phases of a call that is keyed by its id, brought to whom its first phase names."""

from __future__ import annotations

from schemas.errors import RecordError
from schemas.event_type import EventType, Record
from schemas.events.call import Call
from schemas.fields import Millis


class InternalCall(Call):
    """A phase of `yupan.call.v1` with its `ce_id` and `ce_source`, keyed by the MSISDN of the call's first phase."""

    arrived_at: Millis
    """When the phase itself reached the broker."""


def check_named(record: Record) -> None:
    """What is brought to a customer names one."""
    if record["msisdn"] is None:
        raise RecordError("bad_msisdn", "is missing: it says to whom this is brought", "msisdn")


EVENT = EventType(
    record=InternalCall,
    topic="yupan.internal.call.v1",
    flow="internal",
    key=lambda r: r["msisdn"],
    rule=check_named,
    examples=(
        {
            "call_id": "c-2",
            "msisdn": "8613800138000",
            "phase": "OFFERED",
            "seat": "A-17",
            "occurred_at": "2026-11-22T12:00:00+08:00",
            "arrived_at": "2026-11-22T12:00:00.007+08:00",
        },
        {
            "call_id": "c-2",
            "msisdn": "8613800138000",
            "phase": "ENDED",
            "occurred_at": 1795320107000,
            "arrived_at": 1795320107003,
        },
    ),
    bad=(
        ("bad_msisdn", {"msisdn": ...}),
        ("missing_field", {"arrived_at": ...}),
        ("bad_value", {"phase": "RINGING"}),
    ),
)
