"""Where stories are told: they plan events for the times to come, and this keeps them in order of time."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from schemas.catalogue import EVENTS
from streams.simulate.desk import Desk
from streams.simulate.subscribers import Population, Subscriber

STATE = "yupan.state.v1"
USAGE = "yupan.usage.v1"
CALL = "yupan.call.v1"
CONTACT = "yupan.contact.v1"
TASK = "yupan.retention-task.v1"
LIST = "yupan.list.v1"
SEAT = "yupan.seat.v1"
TICKET = "yupan.ticket.v1"
CUSTOMER = "yupan.customer.v1"

MINUTE = 60_000
DEADLINES: dict[str, int] = {
    "opening": 10 * MINUTE,
    "activation": 10 * MINUTE,
    "charging": 15 * MINUTE,
    "charging.recharge": 15 * MINUTE,
    "gift": 24 * 60 * MINUTE,
    "subscription": 10 * MINUTE,
    "subscription.network": 10 * MINUTE,
    "sacp-signing": 30 * MINUTE,
}
"""The deadlines of contracts.md, in ms: what a counterpart keeps well inside of, unless others are in force."""
_SHARE_OF_DEADLINE = 0.4
"""No counterpart takes longer than this share of its deadline, so that a slow machine makes no drift of its own."""


class Happening(NamedTuple):
    """One event to publish: `occurred_at` in ms, `id` and `source` are its CloudEvents identity."""

    occurred_at: int
    topic: str
    record: dict[str, Any]
    id: str
    source: str


@dataclass(frozen=True, slots=True)
class Injected:
    """A drift that we put in: `trigger` is the `ce_id` of the event that no counterpart follows. Times in ms."""

    id: str
    msisdn: str
    check: str
    trigger: str
    at: int
    due_at: int
    repaired_at: int | None


Story = Callable[["Stage", int], None]


class _Planned(NamedTuple):
    at: int
    serial: int
    event: Happening | Story
    follows: str | None
    drift: Injected | None


def _defaults(topic: str) -> dict[str, Any]:
    return {f.name: f.avro["default"] for f in EVENTS[topic].fields.values() if "default" in f.avro}


class Stage:
    """What stories share: chance, people, deadlines and the plan. Times are ms; `end` may be infinite."""

    def __init__(
        self,
        *,
        seed: int,
        start: int,
        end: float,
        customers: int,
        deadlines: Mapping[str, int],
        haste: float,
        drift: float,
        desk: Desk,
    ) -> None:
        self.rng = Random(f"yupan/{seed}")
        self.start = start
        self.end = end
        self.haste = haste
        self.desk = desk
        self.drift_share = drift
        self.deadlines = {**DEADLINES, **deadlines}
        self.population = Population(self.rng, customers, start)
        self.run = hashlib.sha256(f"{seed}/{start}".encode()).hexdigest()[:8]
        self.planned = 0
        self._heap: list[_Planned] = []
        self._serial = 0
        self._sequences: dict[str, int] = {}
        self._awaited: dict[str, int] = {}
        self._open: set[str] = set()
        self._blank = {topic: _defaults(topic) for topic in EVENTS}

    def plan(
        self,
        at: float,
        topic: str,
        source: str,
        *,
        follows: str | None = None,
        drift: Callable[[str], Injected] | None = None,
        **fields: Any,
    ) -> str:
        """Plan one event and return its id. `follows`: the id of the event whose counterpart this is.

        `drift` makes, from the new id, the entry of the injected list that this event triggers.
        """
        at = int(at)
        event_id = f"{source.lower()}-{self.run}-{self._serial}"
        blank = self._blank[topic]
        record = {name: ({} if value == {} else [] if value == [] else value) for name, value in blank.items()}
        record |= {**fields, "occurred_at": at}
        if follows is not None:
            self._awaited[follows] = self._awaited.get(follows, 0) + 1
        self._push(at, Happening(at, topic, record, event_id, source), follows, drift(event_id) if drift else None)
        self.planned += 1
        return event_id

    def state(
        self,
        person: Subscriber,
        at: float,
        system: str,
        attribute: str,
        value: str | float | bool | None,
        *,
        follows: str | None = None,
        drift: Callable[[str], Injected] | None = None,
        **fields: Any,
    ) -> str:
        """Plan that `system` holds `value` from `at` (ms) on; the id of the event."""
        return self.plan(
            at,
            STATE,
            system,
            follows=follows,
            drift=drift,
            msisdn=person.msisdn,
            region=person.region,
            system=system,
            attribute=attribute,
            value=value,
            **fields,
        )

    def later(self, at: float, story: Story) -> None:
        """Tell `story` when its time has come."""
        self._push(int(at), story, None, None)

    def _push(self, at: int, event: Happening | Story, follows: str | None, drift: Injected | None) -> None:
        heapq.heappush(self._heap, _Planned(at, self._serial, event, follows, drift))
        self._serial += 1

    def number(self) -> str:
        """A number for a transaction, an order, a call: new in this run and in any other."""
        self._serial += 1
        return f"{self.run}{self._serial}"

    def next_at(self) -> float:
        """When the next planned thing is due (ms); infinite when nothing is planned."""
        return self._heap[0].at if self._heap else float("inf")

    def take(self, injected: list[Injected]) -> Happening | None:
        """The next event; None when it was a story, which has been told. Its drift goes to `injected`."""
        planned = heapq.heappop(self._heap)
        if not isinstance(planned.event, Happening):
            planned.event(self, planned.at)
            return None
        return self._out(planned, planned.event, injected)

    def _out(self, planned: _Planned, event: Happening, injected: list[Injected]) -> Happening:
        if event.id in self._awaited:
            self._open.add(event.id)
        if planned.follows is not None:
            self._arrived(planned.follows)
        if planned.drift is not None:
            injected.append(planned.drift)
        if "sequence" in event.record:
            # Above the numbers of any earlier run, as a source that restarts must be.
            number = self._sequences.get(event.source, self.start * 1000) + 1
            self._sequences[event.source] = event.record["sequence"] = number
        return event

    def _arrived(self, trigger: str) -> None:
        self._awaited[trigger] -= 1
        if not self._awaited[trigger]:
            del self._awaited[trigger]
            self._open.discard(trigger)

    def owed(self, at: int, injected: list[Injected]) -> list[Happening]:
        """The counterparts still on their way, all at `at` (ms) at the latest; then nothing is planned any more."""
        found = []
        for planned in sorted(self._heap, key=lambda p: p[:2]):
            if isinstance(planned.event, Happening) and planned.follows in self._open:
                when = min(at, planned.at)
                event = planned.event._replace(occurred_at=when)
                event.record["occurred_at"] = when
                drift = planned.drift and replace(
                    planned.drift, at=when, due_at=planned.drift.due_at - planned.at + when, repaired_at=None
                )
                found.append(self._out(planned._replace(drift=drift), event, injected))
        self._heap.clear()
        return found

    def propagation(self, check: str) -> int:
        """How long a counterpart takes (ms): lognormal, well inside the deadline of `check`."""
        within = self.deadlines[check]
        usual = min(6000.0, within * 0.1)
        return round(min(usual * self.rng.lognormvariate(0, 0.6), within * _SHARE_OF_DEADLINE))

    def fits(self, at: float) -> bool:
        """Whether what happens at `at` (ms) still happens before the end."""
        return at <= self.end

    def span(self, low: float, high: float) -> float:
        """A time span in ms between `low` and `high` seconds, shortened by the haste."""
        return self.rng.uniform(low, high) * 1000 / self.haste
