"""`yupan.alert.v1`: one incident for technicians, however many customers it hits (#50)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Millis, Prose, Severity, Text, enum


class Alert(TypedDict):
    """An incident fires or is resolved; its examples are masked numbers."""

    incident_id: Id
    check: Id
    cause_code: Id
    severity: Severity
    status: Annotated[str, enum("AlertStatus", "FIRING", "RESOLVED")]
    count: int
    examples: list[str]
    cell: str | None
    region: str | None
    summary: Prose
    guidance: Text
    old: bool | None
    """Whether all of it was too old to act when it came (an import, a replay): it pages nobody."""
    first_at: Millis
    occurred_at: Millis


EVENT = EventType(
    record=Alert,
    topic="yupan.alert.v1",
    flow="out",
    key=lambda r: r["incident_id"],
    examples=(
        {
            "incident_id": "i-1",
            "check": "activation",
            "cause_code": "activation.hlr_behind",
            "severity": "MAJOR",
            "status": "FIRING",
            "count": 42,
            "examples": ["86138****8000"],
            "region": "nanchang",
            "summary": "42 customers: the network still bars the number",
            "guidance": {"zh": "检查HLR接口", "en": "Look at the HLR interface"},
            "old": False,
            "first_at": "2026-11-22T12:10:00+08:00",
            "occurred_at": "2026-11-22T12:12:00+08:00",
        },
        {
            "incident_id": "i-1",
            "check": "activation",
            "cause_code": "activation.hlr_behind",
            "severity": "MAJOR",
            "status": "RESOLVED",
            "count": 42,
            "summary": "over",
            "first_at": 1795320000000,
            "occurred_at": 1795323600000,
        },
    ),
    bad=(
        ("missing_field", {"summary": ...}),
        ("bad_value", {"status": "SMOULDERING"}),
        ("bad_type", {"count": "many"}),
    ),
)
