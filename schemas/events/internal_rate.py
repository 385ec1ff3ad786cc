"""`yupan.internal.rate.v1`: what customers of one partition did in a cell or region, brought to that area (#49)."""

from __future__ import annotations

from typing import TypedDict

from schemas.errors import RecordError
from schemas.event_type import EventType, Record
from schemas.fields import Id, Millis


class InternalRate(TypedDict):
    """Counts of one check, area and pane: those of one batch, each attempt in one of them."""

    check: Id
    cell: str | None
    region: str | None
    """The area itself, or where its cell was said to lie last."""
    pane: Millis
    """When the pane begins."""
    succeeded: int
    failed: int
    occurred_at: Millis
    """Of the newest attempt."""


def area(record: Record) -> str | None:
    """`cell:ID`, else `region:NAME`: the key, and whose counts these are."""
    if record["cell"]:
        return f"cell:{record['cell']}"
    return f"region:{record['region']}" if record["region"] else None


def _rule(rate: Record) -> None:
    if area(rate) is None:
        raise RecordError("bad_value", "counts are of a cell or a region", "cell")


EVENT = EventType(
    record=InternalRate,
    topic="yupan.internal.rate.v1",
    flow="internal",
    key=area,
    rule=_rule,
    default_source=lambda r: "yupan/rate",
    examples=(
        {
            "cell": "460-00-1-77",
            "check": "network-connect-rate",
            "pane": "2026-11-22T12:00:00+08:00",
            "succeeded": 17,
            "failed": 3,
            "region": "nanchang",
            "occurred_at": "2026-11-22T12:00:58+08:00",
        },
        {
            "region": "nanchang",
            "check": "sms-delivery-rate",
            "pane": 1795320060000,
            "succeeded": 0,
            "failed": 1,
            "occurred_at": 1795320107000,
        },
    ),
    bad=(
        ("bad_value", {"cell": ..., "region": ...}),
        ("missing_field", {"pane": ...}),
        ("bad_value", {"check": ""}),
        ("bad_type", {"failed": "three"}),
        ("bad_time", {"pane": "noon"}),
    ),
)
