"""`yupan.internal.list.v1`: a list's `REPLACED`, fanned out to every partition, since all customers must see it."""

from __future__ import annotations

from schemas.event_type import EventType
from schemas.events.list import ListEntry, check_entry


class InternalList(ListEntry):
    """One copy a partition of a `REPLACED` of `yupan.list.v1`; its `ce_id` comes from the source's."""


EVENT = EventType(
    record=InternalList,
    topic="yupan.internal.list.v1",
    flow="internal",
    key=lambda r: None,
    rule=check_entry,
    examples=(
        {"list": "campus", "action": "REPLACED", "version": "2026-11", "occurred_at": 1795320000000},
        {"list": "watch:stopped", "action": "REPLACED", "occurred_at": "2026-11-22T12:00:00+08:00"},
    ),
    bad=(
        ("missing_field", {"list": ...}),
        ("bad_msisdn", {"action": "ADD"}),
    ),
)
