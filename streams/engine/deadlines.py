"""When a deadline fires (contracts, "the clock"): a worker that catches up opens nothing that unread events settle.

Pure: the times come in as arguments. One `Deadlines` a partition.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from agents.ports import Fired

NEVER = -(1 << 62)
FOREVER = 1 << 62
PREFIX = "~due/"
"""Ledger keys of armed deadlines: `~due/CUSTOMER` holds `[[name, due_at, [topic, …]], …]`."""
SCAN_AT = 1_024
MOST_CLOCKS = 128
"""Moments kept at which the event clock was seen to go on."""


class Steady(NamedTuple):
    """What a consumer knows of itself: it has polled without a break, and handed on all that it got."""

    since: int
    """Wall time at which the unbroken polling began (ms)."""
    until: int
    """Wall time up to which nothing has come that it has not handed on."""


@dataclass(eq=False, slots=True)
class _Deadline:
    customer: str
    name: str
    due_at: int
    reads: tuple[str, ...]
    armed_at: int


@dataclass(slots=True)
class _Topic:
    """How far one topic of the partition has been decided."""

    broker_ms: int = NEVER
    occurred_at: int = NEVER
    end_at: int | None = None
    """Since when the topic's end is reached and all before it decided; None while it is not."""
    quiet_until: int = NEVER
    """The latest moment up to which a second has passed with nothing delivered, fetching all the while."""


class Deadlines:
    """The armed deadlines of one partition, and what was decided of each topic that they wait for."""

    def __init__(self, quiet_ms: int = 1_000, by_events: bool = False) -> None:
        self._quiet_ms = quiet_ms
        self._by_events = by_events
        self._armed: dict[str, dict[str, _Deadline]] = {}
        self._count = 0
        self._reads: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._order = count()
        self._heaps: dict[tuple[str, ...], list[tuple[int, int, _Deadline]]] = {}
        self._ripe: list[tuple[int, int, _Deadline]] = []
        self._topics: dict[str, _Topic] = {}
        self._clocks: list[tuple[int, int]] = []
        """The event clock, and the wall time at which it was first seen there; oldest first."""

    def __len__(self) -> int:
        return self._count

    def __contains__(self, customer: str) -> bool:
        return customer in self._armed

    # --- what is waited for

    def arm(self, customer: str, name: str, due_at: int, reads: tuple[str, ...], now: int) -> None:
        """Set or move a deadline; `now` is the wall time at which this worker does so (or rebuilds it)."""
        self.disarm(customer, name)
        reads = self._reads.setdefault(reads, reads)  # those of a restored ledger are as many as its deadlines
        deadline = _Deadline(customer, name, due_at, reads, now)
        self._armed.setdefault(customer, {})[name] = deadline
        self._count += 1
        heap = self._heaps.setdefault(reads, [])
        heapq.heappush(heap, self._entry(deadline))
        if len(heap) > SCAN_AT and len(heap) > 2 * self._count:
            heap[:] = [entry for entry in heap if self._live(entry[2])]
            heapq.heapify(heap)

    def disarm(self, customer: str, name: str) -> None:
        """Drop a deadline; nothing happens when it is not armed."""
        names = self._armed.get(customer)
        if names is None or names.pop(name, None) is None:
            return
        self._count -= 1
        if not names:
            del self._armed[customer]

    def _entry(self, deadline: _Deadline) -> tuple[int, int, _Deadline]:
        # by the wall clock nothing is waited for but θ; the event clock asks for the due time and, when quiet, more
        at = deadline.due_at if self._by_events else max(deadline.due_at, deadline.armed_at)
        return at, next(self._order), deadline

    def _live(self, deadline: _Deadline) -> bool:
        return self._armed.get(deadline.customer, {}).get(deadline.name) is deadline

    # --- what has been decided

    def delivered(self, topic: str) -> None:
        """Records of `topic` have arrived; they are not decided yet."""
        seen = self._topics.setdefault(topic, _Topic())
        seen.end_at = None
        seen.quiet_until = NEVER

    def decided(self, topic: str, broker_ms: int, occurred_at: int | None) -> None:
        """All records of `topic` up to one with these times are decided."""
        seen = self._topics.setdefault(topic, _Topic())
        seen.broker_ms = max(seen.broker_ms, broker_ms)
        if occurred_at is not None:
            seen.occurred_at = max(seen.occurred_at, occurred_at)

    def end_reached(self, topic: str, now: int) -> None:
        """Everything that `topic` holds is decided, at wall time `now`."""
        self._topics.setdefault(topic, _Topic()).end_at = now

    def steady(self, topics: frozenset[str], steady: Steady) -> None:
        """The consumer of `topics` reports that nothing more had come by `steady.until`."""
        for name in topics:
            topic = self._topics.get(name)
            if topic is None or topic.end_at is None:
                continue
            passed = steady.until - self._quiet_ms
            if passed >= max(topic.end_at, steady.since):
                topic.quiet_until = passed

    # --- what fires

    def collect(self, clock: int, now: int) -> int:
        """Find what fires now; `clock` is the partition's clock, `now` the wall's (ms). Returns how many wait."""
        if self._by_events and (not self._clocks or clock > self._clocks[-1][0]):
            self._clocks.append((clock, now))
            if len(self._clocks) > MOST_CLOCKS:  # what was passed before counts as passed at the oldest one kept
                del self._clocks[: MOST_CLOCKS // 2]
        for reads, heap in self._heaps.items():
            if heap and heap[0][0] <= clock:
                self._collect(reads, heap, clock)
        return len(self._ripe)

    def _collect(self, reads: tuple[str, ...], heap: list[tuple[int, int, _Deadline]], clock: int) -> None:
        kept = []
        bound = self._quiet_bound(reads) if self._by_events else NEVER
        while heap and heap[0][0] <= clock:
            deadline = heap[0][2]
            if not self._live(deadline):
                heapq.heappop(heap)
            elif deadline.due_at < clock and self._settled(deadline):
                heapq.heappush(self._ripe, (deadline.due_at, *heapq.heappop(heap)[1:]))
            elif deadline.due_at <= bound:
                kept.append(heapq.heappop(heap))  # waits for a quiet second of its own; later ones may not
            else:
                break
        for entry in kept:
            heapq.heappush(heap, entry)

    def _settled(self, deadline: _Deadline) -> bool:
        topics = [self._topics.get(name) for name in deadline.reads]
        return all(topic is not None and self._passed(topic, deadline) for topic in topics)

    def _passed(self, topic: _Topic, deadline: _Deadline) -> bool:
        if self._by_events:
            if topic.occurred_at >= deadline.due_at:
                return True
            # what was quiet before another topic moved the clock may hold what settles it, fetched a moment later
            return topic.quiet_until >= max(deadline.armed_at, self._passed_at(deadline.due_at))
        theta = max(deadline.due_at, deadline.armed_at)
        return topic.broker_ms >= theta or topic.quiet_until >= theta

    def _passed_at(self, due_at: int) -> int:
        """When the event clock was first seen past `due_at` (wall time, ms)."""
        index = bisect_right(self._clocks, (due_at, FOREVER))
        return self._clocks[index][1] if index < len(self._clocks) else FOREVER

    def _quiet_bound(self, reads: tuple[str, ...]) -> int:
        topics = [self._topics.get(name) or _Topic() for name in reads]
        return min(FOREVER if topic.quiet_until > NEVER else topic.occurred_at for topic in topics)

    def take(self, limit: int) -> tuple[str, list[Fired]] | None:
        """The next deadlines to fire, in order of due time, as far as they are read by the same topic first."""
        taken: list[Fired] = []
        topic = ""
        for deadline in self._next_ripe():
            if taken and (deadline.reads[0] != topic or len(taken) == limit):
                break
            topic = deadline.reads[0]
            taken.append(Fired(deadline.customer, deadline.name, deadline.due_at))
            heapq.heappop(self._ripe)
            self.disarm(deadline.customer, deadline.name)
        return (topic, taken) if taken else None

    def _next_ripe(self) -> Iterator[_Deadline]:
        while self._ripe:
            deadline = self._ripe[0][2]
            if self._live(deadline):
                yield deadline
            else:
                heapq.heappop(self._ripe)
