"""`yupan.internal.rate.v1`: what customers of one partition did in a cell or region, brought to that area (#49)."""

from __future__ import annotations

from typing import TypedDict

from schemas.errors import RecordError
from schemas.event_type import EventType, Record
from schemas.fields import Millis


class InternalRate(TypedDict):
    """Counts of one batch by check, area and pane; or, to every partition, up to when all of a partition is counted."""

    source: int
    """The partition that tells it."""
    slide: int
    """The length of a pane in milliseconds."""
    until: Millis | None
    """All that occurred before this is counted, but for what is late."""
    check: str | None
    cell: str | None
    region: str | None
    """The area itself, or where its cell was said to lie last."""
    pane: Millis | None
    """When the pane begins."""
    succeeded: int
    failed: int
    occurred_at: Millis
    """Of the newest attempt; of `until`, when it could be told."""


def area(record: Record) -> str | None:
    """`cell:ID`, else `region:NAME`: the key, and whose counts these are; None of what is told to all."""
    if record["cell"]:
        return f"cell:{record['cell']}"
    return f"region:{record['region']}" if record["region"] else None


def _rule(rate: Record) -> None:
    counts = None not in (rate["check"], rate["pane"], area(rate))
    if counts is (rate["until"] is not None):
        raise RecordError(
            "bad_value", "either counts of a check, an area and a pane, or until when all is counted", "until"
        )


EVENT = EventType(
    record=InternalRate,
    topic="yupan.internal.rate.v1",
    flow="internal",
    key=area,
    rule=_rule,
    default_source=lambda r: "yupan/rate",
    examples=(
        {
            "source": 3,
            "slide": 60000,
            "cell": "460-00-1-77",
            "check": "network-connect-rate",
            "pane": "2026-11-22T12:00:00+08:00",
            "succeeded": 17,
            "failed": 3,
            "region": "nanchang",
            "occurred_at": "2026-11-22T12:00:58+08:00",
        },
        {
            "source": 0,
            "slide": 60000,
            "until": 1795320060000,
            "succeeded": 0,
            "failed": 0,
            "occurred_at": 1795320120000,
        },
    ),
    bad=(
        ("bad_value", {"cell": ..., "region": ...}),
        ("bad_value", {"pane": ...}),
        ("bad_value", {"until": 1795320060000}),
        ("missing_field", {"source": ...}),
        ("bad_type", {"failed": "three"}),
        ("bad_time", {"pane": "noon"}),
    ),
)
