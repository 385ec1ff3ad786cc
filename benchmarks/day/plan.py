"""What is told on the day, minute by minute, and what must be found: `Plan` keeps both.

Stories tell events for the times to come; `Plan.take` gives them out in order of delivery. An event is usually
delivered when it occurs; `late` delivers it so much later, `again` delivers it once more under the same id. Among
events of the same millisecond those with `first` go first: a deadline may fire at an `occurred_at` that is equal to it
(contracts, "the clock"), so what comes exactly at a deadline must not stand behind what others tell of that moment.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, NamedTuple

from streams.simulate.stage import STATE, USAGE
from streams.simulate.subscribers import REGIONS

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_795_276_800_000
"""Midnight of 2026-11-22 in Asia/Shanghai."""
_WEIGHTS = (24, 22, 12, 13, 5, 8, 7, 4, 5)
_BLANK_STATE: dict[str, Any] = {"previous": None, "sequence": None, "reason": None, "details": {}}


class Person(NamedTuple):
    """A customer, by number."""

    number: int
    msisdn: str
    region: str


class Drift(NamedTuple):
    """What was put in and must be found. Times are ms."""

    check: str
    who: str
    """An MSISDN, `cell:ID` or `region:NAME`."""
    trigger: str
    """The id of the event that it begins with; empty for a rate."""
    at: int
    """When it can be known: its due time, or the start of the bad period of a rate."""
    ended: int | None
    """When it is over; None: never."""
    status: str
    """How it ends: RESOLVED or WITHDRAWN; empty: it does not."""
    area: str
    cause: str


class Told(NamedTuple):
    """One delivery."""

    at: int
    turn: int
    serial: int
    topic: str
    event_id: str
    source: str
    record: dict[str, Any]


class People:
    """All customers; `join` adds one."""

    def __init__(self, rng: Random, count: int) -> None:
        self._rng = rng
        self._regions = bytearray(rng.choices(range(len(REGIONS)), _WEIGHTS, k=count))

    def __len__(self) -> int:
        return len(self._regions)

    def __getitem__(self, number: int) -> Person:
        return Person(number, f"86138{number:08d}", REGIONS[self._regions[number]])

    def join(self) -> Person:
        """A new number."""
        self._regions += bytes(self._rng.choices(range(len(REGIONS)), _WEIGHTS))
        return self[len(self) - 1]


class Plan:
    """The events to come and the drifts put in so far."""

    def __init__(self, seed: int, customers: int) -> None:
        self.rng = Random(f"day/{seed}")
        self.people = People(self.rng, customers)
        self.customers = customers
        self.drifts: list[Drift] = []
        self.stories: Counter[str] = Counter()
        """What was told, by kind of story."""
        self.last = START
        """The latest moment at which anything happens or falls due (ms)."""
        self._slices: dict[int, list[Told]] = {}
        self._serial = 0

    def state(
        self,
        at: int,
        person: Person,
        name: str,
        value: Any,
        *,
        transaction: str | None = None,
        late: int = 0,
        again: int = 0,
        first: bool = False,
    ) -> str:
        """`system.attribute` takes a value; the event's id."""
        system, _, attribute = name.partition(".")
        record = {
            **_BLANK_STATE,
            "msisdn": person.msisdn,
            "system": system,
            "attribute": attribute,
            "value": value,
            "transaction": transaction,
            "region": person.region,
            "occurred_at": at,
        }
        return self._tell(STATE, system, record, late=late, again=again, first=first)

    def usage(
        self,
        at: int,
        person: Person,
        kind: str,
        cause: str | None = None,
        *,
        cell: str | None = None,
        region: str | None = None,
        late: int = 0,
        again: int = 0,
    ) -> str:
        """The network was used; without a `cause` it went well. The event's id."""
        record = {
            "msisdn": person.msisdn,
            "kind": kind,
            "result": "FAILED" if cause else "OK",
            "cause": cause,
            "cell": cell,
            "region": region or person.region,
            "duration_ms": None,
            "occurred_at": at,
        }
        return self._tell(USAGE, "probe", record, late=late, again=again)

    def _tell(
        self, topic: str, source: str, record: dict[str, Any], *, late: int, again: int, first: bool = False
    ) -> str:
        at, event_id = record["occurred_at"] + late, f"{source}-{self._serial}"
        for when in (at, at + again) if again else (at,):
            self._serial += 1
            told = Told(when, 0 if first else 1, self._serial, topic, event_id, source, record)
            self._slices.setdefault(when // MINUTE, []).append(told)
            self.last = max(self.last, when)
        return event_id

    def drift(self, drift: Drift) -> None:
        """Put in what must be found."""
        self.drifts.append(drift)
        self.last = max(self.last, drift.at, drift.ended or 0)

    def number(self) -> str:
        """A number that no other transaction has."""
        self._serial += 1
        return str(self._serial)

    def take(self, minute: int) -> list[Told]:
        """What is delivered in that minute of the epoch, in order; it is forgotten then."""
        return sorted(self._slices.pop(minute, ()))

    def ahead(self) -> list[int]:
        """The minutes in which anything is still to be delivered."""
        return sorted(self._slices)
