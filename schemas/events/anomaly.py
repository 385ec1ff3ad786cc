"""`yupan.anomaly.v1`: a check found a drift, and what became of it (#48, #49, #61)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.errors import RecordError
from schemas.event_type import EventType, Record
from schemas.fields import Id, Millis, Msisdn, Severity, Text, enum

REPAIR_SENT = "repair_sent"
REPAIR_ORDERED = "repair ordered by "
"""What the reason of an ordered repair begins with; who ordered it follows."""
REPAIR_REFUSED, REPAIR_FAILED = "repair_refused", "repair_failed"
REPAIR_UNANSWERED, REPAIR_WITHOUT_EFFECT = "repair_unanswered", "repair_without_effect"
DID_NOT_HELP = (REPAIR_REFUSED, REPAIR_FAILED, REPAIR_UNANSWERED, REPAIR_WITHOUT_EFFECT)
"""The reasons by which an anomaly is told again when its repair did not help."""


class Anomaly(TypedDict):
    """An anomaly took a status; `reason` says why."""

    anomaly_id: Id
    msisdn: Msisdn | None
    cell: str | None
    region: str | None
    check: Id
    status: Annotated[str, enum("AnomalyStatus", "OPEN", "ACKNOWLEDGED", "REPAIRING", "RESOLVED", "WITHDRAWN")]
    severity: Severity
    cause_code: Id
    evidence: dict[str, str]
    cause: Text
    wording: Text
    guidance: Text
    trigger_id: str
    opened_at: Millis
    occurred_at: Millis
    reason: str


def subject_key(record: Record) -> str | None:
    """The MSISDN, or `cell:ID`, or `region:NAME`."""
    if record["msisdn"]:
        return str(record["msisdn"])
    if record["cell"]:
        return f"cell:{record['cell']}"
    return f"region:{record['region']}" if record["region"] else None


def _rule(anomaly: Record) -> None:
    if subject_key(anomaly) is None:
        raise RecordError("bad_value", "an anomaly is one of a customer, a cell or a region", "msisdn")


EVENT = EventType(
    record=Anomaly,
    topic="yupan.anomaly.v1",
    flow="out",
    key=subject_key,
    rule=_rule,
    examples=(
        {
            "anomaly_id": "activation-4f1c",
            "msisdn": "8613800138000",
            "check": "activation",
            "status": "OPEN",
            "severity": "MAJOR",
            "cause_code": "activation.hlr_behind",
            "evidence": {"crm.status": "active", "hlr.status": "barred"},
            "cause": {"zh": "网络侧未复机", "en": "The network still bars the number"},
            "wording": {"zh": "我们正在为您恢复服务", "en": "We are restoring your service"},
            "guidance": {"zh": "重发复机指令", "en": "Send the activation again"},
            "trigger_id": "e-1",
            "opened_at": "2026-11-22T12:10:00+08:00",
            "occurred_at": "2026-11-22T12:10:00+08:00",
            "reason": "deadline",
        },
        {
            "anomaly_id": "rate-77",
            "cell": "460-00-1-77",
            "region": "nanchang",
            "check": "network-connect-rate",
            "status": "RESOLVED",
            "severity": "CRITICAL",
            "cause_code": "rate.low",
            "trigger_id": "e-2",
            "opened_at": 1795320000000,
            "occurred_at": 1795320600000,
            "reason": "rate",
        },
    ),
    bad=(
        ("missing_field", {"check": ...}),
        ("bad_value", {"status": "LOST"}),
        ("bad_value", {"severity": "UNKNOWN"}),
        ("bad_value", {"msisdn": None}),
        ("bad_type", {"evidence": {"crm.status": None}}),
        ("bad_time", {"opened_at": 5}),
    ),
)
