"""A ledger, deadlines and batches in memory: `ports.Batch` for replays, cases and tests."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from agents.ports import Batch, Fired, Headers, Message


class Output(NamedTuple):
    """What was sent."""

    topic: str
    value: bytes | None
    key: bytes | None
    headers: Headers
    partition: int | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A record as a broker would deliver it (`ports.Message`)."""

    _topic: str
    _value: bytes | None
    _key: bytes | None = None
    _headers: Headers = field(default_factory=list)
    _offset: int = 0
    _timestamp: int = 0
    _partition: int = 0

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers | None:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 2, self._timestamp  # LogAppendTime


class World:
    """What outlives a batch: the ledger, the deadlines, the clock, and what was sent."""

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}
        self.outputs: list[Output] = []
        self.clock = 0
        self.offsets = count()
        self._armed: dict[tuple[str, str], int] = {}
        self._heap: list[tuple[int, int, str, str]] = []
        self._order = count()

    @property
    def armed(self) -> Mapping[tuple[str, str], int]:
        """When each armed deadline is due, by customer and name."""
        return self._armed

    def arm(self, customer: str, name: str, due_at: int) -> None:
        """Set or move a deadline."""
        self._armed[customer, name] = due_at
        heapq.heappush(self._heap, (due_at, next(self._order), customer, name))

    def disarm(self, customer: str, name: str) -> None:
        """Drop a deadline."""
        self._armed.pop((customer, name), None)

    def first_due(self) -> int | None:
        """When the earliest deadline is due."""
        while self._heap:
            due_at, _, customer, name = self._heap[0]
            if self._armed.get((customer, name)) == due_at:
                return due_at
            heapq.heappop(self._heap)  # it was moved or dropped
        return None

    def next_due(self, before: int) -> Fired | None:
        """The earliest deadline that is due before `before`; it is no longer armed then."""
        due_at = self.first_due()
        if due_at is None or due_at >= before:
            return None
        _, _, customer, name = heapq.heappop(self._heap)
        self.disarm(customer, name)
        return Fired(customer, name, due_at)


class MemoryBatch:
    """`ports.Batch` over a `World`. What raises in a scope leaves nothing behind, and is raised on."""

    def __init__(
        self, world: World, topic: str, messages: Sequence[Message], fired: Sequence[Fired] = (), partition: int = 0
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.messages = messages
        self.fired = fired
        self._world = world
        self._changes: dict[str, Any] = {}
        self._outputs: list[Output] = []
        self._deadlines: list[Callable[[], None]] = []
        self._in_scope = False

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is left to hand over: every scope did so."""

    @contextmanager
    def scope(self, cause: Message | Fired) -> Iterator[None]:
        """See `ports.Batch.scope`."""
        self._changes, self._outputs, self._deadlines = {}, [], []
        self._in_scope = True
        try:
            yield
        finally:
            self._in_scope = False
        self._world.records |= self._changes
        for key in [k for k, v in self._changes.items() if v is None]:
            del self._world.records[key]
        self._world.outputs += self._outputs
        for change in self._deadlines:
            change()

    def now(self) -> int:
        return self._world.clock

    def occurred(self, at: int) -> None:
        self._world.clock = max(self._world.clock, at)

    def get(self, key: str) -> Any:
        return self._changes[key] if key in self._changes else self._world.records.get(key)

    def put(self, key: str, record: Any) -> None:
        self._changes[key] = record

    def delete(self, key: str) -> None:
        self._changes[key] = None

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        outputs = self._outputs if self._in_scope else self._world.outputs
        outputs.append(Output(topic, value, key, headers or [], partition))

    def send_now(self, topic: str, value: bytes, key: bytes | None, headers: Headers | None = None) -> None:
        self.send(topic, value, key, headers)

    def arm(self, customer: str, name: str, due_at: int, reads: tuple[str, ...]) -> None:
        self._deadlines.append(lambda: self._world.arm(customer, name, due_at))

    def disarm(self, customer: str, name: str) -> None:
        self._deadlines.append(lambda: self._world.disarm(customer, name))
