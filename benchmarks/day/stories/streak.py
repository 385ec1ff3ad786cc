"""Stories of `streak`: attempts to call that fail one after the other: or nearly so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.day.plan import DAY, HOUR, MINUTE, Drift, Person, Plan

SECOND = 1_000
WITHIN = 30 * MINUTE
CHECK = "calls"
KIND = "CALL_ATTEMPT"
CAUSES = ("congestion", "no_channel", "switch_fault")
BUSY_FOR = 3 * HOUR
"""Until then a story is over, and all that it told is forgotten."""
NEVER = 1 << 62


@dataclass
class Row:
    """Somebody's attempts from `at` on, in no cell that is counted."""

    plan: Plan
    person: Person
    at: int
    cause: str

    def fails(self, at: int, cause: str | None = None, **how: Any) -> str:
        return self.plan.usage(self.at + at, self.person, KIND, cause or self.cause, **how)

    def succeeds(self, at: int, **how: Any) -> None:
        self.plan.usage(self.at + at, self.person, KIND, **how)

    def drift(self, trigger: str, at: int, ended: int, status: str = "RESOLVED") -> None:
        times = self.at + at, self.at + ended
        cause = f"usage.{KIND}.{self.cause}"
        self.plan.drift(Drift(CHECK, self.person.msisdn, trigger, *times, status, self.person.region, cause))


def in_time(r: Row) -> int:
    r.succeeds(0)
    return HOUR


# --- near misses


def two(r: Row) -> int:
    r.fails(0)
    r.fails(4 * MINUTE)
    return BUSY_FOR


def two_and_two(r: Row) -> int:
    for at in (0, 2 * MINUTE, 6 * MINUTE, 8 * MINUTE):
        r.fails(at)
    r.succeeds(4 * MINUTE)
    return BUSY_FOR


def too_far_apart(r: Row) -> int:
    """By a millisecond."""
    for at in (0, 10 * MINUTE, WITHIN + 1):
        r.fails(at)
    r.succeeds(WITHIN + MINUTE)
    return BUSY_FOR


def by_the_user(r: Row) -> int:
    for at, cause in ((0, None), (MINUTE, "busy"), (2 * MINUTE, None), (3 * MINUTE, "no_answer")):
        r.fails(at, cause)
    return BUSY_FOR


def repeated(r: Row) -> int:
    r.fails(0)
    r.fails(MINUTE, again=2 * MINUTE)
    return BUSY_FOR


def out_of_order(r: Row) -> int:
    """The success between them arrives before the second failure."""
    r.fails(0)
    r.fails(MINUTE, late=40 * SECOND)
    r.succeeds(MINUTE + 20 * SECOND)
    r.fails(2 * MINUTE)
    return BUSY_FOR


# --- drifts


def three(r: Row) -> int:
    first = r.fails(0)
    r.fails(MINUTE)
    r.fails(3 * MINUTE)
    r.drift(first, 3 * MINUTE, 50 * MINUTE)
    r.succeeds(50 * MINUTE)
    return BUSY_FOR


def just_near_enough(r: Row) -> int:
    first = r.fails(0)
    r.fails(20 * MINUTE)
    r.fails(WITHIN)
    r.drift(first, WITHIN, WITHIN + 5 * MINUTE)
    r.succeeds(WITHIN + 5 * MINUTE)
    return BUSY_FOR


def given_up(r: Row) -> int:
    """Nobody tries again: after a day nobody knows."""
    first = r.fails(0)
    r.fails(MINUTE, again=2 * MINUTE)
    r.fails(2 * MINUTE, "rejected")
    r.fails(4 * MINUTE)
    r.drift(first, 4 * MINUTE, 4 * MINUTE + DAY, "WITHDRAWN")
    return NEVER


def last_one_first(r: Row) -> int:
    """The second failure arrives last: the row is complete as of the third."""
    first = r.fails(0)
    r.fails(MINUTE, late=50 * SECOND)
    r.fails(MINUTE + 30 * SECOND)
    r.drift(first, MINUTE + 30 * SECOND, 20 * MINUTE)
    r.succeeds(20 * MINUTE)
    return BUSY_FOR


Story = Callable[[Row], int]
"""Tells it and returns for how long (ms) its customer is busy."""
NEAR: Sequence[Story] = (two, two_and_two, too_far_apart, by_the_user, repeated, out_of_order)
DRIFTS: Sequence[Story] = (three, just_near_enough, given_up, last_one_first)
