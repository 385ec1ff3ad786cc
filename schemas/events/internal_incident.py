"""`yupan.internal.incident.v1`: an anomaly joins, changes or leaves the incident that it is part of (#50)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType, Record
from schemas.fields import Id, Millis, Severity, enum


class InternalIncident(TypedDict):
    """An anomaly that is open, or is so no more, brought to all others of its check, area and cause."""

    check: Id
    cause_code: Id
    cell: str | None
    region: str | None
    severity: Severity
    change: Annotated[str, enum("IncidentChange", "JOINS", "LEAVES", "GRAVER", "HEALED")]
    """It is open from now on, is so no more, is of another severity, or has ended in the window of works that began
    after its drift."""
    example: str | None
    """Whose it is, masked; None of a cell or region."""
    again: bool | None
    """It joins what it had joined before: nothing new was hit."""
    moves: bool | None
    """It leaves and joins another, since its cause has changed, or the works that it is part of."""
    was: str | None
    """Of GRAVER: the severity that it had."""
    cutover: str | None
    """The works in whose window its drift began: then it is part of their closing report, and of no incident.
    Of HEALED: in whose window it ended."""
    old: bool | None
    """Whether what brought it about was too old to act when it came: an import, or a replay."""
    occurred_at: Millis


def incident(record: Record) -> str:
    """The key: all that is one incident; of works their id, which is the key of what is told of them."""
    if record["cutover"]:
        return str(record["cutover"])
    area = f"cell:{record['cell']}" if record["cell"] else f"region:{record['region'] or ''}"
    return f"{record['check']}|{area}|{record['cause_code']}"


EVENT = EventType(
    record=InternalIncident,
    topic="yupan.internal.incident.v1",
    flow="internal",
    key=incident,
    default_source=lambda r: "yupan/incident",
    examples=(
        {
            "check": "activation",
            "cause_code": "hlr.status.missing",
            "region": "nanchang",
            "severity": "MAJOR",
            "change": "JOINS",
            "example": "86138****8000",
            "old": False,
            "occurred_at": "2026-11-22T12:10:00+08:00",
        },
        {
            "check": "network-connect-rate",
            "cause_code": "usage.CALL_ATTEMPT.rate",
            "cell": "460-00-1-77",
            "region": "nanchang",
            "severity": "CRITICAL",
            "change": "LEAVES",
            "cutover": "w-1",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"change": ...}),
        ("bad_value", {"change": "STAYS"}),
        ("bad_value", {"severity": "LOUD"}),
    ),
)
