"""`yupan.internal.baseline.v1`: a full export of a system is in, told to every partition (#48)."""

from __future__ import annotations

from typing import TypedDict

from schemas.event_type import EventType
from schemas.fields import Millis, System


class InternalBaseline(TypedDict):
    """All states of one full export were written before this; `yupan import --snapshot` tells it at its end."""

    system: System
    rows: int
    occurred_at: Millis


EVENT = EventType(
    record=InternalBaseline,
    topic="yupan.internal.baseline.v1",
    flow="internal",
    key=lambda r: None,
    default_source=lambda r: "yupan/import",
    examples=(
        {"system": "hlr", "rows": 1000000, "occurred_at": "2026-11-22T02:00:00+08:00"},
        {"system": "crm", "rows": 0, "occurred_at": 1795320000000},
    ),
    bad=(
        ("missing_field", {"system": ...}),
        ("bad_value", {"system": "fax"}),
        ("bad_type", {"rows": "all"}),
    ),
)
