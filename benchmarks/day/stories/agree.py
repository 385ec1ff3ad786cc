"""Stories of `agree`: one system takes a value, and the others follow, nearly do not, or do not.

A story returns until when its customer is busy with it and the value that is held then, or None when it cannot be told
of this matter (nothing was told then).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.day.plan import HOUR, MINUTE, Drift, Person, Plan

SECOND = 1_000
NEVER = 1 << 62
AFTER = HOUR + MINUTE
"""So long nothing else is told of a customer after a drift: what opens again within the hour is the same anomaly."""
Told = tuple[int, Any] | None


class Partner(NamedTuple):
    """A system that follows: its `system.attribute`, the check that says so, its name there, the deadline (ms)."""

    name: str
    check: str
    watched: str
    within: int


@dataclass
class Matter:
    """One change of one customer."""

    plan: Plan
    person: Person
    at: int
    reference: str
    old: Any
    """What all hold; None: nothing was ever told."""
    new: Any
    third: Any
    """Another value than these; None: there is none."""
    focus: Partner
    """Whom the story is about; the others follow."""
    others: Sequence[Partner]
    words: Mapping[Any, Any]
    """The partners' words for the reference's values; empty: the same."""

    @property
    def due(self) -> int:
        return self.at + self.focus.within

    def tell(self, at: int, value: Any, **how: Any) -> str:
        return self.plan.state(at, self.person, self.reference, value, **how)

    def follow(self, at: int, value: Any, **how: Any) -> str:
        return self.plan.state(at, self.person, self.focus.name, self.words.get(value, value), **how)

    def rest(self, at: int, value: Any) -> None:
        for partner in self.others:
            self.plan.state(at + self.soon(), self.person, partner.name, self.words.get(value, value))

    def change(self, **how: Any) -> str:
        """The reference takes the new value, and all but the focus follow."""
        self.rest(self.at, self.new)
        return self.tell(self.at, self.new, **how)

    def soon(self) -> int:
        return self.plan.rng.randrange(SECOND, 2 * MINUTE)

    def drift(self, trigger: str, at: int, ended: int | None, *, missing: bool = False) -> None:
        check, cause = self.focus.check, f"{self.focus.watched}.{'missing' if missing else 'differs'}"
        status = "" if ended is None else "RESOLVED"
        self.plan.drift(Drift(check, self.person.msisdn, trigger, at, ended, status, self.person.region, cause))

    def later(self, at: int) -> int:
        return at + self.plan.rng.randrange(20 * SECOND, 90 * MINUTE)


def in_time(m: Matter) -> Told:
    m.change()
    at = m.at + m.soon()
    m.follow(at, m.new)
    return at, m.new


# --- near misses


def at_the_deadline(m: Matter) -> Told:
    m.change()
    m.follow(m.due, m.new, first=True)
    return m.due, m.new


def taken_back(m: Matter) -> Told:
    """The reference returns at the deadline; nobody has followed."""
    if m.old is None:
        return None
    m.tell(m.at, m.new)
    m.tell(m.due, m.old, first=True)
    return m.due, m.old


def settled_anew(m: Matter) -> Told:
    """Shortly before the deadline the reference takes another value: all begins anew."""
    if m.third is None:
        return None
    anew = m.due - 30 * SECOND
    m.tell(m.at, m.new)
    m.tell(anew, m.third)
    m.rest(anew, m.third)
    m.follow(anew + m.focus.within, m.third, first=True)
    return anew + m.focus.within, m.third


def wrong_at_first(m: Matter) -> Told:
    if m.third is None:
        return None
    m.change()
    m.follow(m.at + m.soon(), m.third)
    m.follow(m.due, m.new, first=True)
    return m.due, m.new


def repeated(m: Matter) -> Told:
    """The reference says it again, under the same id and under another one."""
    m.change(again=m.focus.within // 2)
    m.tell(m.due - 10 * SECOND, m.new)
    m.follow(m.due, m.new, first=True, again=30 * SECOND)
    return m.due + 30 * SECOND, m.new


def out_of_order(m: Matter) -> Told:
    """What followed arrives first."""
    m.tell(m.at, m.new, late=20 * SECOND)
    m.rest(m.at, m.new)
    m.follow(m.at + 5 * SECOND, m.new)
    return m.at + 2 * MINUTE, m.new


def stale(m: Matter) -> Told:
    """What was held before arrives once more, late."""
    if m.old is None:
        return None
    m.change()
    m.follow(m.at + 20 * SECOND, m.new)
    m.follow(m.at + 10 * SECOND, m.old, late=40 * SECOND)
    return m.at + 2 * MINUTE, m.new


def outside_the_mapping(m: Matter) -> Told:
    """A value that the check knows nothing about: it is not judged while that is held."""
    if not m.words:
        return None
    m.change()
    m.follow(m.at + MINUTE, "in_maintenance")
    m.follow(m.due + 5 * MINUTE, m.new)
    return m.due + 5 * MINUTE, m.new


# --- drifts


def never(m: Matter) -> Told:
    m.drift(m.change(), m.due, None, missing=m.old is None)
    return NEVER, m.new


def late(m: Matter) -> Told:
    ended = m.later(m.due)
    m.drift(m.change(), m.due, ended, missing=m.old is None)
    m.follow(ended, m.new)
    return ended + AFTER, m.new


def just_late(m: Matter) -> Told:
    """A millisecond past the deadline."""
    m.drift(m.change(), m.due, m.due + 1, missing=m.old is None)
    m.follow(m.due + 1, m.new)
    return m.due + AFTER, m.new


def wrong(m: Matter) -> Told:
    if m.third is None:
        return None
    ended = m.later(m.due)
    m.drift(m.change(), m.due, ended)
    m.follow(m.at + m.soon(), m.third)
    m.follow(ended, m.new)
    return ended + AFTER, m.new


def insisted(m: Matter) -> Told:
    """The reference says it again meanwhile; that grants no new time."""
    ended = m.later(m.due)
    m.drift(m.change(again=MINUTE), m.due, ended, missing=m.old is None)
    m.tell(m.due - MINUTE, m.new)
    m.follow(ended, m.new)
    return ended + AFTER, m.new


def alone(m: Matter) -> Told:
    """A partner takes another value by itself."""
    if m.old is None:
        return None
    ended = m.later(m.due)
    m.drift(m.follow(m.at, m.new), m.due, ended)
    m.follow(ended, m.old)
    return ended + AFTER, m.old


def once_more(m: Matter) -> Told:
    """The same twice within an hour: the same anomaly opens again."""
    if m.old is None:
        return None
    ended, second = m.due + 2 * MINUTE, m.due + 7 * MINUTE
    m.drift(m.follow(m.at, m.new), m.due, ended)
    m.follow(ended, m.old)
    m.drift(m.follow(second, m.new), second + m.focus.within, second + m.focus.within + 3 * MINUTE)
    m.follow(second + m.focus.within + 3 * MINUTE, m.old)
    return second + m.focus.within + AFTER, m.old


def moved(m: Matter) -> Told:
    """While it is open the reference takes yet another value: it stays open until that is followed."""
    if m.old is None or m.third is None or any(other.check == m.focus.check for other in m.others):
        return None
    anew = m.due + 5 * MINUTE
    ended = anew + 3 * MINUTE
    m.drift(m.change(), m.due, ended)
    m.tell(anew, m.third)
    m.rest(anew, m.third)
    m.follow(ended, m.third)
    return ended + AFTER, m.third


Story = Callable[[Matter], Told]
NEAR: Sequence[Story] = (
    at_the_deadline,
    taken_back,
    settled_anew,
    wrong_at_first,
    repeated,
    out_of_order,
    stale,
    outside_the_mapping,
)
DRIFTS: Sequence[Story] = (never, late, just_late, wrong, insisted, alone, once_more, moved)
