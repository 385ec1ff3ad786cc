"""Who waits for whom when partitions come and go; without Kafka."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.engine.assignment import Assignment
from streams.engine.config import EngineConfig
from streams.engine.deadlines import Deadlines
from streams.engine.offsets import Offsets
from streams.engine.partition import Partition

COMMITTED = 5


class FakeConsumer:
    """What is assigned, and from where; a seek moves it."""

    def __init__(self) -> None:
        self.at: dict[int, int] = {}
        self.refuses_to_seek = 0
        self.paused: set[int] = set()

    def assign(self, wanted: list[TopicPartition]) -> None:
        self.at = {tp.partition: tp.offset for tp in wanted}

    def unassign(self) -> None:
        self.at = {}

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("in", number) for number in self.at]

    def pause(self, names: list[TopicPartition]) -> None:
        self.paused |= {tp.partition for tp in names}

    def resume(self, names: list[TopicPartition]) -> None:
        self.paused -= {tp.partition for tp in names}

    def seek(self, tp: TopicPartition) -> None:
        if self.refuses_to_seek:
            self.refuses_to_seek -= 1
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.at[tp.partition] = tp.offset


class FakeGroup:
    """`group.GroupConsumer` without its thread: what is asked of the consumer happens when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Callable[[Any], Any]] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.epochs: dict[int, int] = {}
        self.owned: set[tuple[str, int]] = set()
        self.held_back: set[tuple[str, int]] = set()
        self.offsets = Offsets(self.asked.append)
        self.health = self

    def broken(self) -> None:
        """`Health.broken`."""

    def refresh(self, consumer: Any) -> None:
        """Nobody asks for the metadata."""

    def do(self, step: Callable[[Any], Any]) -> None:
        self.asked.append(step)

    def wait(self, future: Future[Any], timeout_s: float | None = None) -> bool:
        future.exception(5)
        return True


class FakeOwner:
    """Knows where to read on at once, but for what a dead owner holds."""

    def __init__(self) -> None:
        self.held_by_the_dead: set[int] = set()
        self.fenced = asyncio.Event()

    async def begin(self, names: Iterable[tuple[str, int]]) -> list[Partition]:
        numbers = {number for _, number in names}
        if numbers & self.held_by_the_dead:
            await self.fenced.wait()
        return [Partition(number, 10 + number, {"in": COMMITTED}, Deadlines()) for number in sorted(numbers)]

    async def bring_up(self, partition: Partition) -> None:
        partition.ready = True

    async def settled(self) -> None:
        """Nothing is parked."""

    async def give_up(self, names: Any) -> None:
        """Nothing is decided."""

    async def give_up_lost(self, names: Any) -> None:
        """Nothing is decided."""


class Stage:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.consumer: Any = FakeConsumer()
        self.group: Any = FakeGroup()
        self.owner = FakeOwner()
        self.assignment = Assignment(EngineConfig("nowhere", "g", ("in",)), self.group, self.owner, loop)

    def assigned(self, *numbers: int) -> None:
        self.assignment.assigned(self.consumer, [TopicPartition("in", number) for number in numbers])

    def revoked(self, *numbers: int) -> None:
        self.assignment.revoked(self.consumer, [TopicPartition("in", number) for number in numbers])

    def fence(self) -> None:
        self.loop.call_soon_threadsafe(self.owner.fenced.set)

    def serve(self, steps: int) -> None:
        """Let the consumer's thread do what it was asked."""
        for _ in range(steps):
            for _ in range(500):
                if self.group.asked:
                    break
                threading.Event().wait(0.01)
            self.group.asked.pop(0)(self.consumer)


@pytest.fixture
def stage() -> Iterator[Stage]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield Stage(loop)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(5)  # what was submitted has its turn
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_who_stays_does_not_wait_for_a_dead_owner_of_what_comes(stage: Stage) -> None:
    stage.assigned(0, 1)
    stage.owner.held_by_the_dead = {2, 3}
    stage.revoked(0, 1)
    stage.assigned(0, 1, 2, 3)
    assert stage.consumer.at == {0: COMMITTED, 1: COMMITTED}
    assert not stage.consumer.paused
    assert stage.group.epochs == {0: 10, 1: 11}
    stage.group.positions["in", 0] = 70  # it read on meanwhile
    stage.fence()
    stage.serve(1)
    assert stage.consumer.at == {0: 70, 1: COMMITTED, 2: COMMITTED, 3: COMMITTED}
    assert stage.consumer.paused == {2, 3}
    stage.serve(2)
    assert not stage.consumer.paused
    assert stage.group.epochs == {0: 10, 1: 11, 2: 12, 3: 13}


def test_what_is_revoked_while_its_owner_is_fenced_is_not_assigned(stage: Stage) -> None:
    stage.assigned(0)
    stage.owner.held_by_the_dead = {1}
    stage.revoked(0)
    stage.assigned(0, 1)
    stage.revoked(0, 1)
    stage.fence()
    stage.serve(1)
    assert stage.consumer.at == {}
    assert stage.group.positions == {}


def test_what_comes_first_is_assigned_at_once(stage: Stage) -> None:
    stage.assigned(0, 1)
    assert stage.consumer.at == {0: COMMITTED, 1: COMMITTED}
    assert not stage.group.asked


def test_a_seek_that_cannot_be_now_is_tried_again(stage: Stage) -> None:
    """While librdkafka starts or stops fetching a partition, it refuses: the partition must not stay silent."""
    stage.assigned(0)
    stage.group.positions["in", 0] = 70
    stage.consumer.refuses_to_seek = 2
    stage.assignment.come_back({("in", 0)})
    stage.serve(3)
    assert stage.consumer.paused == {0}
    stage.serve(2)
    assert not stage.consumer.paused
    assert stage.consumer.at == {0: COMMITTED}
