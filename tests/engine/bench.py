"""A batch's surroundings without Kafka: messages, a partition with a ledger, a desk that keeps what it gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from agents.ports import Fired
from streams.engine.batch import Desk, EngineBatch, Output
from streams.engine.clock import ManualClock
from streams.engine.deadletters import DeadLetterLimit
from streams.engine.deadlines import Deadlines
from streams.engine.metrics import NullMetrics
from streams.engine.partition import Partition
from streams.engine.store import DictStore


class Record(NamedTuple):
    """A message as confluent_kafka's."""

    n: int
    text: bytes = b"v"
    in_topic: str = "in"
    at: int = 0

    def topic(self) -> str:
        return self.in_topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.n

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return self.text

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, self.at)


class Counted(NullMetrics):
    """Keeps what it is told about failures."""

    def __init__(self) -> None:
        self.dead: list[tuple[str, str]] = []
        self.back: list[str] = []

    def dead_letter(self, topic: str, reason: str) -> None:
        self.dead.append((topic, reason))

    def rerouted(self, topic: str) -> None:
        self.back.append(topic)


class Bench:
    """One partition, number 0, of the topics `in` and `call`."""

    def __init__(self, by_events: bool = False, limit: DeadLetterLimit | None = None) -> None:
        self.clock = ManualClock(1_000)
        self.metrics = Counted()
        self.sent_now: list[Output] = []
        self.finished: list[EngineBatch] = []
        self.store = DictStore(self.clock)
        self.partition = Partition(0, 1, {"in": 0, "call": 0}, Deadlines(by_events=by_events))
        self.partition.open(self.store, (), 0)
        self.dead_to = "dead"
        self.desk = Desk(
            self.clock,
            by_events,
            1_000,
            lambda cause, error: (self.dead_to, repr(error).encode(), b"k", None),
            limit or DeadLetterLimit(),
            self.metrics,
            self.sent_now.append,
            self.finished.append,
        )

    def batch(self, *messages: Any, fired: Sequence[Fired] = ()) -> EngineBatch:
        return EngineBatch(self.desk, self.partition, "in", messages, fired)
