"""`yupan.repair-result.v1`: what a system answered to a repair command (#52)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Millis, Msisdn, Prose, enum


class RepairResult(TypedDict):
    """A repair was done, refused or failed; the anomaly itself closes by the next consistent state."""

    repair_id: Id
    msisdn: Msisdn
    outcome: Annotated[str, enum("RepairOutcome", "DONE", "REFUSED", "FAILED")]
    text: Prose | None
    occurred_at: Millis


EVENT = EventType(
    record=RepairResult,
    topic="yupan.repair-result.v1",
    key=lambda r: r["msisdn"],
    examples=(
        {
            "repair_id": "p-1",
            "msisdn": "8613800138000",
            "outcome": "DONE",
            "occurred_at": "2026-11-22T12:17:00+08:00",
        },
        {
            "repair_id": "p-2",
            "msisdn": "8613800138000",
            "outcome": "FAILED",
            "text": "timeout",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"repair_id": ...}),
        ("bad_value", {"outcome": "PERHAPS"}),
        ("bad_type", {"text": 5}),
    ),
)
