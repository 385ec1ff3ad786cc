"""Works on systems, 割接 (#31): drift that begins in their window is collected and reported once, at the end. Pure.

Ledger record `~cutovers`, one a partition: `{"v": 1, "windows": {ID: Window}}`, of those that are not long over, and
not too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

KEPT = 7 * 86_400_000
"""Milliseconds after its end for which a window is remembered: what it began may open late."""
MOST_WINDOWS = 128
MOST_TIES = 16
"""Records kept of some works that were told at the same moment."""


class Told(TypedDict):
    """When what is known of some works was told, ms, and by which records."""

    told_at: int
    causes: NotRequired[list[int]]
    """Those told at that moment, by their short names: the last one counts. Left out by older records."""


class Window(Told):
    """Works, as they were told last. Times are milliseconds."""

    systems: list[str]
    regions: list[str]
    """Empty: everywhere."""
    starts_at: int
    ends_at: int
    cancelled: bool


Windows = Mapping[str, Window]


def causes_with(known: Told | None, told_at: int, cause: int) -> list[int] | None:
    """The `causes` of works of which a record `cause` was told at `told_at`; None when it does not count.

    As of states, of two told at the same moment the later arrival counts: who cancels by a copy of the line that
    planned leaves its time. So a record that comes again must not count again: it would turn back what came after it.
    """
    if known is None or known["told_at"] < told_at:
        return [cause]
    causes = known.get("causes", [])
    return None if known["told_at"] > told_at or cause in causes else [*causes, cause][-MOST_TIES:]


def with_cutover(windows: Windows, record: Mapping[str, Any], cause: int, now: int) -> tuple[Windows, int]:
    """`windows` with a record of `yupan.cutover.v1`, the very same when it does not count; and how many are dropped.

    `cause`: the record's short name (`causes_with`).

    Of too many those go first that have ended, the oldest before the others, then those that begin last.
    """
    known = windows.get(record["cutover_id"])
    causes = causes_with(known, record["occurred_at"], cause)
    if causes is None:
        return windows, 0
    window: Window = {
        "systems": list(record["systems"]),
        "regions": list(record["regions"]),
        "starts_at": record["starts_at"],
        "ends_at": record["ends_at"],
        "told_at": record["occurred_at"],
        "causes": causes,
        "cancelled": record["action"] == "CANCELLED",
    }
    recent = {name: each for name, each in windows.items() if each["ends_at"] + KEPT >= now}
    found = {**recent, record["cutover_id"]: window}
    dropped = sorted(found, key=lambda name: _worth(found[name], now))[: max(0, len(found) - MOST_WINDOWS)]
    return {name: each for name, each in found.items() if name not in dropped}, len(dropped)


def collecting(windows: Windows, reads: Iterable[str], region: str | None, since: int) -> str | None:
    """The works that drift of `reads` (`system.attribute`) in a region belongs to that began at `since` (ms)."""
    return max(_at(windows, reads, region, since), default=(0, None))[1]


def healing(windows: Windows, reads: Iterable[str], region: str | None, since: int, at: int) -> str | None:
    """The works in whose window drift ended, at `at` (ms), that had begun before them, at `since`."""
    found = (one for one in _at(windows, reads, region, at) if since < one[0])
    return max(found, default=(0, None))[1]


def _at(windows: Windows, reads: Iterable[str], region: str | None, at: int) -> Iterator[tuple[int, str]]:
    """When the works begin that are under way at `at` on what is read, and their ids."""
    systems = {name.partition(".")[0] for name in reads}
    for name, window in windows.items():
        if (
            not window["cancelled"]
            and window["starts_at"] <= at <= window["ends_at"]
            and not systems.isdisjoint(window["systems"])
            and (not window["regions"] or region in window["regions"])
        ):
            yield window["starts_at"], name


def _worth(window: Window, now: int) -> tuple[bool, int]:
    if window["ends_at"] < now:
        return False, window["ends_at"]
    return True, -window["starts_at"]
