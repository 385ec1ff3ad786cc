"""`yupan.internal.repair.v1`: an anomaly asks its check's limits for a slot to be repaired in; their answer (#52)."""

from __future__ import annotations

from typing import TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Millis, Msisdn


class InternalRepair(TypedDict):
    """A question, which goes to where the check's limits are, or the answer, which goes back to the customer."""

    check: Id
    anomaly_id: Id
    msisdn: Msisdn
    asks: bool
    """Whether it is the question."""
    slot: Millis | None
    """Of the answer: when to send the command; None: not now."""
    again: Millis | None
    """Of an answer without a slot: when to ask again."""
    occurred_at: Millis


EVENT = EventType(
    record=InternalRepair,
    topic="yupan.internal.repair.v1",
    flow="internal",
    key=lambda r: r["check"] if r["asks"] else r["msisdn"],
    default_source=lambda r: "yupan/repair",
    examples=(
        {
            "check": "activation",
            "anomaly_id": "4f1c",
            "msisdn": "8613800138000",
            "asks": True,
            "occurred_at": "2026-11-22T12:10:00+08:00",
        },
        {
            "check": "activation",
            "anomaly_id": "4f1c",
            "msisdn": "8613800138000",
            "asks": False,
            "slot": 1795320001000,
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("bad_time", {"again": 5}),
        ("missing_field", {"asks": ...}),
        ("bad_msisdn", {"msisdn": "12345"}),
        ("bad_time", {"slot": "soon"}),
    ),
)
