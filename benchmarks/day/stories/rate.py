"""Cells and regions: attempts minute by minute, dealt so evenly that each window's share is known beforehand.

A busy stretch of four hours has its near misses (exactly at the bound; failures of users; one bad minute), one bad
period of three to ten times as many failures as are allowed, and after it a while between the two bounds, in which it
stays open. Outside, half of the attempts fail for a while, but there are too few to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from random import Random
from typing import NamedTuple

from benchmarks.day.plan import MINUTE, START, Drift, Person, Plan

BUSY = 240
"""Minutes of the busy stretch."""
ATTEMPTS = 20
"""A minute in the busy stretch."""
FEW = 8
"""Attempts a minute of which a window has fewer than 50."""
JUDGED_MS = 7 * MINUTE
"""A bad period is told, and told to be over, so long after its start or end at the latest."""


class Kind(NamedTuple):
    """A check's bounds in failures of `ATTEMPTS`, as repeating patterns of minutes."""

    check: str
    usage: str
    per: str
    usual: Sequence[int]
    bound: Sequence[int]
    """Exactly at the bound under which it would open."""
    between: Sequence[int]
    """Not bad enough to open, not good enough to end."""
    dip: int
    """Failures of one minute that do not pull a window under the bound."""
    bad: int


CONNECT = Kind("network-connect-rate", "CALL_ATTEMPT", "cell", (0, 1), (2,), (2, 2, 2, 2, 1), 7, 5)
SMS = Kind("sms-delivery-rate", "SMS_DELIVERY", "region", (0, 0, 1), (1,), (1,), 3, 3)


class Minute(NamedTuple):
    """What happens in one minute: attempts, of these failed, and failures of users besides."""

    attempts: int
    failed: int
    users: int = 0


class Area:
    """One cell or region with its day and the customers in it, who take turns."""

    def __init__(
        self,
        kind: Kind,
        name: str,
        region: str,
        people: Sequence[Person],
        rng: Random,
        hours: tuple[int, int],
        times: int,
    ) -> None:
        """`hours`: in which its stretch lies; `times`: so many times the usual attempts, in proportion."""
        self.kind = kind
        self.name = name
        self.region = region
        self.begin = rng.randrange(hours[0] * 60 + 60, hours[1] * 60 - BUSY)
        self.bad = self.begin + 110 + rng.randrange(40)
        self.bad_for = rng.randrange(10, 40)
        self._times = times
        self._rng = rng
        self._people = people
        self._turn = rng.randrange(len(people))
        self._failed: set[int] = set()
        """Customers whose last attempt failed: the next one succeeds, so that nobody's failures make a row."""
        self._days = self._day()

    def drift(self) -> Drift:
        """The bad period; it is over when the time between the bounds is."""
        kind = self.kind
        who, cause = f"{kind.per}:{self.name}", f"usage.{kind.usage}.{kind.per}"
        since, until = (START + minute * MINUTE for minute in (self.bad, self.bad + self.bad_for + 15))
        return Drift(kind.check, who, "", since, until, "RESOLVED", who, cause)

    def _day(self) -> dict[int, Minute]:
        kind, begin, attempts = self.kind, self.begin, ATTEMPTS
        day = {minute: Minute(FEW, FEW // 2) for minute in range(begin - 50, begin - 20)}
        usual, bound, between = (cycle(pattern) for pattern in (kind.usual, kind.bound, kind.between))
        for minute in range(begin, begin + BUSY):
            since = minute - begin
            if minute in range(self.bad, self.bad + self.bad_for):
                day[minute] = Minute(attempts, kind.bad)
            elif minute in range(self.bad + self.bad_for, self.bad + self.bad_for + 15):
                day[minute] = Minute(attempts, next(between))
            elif since in range(30, 50):
                day[minute] = Minute(attempts, next(bound))
            elif since in range(70, 80):
                day[minute] = Minute(attempts, next(usual), attempts // 3)
            else:
                day[minute] = Minute(attempts, kind.dip if since == 100 else next(usual))
        return day

    def tell(self, plan: Plan, minute: int) -> None:
        """Tell the attempts of a minute of the day; some arrive late, some twice."""
        told = self._days.get(minute)
        if told is None:
            return
        times = 1 if told.attempts == FEW else self._times
        attempts, failed, users = (count * times for count in told)
        causes: list[str | None] = [*(["congestion"] * failed), *([None] * (attempts - failed)), *(["busy"] * users)]
        self._rng.shuffle(causes)
        for cause in causes:
            person = self._next(cause)
            place = {"cell": self.name if self.kind.per == "cell" else None, "region": self.region}
            late = self._rng.randrange(25_000) if self._rng.random() < 0.05 else 0
            again = 50_000 if self._rng.random() < 0.02 else 0
            at = START + minute * MINUTE + self._rng.randrange(MINUTE)
            plan.usage(at, person, self.kind.usage, cause, late=late, again=again, **place)

    def _next(self, cause: str | None) -> Person:
        for person in self._take_turns():
            if cause == "busy" or self.kind is SMS:
                return person  # which makes no row of failed calls
            if cause is None:
                self._failed.discard(person.number)
                return person
            if person.number not in self._failed:
                self._failed.add(person.number)
                return person
        raise RuntimeError(f"{self.name} has too few customers")

    def _take_turns(self) -> Iterator[Person]:
        for _ in range(len(self._people)):
            self._turn = (self._turn + 1) % len(self._people)
            yield self._people[self._turn]
