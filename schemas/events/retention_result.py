"""`yupan.retention-result.v1`: what came of a retention task in a call, written back (#57)."""

from __future__ import annotations

from typing import TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Millis, Msisdn, Prose


class RetentionResult(TypedDict):
    """What was said, what the customer intends and what came of it."""

    task_id: Id
    msisdn: Msisdn
    channel: str
    staff: str
    content: Prose
    intention: Prose
    result: Prose
    remarks: Prose | None
    call_id: str | None
    occurred_at: Millis


EVENT = EventType(
    record=RetentionResult,
    topic="yupan.retention-result.v1",
    flow="out",
    key=lambda r: r["msisdn"],
    examples=(
        {
            "task_id": "t-1",
            "msisdn": "8613800138000",
            "channel": "HOTLINE",
            "staff": "1001",
            "content": "介绍了5G套餐",
            "intention": "considers",
            "result": "CALL_AGAIN",
            "remarks": "after work",
            "call_id": "c-1",
            "occurred_at": "2026-11-22T12:05:00+08:00",
        },
        {
            "task_id": "t-2",
            "msisdn": "8613800138000",
            "channel": "WECHAT",
            "staff": "1002",
            "content": "offer sent",
            "intention": "accepts",
            "result": "DONE",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"result": ...}),
        ("bad_type", {"content": None}),
        ("bad_msisdn", {"msisdn": "+8613800138000"}),
    ),
)
