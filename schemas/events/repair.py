"""`yupan.repair.v1`: a command to a system that can put a drift right (#52)."""

from __future__ import annotations

from typing import TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Millis, Msisdn, System


class Repair(TypedDict):
    """One command to one system, for one anomaly."""

    repair_id: Id
    anomaly_id: Id
    msisdn: Msisdn
    system: System
    command: Id
    arguments: dict[str, str]
    occurred_at: Millis


EVENT = EventType(
    record=Repair,
    topic="yupan.repair.v1",
    flow="out",
    key=lambda r: r["msisdn"],
    examples=(
        {
            "repair_id": "p-1",
            "anomaly_id": "activation-4f1c",
            "msisdn": "8613800138000",
            "system": "hlr",
            "command": "set_status",
            "arguments": {"status": "active"},
            "occurred_at": "2026-11-22T12:16:00+08:00",
        },
        {
            "repair_id": "p-2",
            "anomaly_id": "sub-1",
            "msisdn": "8613800138000",
            "system": "vas",
            "command": "resend",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"command": ...}),
        ("bad_value", {"system": "fax"}),
        ("bad_type", {"arguments": {"status": True}}),
        ("bad_msisdn", {"msisdn": "1380013800"}),
    ),
)
