"""`yupan.usage.v1`: a customer used the network, or tried to (#49)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.fields import Millis, Msisdn, enum

KINDS = ("CALL_ATTEMPT", "SMS_DELIVERY", "DATA_SESSION")
USER_CAUSES = ("busy", "no_answer", "rejected", "powered_off")
"""Causes of FAILED that are the user's, not the network's."""


class Usage(TypedDict):
    """One call attempt, SMS delivery or data session, and how it ended."""

    msisdn: Msisdn
    kind: Annotated[str, enum("UsageKind", *KINDS)]
    result: Annotated[str, enum("UsageResult", "OK", "FAILED")]
    cause: str | None
    cell: str | None
    region: str | None
    duration_ms: int | None
    occurred_at: Millis


EVENT = EventType(
    record=Usage,
    topic="yupan.usage.v1",
    key=lambda r: r["msisdn"],
    examples=(
        {
            "msisdn": "8613800138000",
            "kind": "CALL_ATTEMPT",
            "result": "FAILED",
            "cause": "no_channel",
            "cell": "460-00-1-77",
            "region": "nanchang",
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {
            "msisdn": "8613800138000",
            "kind": "DATA_SESSION",
            "result": "OK",
            "duration_ms": 60000,
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"result": ...}),
        ("bad_value", {"kind": "FAX"}),
        ("bad_value", {"result": "MAYBE"}),
        ("bad_msisdn", {"msisdn": "0138"}),
        ("bad_type", {"duration_ms": 1.5}),
    ),
)
