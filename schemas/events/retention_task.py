"""`yupan.retention-task.v1`: the retention system's tasks, and who took them (#56, #58)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, Int, Millis, Msisdn, Prose, enum


class RetentionTask(TypedDict):
    """A task to keep a customer was made, changed, taken, given back, withdrawn or done."""

    task_id: Id
    msisdn: Msisdn
    action: Annotated[str, enum("TaskAction", "CREATED", "CHANGED", "TAKEN", "RELEASED", "WITHDRAWN", "DONE")]
    product: str | None
    policy: Prose | None
    script: Prose | None
    due_at: Millis | None
    priority: Int | None
    owner: str | None
    occurred_at: Millis


EVENT = EventType(
    record=RetentionTask,
    topic="yupan.retention-task.v1",
    key=lambda r: r["msisdn"],
    examples=(
        {
            "task_id": "t-1",
            "msisdn": "8613800138000",
            "action": "CREATED",
            "product": "5g-199",
            "policy": "half price for a year",
            "script": "您的合约即将到期",
            "due_at": "2026-12-01T00:00:00+08:00",
            "priority": 1,
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {
            "task_id": "t-1",
            "msisdn": "8613800138000",
            "action": "TAKEN",
            "owner": "outbound-3",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"action": ...}),
        ("bad_value", {"action": "FORGOTTEN"}),
        ("bad_type", {"priority": "high"}),
        ("bad_time", {"due_at": "2026-12-01"}),
    ),
)
