"""Reminders (#53, #54): what the desk sees of an anomaly, from its opening to its end, and of a watch list. Pure.

The open ones of a customer lie in the ledger record `reminders/MSISDN`, `{"v": 1, "open": {reminder_id:
record of yupan.reminder.v1}}`, which a screen pop reads. A reminder is knowledge, not an act: it is kept
and sent however old the event that caused it is; only what the desk or the customer would notice at once
(pops, messages, repairs, alerts) is subject to `YUPAN_ACT_WITHIN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOPIC = "yupan.reminder.v1"
KEPT = 100
"""Open reminders a customer in the ledger; a pop shows the newest 20, and the topic has all."""
Record = Mapping[str, Any]


def reminders_key(msisdn: str) -> str:
    """The ledger key of a customer's open reminders."""
    return f"reminders/{msisdn}"


def id_of(anomaly_id: str) -> str:
    """The id of an anomaly's reminder."""
    return f"anomaly-{anomaly_id}"


def of_anomaly(anomaly: Record, title: Mapping[str, str]) -> dict[str, Any]:
    """The reminder of an open anomaly; `title` is its check's."""
    return {
        "reminder_id": id_of(anomaly["anomaly_id"]),
        "msisdn": anomaly["msisdn"],
        "kind": "ANOMALY",
        "title": dict(title),
        "cause": anomaly["cause"],
        "wording": anomaly["wording"],
        "guidance": anomaly["guidance"],
        "progress": anomaly["status"],
        "severity": anomaly["severity"],
        "expires_at": None,
        "source_id": anomaly["anomaly_id"],
        "occurred_at": anomaly["occurred_at"],
    }


def open_reminders(record: Record | None) -> dict[str, Record]:
    """The open reminders in a ledger record, by id; records of older versions are upgraded here."""
    return {} if record is None else dict(record["open"])


def with_reminder(record: Record | None, reminder: Record) -> tuple[Record, int]:
    """The ledger record with `reminder` opened or changed, and how many of the oldest it has no room for."""
    known = open_reminders(record) | {reminder["reminder_id"]: reminder}
    surplus = len(known) - KEPT
    if surplus <= 0:
        return {"v": 1, "open": known}, 0
    for oldest in sorted(known, key=lambda name: (known[name]["occurred_at"], name))[:surplus]:
        del known[oldest]
    return {"v": 1, "open": known}, surplus


def without_reminder(record: Record | None, reminder_id: str) -> Record | None:
    """The ledger record without a reminder; None when none is left."""
    left = open_reminders(record)
    left.pop(reminder_id, None)
    return {"v": 1, "open": left} if left else None
