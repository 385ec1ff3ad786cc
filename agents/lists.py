"""Membership in lists (`yupan.list.v1`), by `occurred_at` and never by arrival (contracts, "Lists").

What a customer's profile holds of one list, `held`, newest first:

    {"adds": [{"at", "version"?, "from"?, "to"?, "name"?, "station"?, "guidance"?, "wording"?}, ...],
     "removes": [occurred_at, ...]}

What every partition holds of a list under `~list/NAME`, its `head`, newest first:

    {"v": 1, "replaced": [[occurred_at, version], ...]}

Nothing is judged on arrival: an entry counts or does not as of a moment, so the order of arrival cannot
matter, and a late call sees the list of its own time. Both are bounded: the oldest goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Held = dict[str, Any]
Head = dict[str, Any]

KEPT = 16
"""Entries a list and customer, removals a list and customer, replacements a list."""
_FIELDS = (
    ("version", "version"),
    ("from", "valid_from"),
    ("to", "valid_to"),
    ("name", "name"),
    ("station", "station"),
    ("guidance", "guidance"),
    ("wording", "wording"),
)


def head_key(name: str) -> str:
    """The ledger's key of a list's head, one a partition."""
    return f"~list/{name}"


def with_event(held: Held | None, record: Mapping[str, Any]) -> Held:
    """`held` with an ADD or REMOVE of this list; the same object when it is a repeat or too old to keep."""
    held = held if held is not None else {"adds": [], "removes": []}
    if record["action"] == "ADD":
        adds = _with(held["adds"], _entry(record), _entry_order)
        return held if adds is held["adds"] else {**held, "adds": adds}
    removes = _with(held["removes"], record["occurred_at"], int)
    return held if removes is held["removes"] else {**held, "removes": removes}


def with_replaced(head: Head | None, record: Mapping[str, Any]) -> Head:
    """`head` with a REPLACED of this list; the same object when it is a repeat or too old to keep.

    Of two with the same `occurred_at` the one with the greater version is the newer, whichever arrives first.
    """
    head = head if head is not None else {"v": 1, "replaced": []}
    replaced = _with(head["replaced"], [record["occurred_at"], record["version"]], _replaced_order)
    return head if replaced is head["replaced"] else {**head, "replaced": replaced}


def version_at(head: Head | None, at: int) -> str | None:
    """The version of the newest REPLACED as of `at`; None when there is none or it has no version."""
    newest = _newest_replaced(head, at)
    version: str | None = newest[1] if newest else None
    return version


def entry_at(held: Held | None, head: Head | None, at: int, since: int | None = None) -> dict[str, Any] | None:
    """The newest entry that makes the customer a member as of `at`, or None.

    Entries older than `since` are an earlier owner's.
    """
    if held is None:
        return None
    replaced = _newest_replaced(head, at)
    removes = held["removes"]
    for entry in held["adds"]:
        if since is not None and entry["at"] < since:
            return None
        if _is_valid(entry, at) and _is_current(entry, replaced) and not _is_removed(entry, removes, at):
            found: dict[str, Any] = entry
            return found
    return None


def next_change(held: Held | None, head: Head | None, at: int) -> int | None:
    """When (ms) after `at` membership may change although nothing more is told of this list."""
    if held is None:
        return None
    replaced = _newest_replaced(head, at)
    current = [entry for entry in held["adds"] if _is_current(entry, replaced)]
    moments = [entry.get(name) for entry in current for name in ("at", "from", "to")]
    moments += held["removes"]
    return min((moment for moment in moments if moment is not None and moment > at), default=None)


def _is_valid(entry: dict[str, Any], at: int) -> bool:
    start, end = entry.get("from"), entry.get("to")
    return entry["at"] <= at and (start is None or start <= at) and (end is None or at < end)


def _is_current(entry: dict[str, Any], replaced: list[Any] | None) -> bool:
    version = entry.get("version")
    if version is None:
        return replaced is None or replaced[0] <= entry["at"]
    return replaced is not None and replaced[1] == version


def _is_removed(entry: dict[str, Any], removes: list[int], at: int) -> bool:
    return any(entry["at"] < removed <= at for removed in removes)


def _newest_replaced(head: Head | None, at: int) -> list[Any] | None:
    return next((r for r in head["replaced"] if r[0] <= at), None) if head else None


def _entry(record: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"at": record["occurred_at"]}
    for short, name in _FIELDS:
        value = record.get(name)
        if value is not None and value != {}:
            entry[short] = value
    return entry


def _entry_order(entry: dict[str, Any]) -> tuple[int, str]:
    """Newest first is by time; the rest only makes the order independent of arrival."""
    return entry["at"], repr(sorted(entry.items()))


def _replaced_order(replaced: list[Any]) -> tuple[int, bool, str]:
    return replaced[0], replaced[1] is not None, replaced[1] or ""


def _with(kept: list[Any], item: Any, order: Callable[[Any], Any]) -> list[Any]:
    """`kept` (newest first) with `item` in its place, `KEPT` at most; `kept` itself when nothing changes."""
    rank = order(item)
    place = 0
    for other in kept:
        other_rank = order(other)
        if other_rank == rank:
            return kept
        if other_rank < rank:
            break
        place += 1
    return kept if place >= KEPT else [*kept[:place], item, *kept[place:]][:KEPT]
