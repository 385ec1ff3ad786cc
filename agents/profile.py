"""The facts of a customer (`yupan.customer.v1`): the newest of each by `occurred_at` wins, null removes.

A profile is the ledger's record `profile/MSISDN`, plain data:

    {"v": 1, "facts": {name: [[value, times], ...]}, "lists": {list: held, see agents/lists.py}}

Of each fact the last few versions are kept, newest first, because a call is tagged as of its own time
and may be delivered after a newer fact. A version is a value with the times (`occurred_at`, oldest first) at which
it was told without another in between: a full feed repeats it every night. The first time says from when it holds,
the newest that it was still said, of the present owner; those between are kept for late calls, as far as there is
room. The same functions rebuild a profile from the rows of the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import lists
from schemas.errors import RecordError
from schemas.events.customer import TIMES

Profile = dict[str, Any]

VERSIONS = 4
"""How many versions of a fact are kept: what a late call may still need."""
TIMES_KEPT = 8
"""Times of a version: its first, and the newest."""


MOST_FACTS = 100
"""Facts kept of one customer."""
MOST_LISTS = 12
"""Lists of which entries of one customer are kept: the three of the segments, and watch lists."""


def new_profile() -> Profile:
    """The profile of a customer of whom nothing is known."""
    return {"v": 1, "facts": {}, "lists": {}}


def check_room(profile: Profile | None, record: Mapping[str, Any]) -> None:
    """Refuse facts, or an entry, that would be one name too many for the ledger (the history takes them all).

    Raises `RecordError`.
    """
    if profile is None:
        profile = new_profile()
    if "facts" in record:
        if len(profile["facts"].keys() | record["facts"].keys()) > max(MOST_FACTS, len(profile["facts"])):
            raise RecordError("too_large", f"of one customer at most {MOST_FACTS} are kept", "facts")
    elif record["list"] not in profile["lists"] and len(profile["lists"]) >= MOST_LISTS:
        raise RecordError("too_large", f"of one customer at most {MOST_LISTS} are kept", "list")


def with_facts(profile: Profile | None, record: Mapping[str, Any]) -> Profile:
    """`profile` with the facts of a valid customer record; the same object when nothing is new.

    A version that is held already is a repeat; of two different ones with the same `occurred_at` the
    later arrival is the newer.
    """
    profile = profile or new_profile()
    facts: dict[str, list[list[Any]]] = dict(profile["facts"])
    changed = False
    for name, value in record["facts"].items():
        held = facts.get(name, [])
        newer = _inserted(held, value, record["occurred_at"])
        if newer is not held:
            facts[name] = newer
            changed = True
    return {**profile, "facts": facts} if changed else profile


def with_entry(profile: Profile | None, record: Mapping[str, Any]) -> Profile:
    """`profile` with an ADD or REMOVE of `yupan.list.v1`; the same object when it changes nothing."""
    profile = profile or new_profile()
    name = record["list"]
    held = profile["lists"].get(name)
    newer = lists.with_event(held, record)
    return profile if newer is held else {**profile, "lists": {**profile["lists"], name: newer}}


def owner_since(profile: Profile | None, at: int) -> int | None:
    """Since when (ms) the owner as of `at` has had the number: the newest opening or change of owner.

    What is older belongs to an earlier owner: not used in decisions, not shown. None: as far back as we know.
    """
    moments = (moment(profile, name, at) for name in ("opened_at", "owner_changed_at"))
    return max((found[0] for found in moments if found is not None), default=None)


def has_left(profile: Profile | None, at: int) -> bool:
    """Whether the owner as of `at` has left."""
    left = fact(profile, "left_at", at)
    if left is None:
        return False
    since = owner_since(profile, at)
    return since is None or left[0] >= since


def next_moment(profile: Profile | None, at: int) -> int | None:
    """The next time after `at` that a fact names: an opening, a change of owner, or the day on which they leave."""
    told = (version[0] for name in TIMES for version in _versions(profile, name)[:1])
    return min((moment for moment in told if moment is not None and moment > at), default=None)


def moment(profile: Profile | None, name: str, at: int) -> tuple[int, int] | None:
    """The newest value up to `at` of a fact that is a time, with its `occurred_at`.

    Such a fact speaks of the moment that it names: the daily feed of openings arrives after the opening.
    """
    for value, times in _versions(profile, name):
        if value is None:
            if times[0] <= at:
                return None
        elif value <= at:
            return value, times[-1]
        elif name == "left_at" and times[0] <= at:
            return None  # the day was put off: what was said before it no longer holds
    return None


def fact(profile: Profile | None, name: str, at: int) -> tuple[Any, int] | None:
    """A fact as of `at` with its `occurred_at`; None when unknown, removed, or an earlier owner's."""
    if name in TIMES:
        found: tuple[Any, int] | None = moment(profile, name, at)
    else:
        versions = ((value, [t for t in times if t <= at]) for value, times in _versions(profile, name))
        found = next(((value, told[-1]) for value, told in versions if told), None)
    if found is None or found[0] is None:
        return None
    since = owner_since(profile, at)
    is_boundary = name in TIMES and found[0] == since
    return found if since is None or found[1] >= since or is_boundary else None


def facts_at(profile: Profile | None, at: int) -> dict[str, Any]:
    """All facts of the present owner as of `at`: what may be shown."""
    names = sorted(profile["facts"]) if profile else []
    found = {name: fact(profile, name, at) for name in names}
    return {name: pair[0] for name, pair in found.items() if pair is not None}


def _versions(profile: Profile | None, name: str) -> list[list[Any]]:
    versions: list[list[Any]] = profile["facts"].get(name, []) if profile else []
    return versions


def _inserted(held: list[list[Any]], value: Any, at: int) -> list[list[Any]]:
    """`held` with `value` as of `at`, newest first; `held` itself for a repeat or what is too old to keep."""
    if any(_is_same(version, value) and at in version[1] for version in held):
        return held
    place = next((i for i, version in enumerate(held) if version[1][0] <= at), len(held))
    newer, older = held[:place], held[place:]
    if older and _is_same(older[0], value):
        made = [*newer, [value, _bounded([*older[0][1], at])], *older[1:]]
    elif older and at < older[0][1][-1]:  # told between two times of another value
        other, times = older[0]
        split = [[other, [t for t in times if t > at]], [value, [at]], [other, [t for t in times if t <= at]]]
        made = [*newer, *split, *older[1:]]
    elif newer and _is_same(newer[-1], value):
        made = [*newer[:-1], [value, _bounded([at, *newer[-1][1]])], *older]
    elif place >= VERSIONS:
        return held
    else:
        made = [*newer, [value, [at]], *older]
    return held if made == held else made[:VERSIONS]


def _is_same(version: list[Any], value: Any) -> bool:
    return bool(version[0] == value) and type(version[0]) is type(value)


def _bounded(times: list[int]) -> list[int]:
    first, *rest = sorted(times)
    return [first, *rest[-(TIMES_KEPT - 1) :]]
