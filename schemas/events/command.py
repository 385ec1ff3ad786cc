"""`yupan.command.v1`: what a person orders about an anomaly (#52)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType, Record
from schemas.fields import Id, Millis, Msisdn, Prose, enum


class Command(TypedDict):
    """A person acknowledges an anomaly, withdraws it or has it repaired."""

    command_id: Id
    kind: Annotated[str, enum("CommandKind", "ACKNOWLEDGE", "WITHDRAW", "REPAIR")]
    anomaly_id: Id
    msisdn: Msisdn | None
    staff: Id
    reason: Prose | None
    occurred_at: Millis


def command_key(command: Record) -> str:
    """The MSISDN; of an anomaly that has none (a cell's, a region's) its id."""
    return str(command["msisdn"] or command["anomaly_id"])


EVENT = EventType(
    record=Command,
    topic="yupan.command.v1",
    key=command_key,
    examples=(
        {
            "command_id": "k-1",
            "kind": "ACKNOWLEDGE",
            "anomaly_id": "activation-4f1c",
            "msisdn": "8613800138000",
            "staff": "1001",
            "occurred_at": "2026-11-22T12:15:00+08:00",
        },
        {
            "command_id": "k-2",
            "kind": "WITHDRAW",
            "anomaly_id": "rate-77",
            "staff": "1002",
            "reason": "planned works",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"anomaly_id": ...}),
        ("missing_field", {"staff": ...}),
        ("bad_value", {"kind": "FORGET"}),
        ("bad_msisdn", {"msisdn": ""}),
    ),
)
