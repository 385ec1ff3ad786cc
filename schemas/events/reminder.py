"""`yupan.reminder.v1`: what the desk should know when this customer calls (#24, #53)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType, Record
from schemas.fields import Id, Millis, Msisdn, Severity, Text, enum

REMINDER_KINDS = ("ANOMALY", "WATCH", "CARE", "RETENTION")


class Reminder(TypedDict):
    """A reminder stands; a null value under its key withdraws it, and the headers say why."""

    reminder_id: Id
    msisdn: Msisdn
    kind: Annotated[str, enum("ReminderKind", *REMINDER_KINDS)]
    title: Text
    cause: Text | None
    wording: Text | None
    guidance: Text | None
    progress: str | None
    severity: Severity
    expires_at: Millis | None
    source_id: str
    occurred_at: Millis


def reminder_key(reminder: Record) -> str:
    """The compaction key; the partition is that of the MSISDN alone."""
    return f"{reminder['msisdn']}|{reminder['reminder_id']}"


EVENT = EventType(
    record=Reminder,
    topic="yupan.reminder.v1",
    flow="out",
    key=reminder_key,
    partition_key=lambda r: r["msisdn"],
    examples=(
        {
            "reminder_id": "r-activation-4f1c",
            "msisdn": "8613800138000",
            "kind": "ANOMALY",
            "title": {"zh": "激活异常", "en": "Activation"},
            "cause": {"zh": "网络侧未复机", "en": "The network still bars the number"},
            "severity": "MAJOR",
            "source_id": "activation-4f1c",
            "occurred_at": "2026-11-22T12:10:00+08:00",
        },
        {
            "reminder_id": "r-2",
            "msisdn": "8613800138000",
            "kind": "WATCH",
            "title": {"en": "Low balance"},
            "wording": {"en": "Your balance does not cover next month"},
            "guidance": {"en": "Offer a top-up"},
            "progress": "REPAIRING",
            "severity": "WARNING",
            "expires_at": 1795406400000,
            "source_id": "watch:low-balance",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"msisdn": ...}),
        ("bad_value", {"kind": "GOSSIP"}),
        ("bad_type", {"title": "only one language"}),
        ("bad_time", {"expires_at": "soon"}),
    ),
)
