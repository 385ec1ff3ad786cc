"""What the engine knows of one partition number: of all its topics together, since they are co-partitioned."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from streams.engine.deadlines import NEVER, PREFIX, Deadlines
from streams.engine.store import Store

if TYPE_CHECKING:
    from streams.engine.batch import EngineBatch


Name = tuple[str, int]
"""A topic, and the number of one of its partitions."""


class Partition:
    """Owned from assignment to revocation. A new one, with a new epoch, takes its place after an abort."""

    def __init__(self, number: int, epoch: int, offsets: Mapping[str, int], deadlines: Deadlines) -> None:
        self.number = number
        self.epoch = epoch
        """Fetched records that carry another epoch are of an earlier life, and dropped."""
        self.offsets = dict(offsets)
        """Topics owned, with the offset to fetch next (-2: the beginning)."""
        self.decided: dict[str, tuple[int, int]] = {}
        """By topic: the offset up to which all is decided, and the broker time (ms) of the last record."""
        self.deadlines = deadlines
        self.store: Store | None = None
        self.ready = False
        self.dead = False
        self.bulk: deque[EngineBatch] = deque()
        self.urgent: deque[EngineBatch] = deque()
        self.in_flight: EngineBatch | None = None
        self.turn = 0
        self.ripe = False
        """Whether deadlines may be waiting to be taken."""
        self.event_clock = NEVER

    def open(self, store: Store | None, due: Iterable[tuple[str, Any]], now: int) -> None:
        """Use a restored ledger, and arm as of `now` (wall time, ms) what `due` holds: its `~due/` records."""
        self.store = store
        self.ready = True
        for key, entries in due:
            for name, due_at, reads in entries:
                self.deadlines.arm(key[len(PREFIX) :], name, due_at, tuple(reads), now)

    def waiting(self, topic: str) -> EngineBatch | None:
        """The last batch of `topic` that is not decided yet."""
        for batch in reversed((*self.urgent, *self.bulk)):
            if batch.topic == topic:
                return batch
        if self.in_flight is not None and self.in_flight.topic == topic:
            return self.in_flight
        return None

    def drop_waiting(self) -> int:
        """Forget what is not in flight. Returns how many bulk records that was."""
        records = sum(len(batch.messages) for batch in self.bulk)
        self.bulk.clear()
        self.urgent.clear()
        return records
