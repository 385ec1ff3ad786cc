"""The one segment of a customer (#1 to #6), as of a moment, with the reason.

    MID_HIGH 中高端  on list `mid_high`, or last Q4's ARPU of at least 360 yuan; ends with a change of owner
    NEW      新入网  from the opening for 30 days of 24 hours
    CAMPUS   校园    on list `campus`
    RURAL    农村    on list `rural`, with the contact's name and station

Leaving ends all. What is older than the newest opening or change of owner belongs to an earlier owner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from agents import lists
from agents.profile import Profile, fact, has_left, moment, owner_since

ORDER = ("MID_HIGH", "NEW", "CAMPUS", "RURAL")
"""The ranking unless configured otherwise: of several the first is the segment."""
LISTS = ("mid_high", "campus", "rural")
"""The lists whose heads `segment_at` wants."""
NEW_FOR = 30 * 24 * 3_600_000
"""Milliseconds from the opening during which a subscriber is new; the end is not included."""
MID_HIGH_FEN = 36_000
"""ARPU of last year's Q4 from which a customer is mid/high, in fen."""


class Match(NamedTuple):
    """Why and while a segment holds. Times are milliseconds, `until` is not included, None is open."""

    segment: str
    why: str
    start: int | None
    until: int | None
    entry: Mapping[str, Any] | None = None
    """The list's entry, with `name` and `station` where it has them."""


class Segment(NamedTuple):
    """The segment of a customer as of a moment; `receipt` is what a tagged call carries."""

    name: str | None
    receipt: dict[str, Any]
    match: Match | None


def segment_at(
    profile: Profile | None,
    heads: Mapping[str, lists.Head | None],
    at: int,
    order: Sequence[str] = ORDER,
) -> Segment:
    """The segment as of `at` (ms). `heads` are the heads of `LISTS` by name; what `order` leaves out is none."""
    versions = {name: lists.version_at(heads.get(name), at) for name in LISTS}
    matches = [] if profile is None or has_left(profile, at) else _matches(profile, heads, at, order)
    winner = matches[0] if matches else None
    name = winner.segment if winner else None
    receipt = {
        "winner": name,
        "losers": [match.segment for match in matches[1:]],
        "list_versions": {name: version for name, version in versions.items() if version is not None},
        "valid_from": winner.start if winner else None,
        "valid_to": winner.until if winner else None,
    }
    return Segment(name, receipt, winner)


def _matches(profile: Profile, heads: Mapping[str, lists.Head | None], at: int, order: Sequence[str]) -> list[Match]:
    found = (_TESTS[name](profile, heads, at) for name in order)
    return [match for match in found if match is not None]


def _mid_high(profile: Profile, heads: Mapping[str, lists.Head | None], at: int) -> Match | None:
    changed = moment(profile, "owner_changed_at", at)
    entry = _entry(profile, heads, "mid_high", at)
    if entry is not None and not (changed and entry["at"] <= changed[0]):
        return Match("MID_HIGH", "on list mid_high", entry.get("from", entry["at"]), entry.get("to"), entry)
    arpu = fact(profile, "q4_arpu", at)
    if arpu is None or not _is_mid_high(arpu[0]) or (changed and arpu[1] <= changed[0]):
        return None
    return Match("MID_HIGH", "q4_arpu", arpu[1], None)


def _is_mid_high(arpu: Any) -> bool:
    is_number = isinstance(arpu, (int, float)) and not isinstance(arpu, bool) and math.isfinite(arpu)
    return is_number and round(arpu * 100) >= MID_HIGH_FEN


def _new(profile: Profile, heads: Mapping[str, lists.Head | None], at: int) -> Match | None:
    opened = fact(profile, "opened_at", at)
    if opened is None or not opened[0] <= at < opened[0] + NEW_FOR:
        return None
    return Match("NEW", "opened_at", opened[0], opened[0] + NEW_FOR)


def _on_list(segment: str, name: str) -> _Test:
    def test(profile: Profile, heads: Mapping[str, lists.Head | None], at: int) -> Match | None:
        entry = _entry(profile, heads, name, at)
        if entry is None:
            return None
        return Match(segment, f"on list {name}", entry.get("from", entry["at"]), entry.get("to"), entry)

    return test


def _entry(profile: Profile, heads: Mapping[str, lists.Head | None], name: str, at: int) -> dict[str, Any] | None:
    return lists.entry_at(profile["lists"].get(name), heads.get(name), at, owner_since(profile, at))


_Test = Callable[[Profile, Mapping[str, "lists.Head | None"], int], "Match | None"]
_TESTS: dict[str, _Test] = {
    "MID_HIGH": _mid_high,
    "NEW": _new,
    "CAMPUS": _on_list("CAMPUS", "campus"),
    "RURAL": _on_list("RURAL", "rural"),
}
