"""Works on systems, 割接 (#31): drift that begins in their window is collected and reported once, at the end. Pure.

Ledger record `~cutovers`, one a partition: `{"v": 1, "windows": {ID: Window}}`, of those that are not long over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

KEPT = 7 * 86_400_000
"""Milliseconds after its end for which a window is remembered: what it began may open late."""


class Window(TypedDict):
    """Works, as they were told last. Times are milliseconds."""

    systems: list[str]
    regions: list[str]
    """Empty: everywhere."""
    starts_at: int
    ends_at: int
    title: dict[str, str]
    told_at: int
    cancelled: bool


Windows = Mapping[str, Window]


def with_cutover(windows: Windows, record: Mapping[str, Any], now: int) -> Windows:
    """`windows` with a record of `yupan.cutover.v1`; the very same when a newer one is known."""
    known = windows.get(record["cutover_id"])
    if known is not None and known["told_at"] >= record["occurred_at"]:
        return windows
    window: Window = {
        "systems": list(record["systems"]),
        "regions": list(record["regions"]),
        "starts_at": record["starts_at"],
        "ends_at": record["ends_at"],
        "title": dict(record["title"]),
        "told_at": record["occurred_at"],
        "cancelled": record["action"] == "CANCELLED",
    }
    recent = {name: each for name, each in windows.items() if each["ends_at"] + KEPT >= now}
    return {**recent, record["cutover_id"]: window}


def collecting(windows: Windows, reads: Iterable[str], region: str | None, since: int) -> str | None:
    """The works that drift of `reads` (`system.attribute`) in a region belongs to that began at `since` (ms)."""
    systems = {name.partition(".")[0] for name in reads}
    found = (
        (window["starts_at"], name)
        for name, window in windows.items()
        if not window["cancelled"]
        and window["starts_at"] <= since <= window["ends_at"]
        and not systems.isdisjoint(window["systems"])
        and (not window["regions"] or region in window["regions"])
    )
    return max(found, default=(0, None))[1]
