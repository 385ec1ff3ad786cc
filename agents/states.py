"""The states that we hold of a customer (#48): which of two counts, what was never seen, when values are equal.

Ledger record `states/MSISDN`: `{"v": 1, "held": {"crm.status": [value, occurred_at, source, sequence, id, ties]}}`,
where `ties` names the events that lost against the one held only because they arrived before it, so that
their repeats do not turn it back. Ledger records `occurrences/MSISDN` and `used/MSISDN`: `{"v": 2, "ids": {name:
broker time in ms}}`, oldest first. An event's name is its source and its id, where many are kept 64 bits of
their hash. Records are never changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from agents.event import Event

REMEMBERED = 24 * 3_600_000
"""Milliseconds of broker time for which an occurrence's id is kept."""
MOST_IDS = 256
"""Ids of occurrences kept of one customer."""
MOST_STATES = 300
"""Attributes kept of one customer, over all systems."""
MOST_TIES = 16
"""Names of tied events kept of one state."""

Entry = list[Any]
Held = Mapping[str, Entry]
"""`system.attribute` to its entry."""


class Never:
    """The value of a state that was never seen, or whose newest value is null."""

    def __repr__(self) -> str:
        return "never seen"


NEVER: Final = Never()
ABSENT: Final = ("hlr.status", "absent")
"""The HLR's word for having no record, which is also what it is never heard to say."""


def states_key(msisdn: str) -> str:
    """The ledger key of a customer's states."""
    return f"states/{msisdn}"


def occurrences_key(msisdn: str) -> str:
    """The ledger key of the ids of a customer's occurrences."""
    return f"occurrences/{msisdn}"


def used_key(msisdn: str) -> str:
    """The ledger key of the ids of what a customer did in the network."""
    return f"used/{msisdn}"


def held(record: Mapping[str, Any] | None) -> Held:
    """What a ledger record holds; records of older versions are upgraded here."""
    return {} if record is None else record["held"]


def value_of(states: Held, name: str) -> Any:
    """The value of `system.attribute`, or `NEVER`."""
    entry = states.get(name)
    return NEVER if entry is None or entry[0] is None else entry[0]


def equal(name: str, a: Any, b: Any) -> bool:
    """Whether two values of `system.attribute` mean the same: long and double by value, never seen as false."""
    if a is NEVER or b is NEVER:
        return is_nothing(name, a) and is_nothing(name, b)
    return bool(a == b) and isinstance(a, bool) is isinstance(b, bool)


def is_nothing(name: str, value: Any) -> bool:
    """Whether `value` says the same as never having been seen: false, or `absent` in the HLR."""
    return value is NEVER or value is False or (name, value) == ABSENT


class Applied(NamedTuple):
    """What an event did to the states held."""

    held: Held
    """The states afterwards; the very same object when the event changed nothing."""
    reason: str
    """`new`, `older` (a newer one is held) or `repeated`."""


def apply(states: Held, name: str, event: Event) -> Applied:
    """Take the state in `event` under `name` (`system.attribute`), unless a newer one is held."""
    record = event.record
    entry: Entry = [record["value"], event.occurred_at, event.source, record["sequence"], event.id, []]
    before = states.get(name)
    if before is not None:
        order = _order(before, entry)
        if order > 0:
            return Applied(states, "older")
        if order == 0:
            known = [*before[5], _name(before[2], before[4])]
            if _name(event.source, event.id) in known:
                return Applied(states, "repeated")
            entry[5] = known[-MOST_TIES:]
    return Applied({**states, name: entry}, "new")


def _name(source: str, event_id: str) -> str:
    return f"{source}\x00{event_id}"


def _order(before: Entry, after: Entry) -> int:
    """> 0: the one before is newer; 0: a tie, so the later arrival counts; < 0: the one after is newer."""
    if before[2] == after[2] and before[3] is not None and after[3] is not None and before[3] != after[3]:
        return 1 if before[3] > after[3] else -1
    return int(before[1] > after[1]) - int(before[1] < after[1])


class Occurred(NamedTuple):
    """Whether an occurrence counts, and the ids to keep."""

    ids: Mapping[int, int]
    repeated: bool
    dropped: int
    """Ids forgotten before their 24 hours because there were too many."""


def known_ids(record: Mapping[str, Any] | None) -> Mapping[int, int]:
    """The ids in a ledger record; those of version 1 were names."""
    if record is None:
        return {}
    ids: Mapping[Any, int] = record["ids"]
    return {_short(name): at for name, at in ids.items()} if record["v"] == 1 else ids


def short_name(event: Event) -> int:
    """64 bits of the hash of an event's name, its source and its id: by them its repeats are known."""
    return _short(_name(event.source, event.id))


def _short(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())


def occur(ids: Mapping[int, int], event: Event, now: int) -> Occurred:
    """Remember an occurrence unless its id (source and id) repeats. `now`: broker time, ms."""
    name = short_name(event)
    kept = dict(ids)
    if ids and min(ids.values()) < now - REMEMBERED:
        kept = {known: at for known, at in ids.items() if at >= now - REMEMBERED}
    if name in kept:
        return Occurred(ids, repeated=True, dropped=0)
    kept[name] = now
    dropped = len(kept) - MOST_IDS
    for oldest in list(kept)[: max(dropped, 0)]:
        del kept[oldest]
    return Occurred(kept, repeated=False, dropped=max(dropped, 0))
