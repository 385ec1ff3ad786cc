"""Watch lists (#54): what a desk should know of a customer although nothing is wrong. Pure.

A watch list's reminder stands while its rule holds (`agents/watches/`, found automatically) or the customer is on the
list (`yupan.list.v1`, list `watch:NAME`). Both are judged by what is held, as of a moment, never by what has just come:
so the order of arrival does not matter, and whoever judges again finds the same.

Ledger record `called/MSISDN`: `{"v": 1, "answered": [ms, …], "over": ms?}`, answered calls, newest first, and the end
of the newest that is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from agents import lists
from agents.evidence import word
from agents.profile import Profile, fact, has_left, next_moment, owner_since
from agents.states import NEVER, Held, held, states_key, value_of
from agents.texts import NEVER_SEEN, span_text

CALLS = "calls"
"""What a rule about calls reads."""
FACT = "fact."
"""What the name of a fact begins with among what rules read; states have theirs, `system.attribute`."""
MOST_CALLS = 16
"""Answered calls kept of a customer."""
Words = dict[str, Any]
"""What placeholders stand for: a value, `NEVER`, a `Time` or a `Span`."""


class Time(int):
    """A moment in milliseconds, among words."""


class Span(int):
    """A time span in milliseconds, among words."""


class Finding(NamedTuple):
    """What a rule finds as of a moment. Times are milliseconds."""

    stands: bool
    until: int | None = None
    """When it ends by itself."""
    again: int | None = None
    """When to ask again although nothing has come."""
    entry: dict[str, Any] | None = None
    """The list's entry, if the customer is on the list."""


NOTHING = Finding(stands=False)


class WatchRule(Protocol):
    """The rule of one watch list, as its kind has read it."""

    reads: tuple[str, ...]
    """The names of what may change its mind: `system.attribute`, `fact.NAME`, `calls`."""

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that its texts may use in braces."""

    def find(self, known: Known) -> Finding:
        """Whether the reminder stands."""

    def words(self, known: Known) -> Words:
        """What the placeholders stand for."""

    def describe(self) -> Mapping[str, object]:
        """The rule as plain data, as a file says it, for `checks show`."""


class Known:
    """What is held of a customer as of `at` (ms); each part is read when first asked."""

    def __init__(self, get: Callable[[str], Any], msisdn: str, at: int) -> None:
        self._get = get
        self.msisdn = msisdn
        self.at = at

    @cached_property
    def states(self) -> Held:
        """All states, also an earlier owner's."""
        return held(self._get(states_key(self.msisdn)))

    @cached_property
    def profile(self) -> Profile | None:
        """Facts and list entries."""
        profile: Profile | None = self._get(f"profile/{self.msisdn}")
        return profile

    @property
    def listed(self) -> Iterable[str]:
        """The lists on which the customer is, or ever was."""
        return self.profile["lists"] if self.profile else ()

    @cached_property
    def since(self) -> int:
        """Since when the present owner has the number; 0: as far back as we know."""
        return owner_since(self.profile, self.at) or 0

    @cached_property
    def called(self) -> Mapping[str, Any]:
        """The ledger's record of answered calls."""
        return self._get(called_key(self.msisdn)) or NO_CALLS

    @cached_property
    def answered(self) -> list[int]:
        """When the owner's last calls were answered, newest first."""
        return [at for at in self.called["answered"] if self.since <= at <= self.at]

    def state(self, name: str) -> Any:
        """The value of a state of the present owner, or `NEVER`."""
        entry = self.states.get(name)
        return value_of(self.states, name) if entry is not None and entry[1] >= self.since else NEVER

    def fact(self, name: str) -> Any:
        """A fact of the present owner; None when there is none."""
        found = fact(self.profile, name, self.at)
        return None if found is None else found[0]

    @cached_property
    def is_customer(self) -> bool:
        """Whether the owner has not left."""
        return not has_left(self.profile, self.at)

    @cached_property
    def next_moment(self) -> int | None:
        """When ownership may change although nothing comes."""
        return next_moment(self.profile, self.at)

    def entry(self, name: str) -> dict[str, Any] | None:
        """The entry that makes the customer a member of a list."""
        held_of_it, head = self._list(name)
        return lists.entry_at(held_of_it, head, self.at, self.since)

    def next_change(self, name: str) -> int | None:
        """When membership or ownership may change although nothing comes."""
        held_of_it, head = self._list(name)
        moments = lists.next_change(held_of_it, head, self.at), self.next_moment
        return min((moment for moment in moments if moment is not None), default=None)

    def _list(self, name: str) -> tuple[lists.Held | None, lists.Head | None]:
        mine = self.profile["lists"].get(name) if self.profile else None
        return mine, None if mine is None else self._get(lists.head_key(name))


NO_CALLS: Mapping[str, Any] = {"v": 1, "answered": [], "over": None}


def called_key(msisdn: str) -> str:
    """The ledger key of a customer's answered calls."""
    return f"called/{msisdn}"


def with_answered(record: Mapping[str, Any] | None, answered: int | None, over: int | None) -> dict[str, Any]:
    """`record` with a call that was `answered`, or one that is `over` (ms).

    Nobody answers a customer twice in one millisecond: that is the same call, told once more.
    """
    known = record or NO_CALLS
    calls = known["answered"]
    if answered is not None and answered not in calls:  # a log that is imported once more says nothing new
        calls = sorted((*calls, answered), reverse=True)[:MOST_CALLS]
    ends = [end for end in (known["over"], over) if end is not None]
    return {"v": 1, "answered": calls, "over": max(ends, default=None)}


def judged(name: str, rule: WatchRule | None, known: Known) -> Finding:
    """Whether the reminder of a watch list stands, by its rule or its list."""
    found = NOTHING if rule is None else rule.find(known)
    entry = known.entry(name)
    moments = [moment for moment in (found.again, known.next_change(name)) if moment is not None]
    again = min(moments, default=None)
    if not known.is_customer:
        return Finding(stands=False, again=again)
    if entry is None:
        return found._replace(again=again)
    ends = [entry.get("to"), *([found.until] if found.stands else [])]
    until = None if None in ends else max(end for end in ends if end is not None)
    return Finding(stands=True, until=until, again=again, entry=entry)


def spoken(words: Words, language: str, zone: ZoneInfo) -> dict[str, str]:
    """What placeholders stand for, as people read it; moments in the operator's time zone."""
    return {name: _spoken(value, language, zone) for name, value in words.items()}


def _spoken(value: Any, language: str, zone: ZoneInfo) -> str:
    if value is NEVER:
        return NEVER_SEEN.get(language, word(value))
    if isinstance(value, Time):
        return f"{datetime.fromtimestamp(value / 1000, zone):%Y-%m-%d %H:%M}"
    return span_text(value, language) if isinstance(value, Span) else word(value)
