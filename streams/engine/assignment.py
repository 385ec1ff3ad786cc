"""Partitions come and go (in the consumer's thread): restore before reading, commit before giving up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.engine.config import EngineConfig
from streams.engine.group import GroupConsumer
from streams.engine.partition import Name, Partition
from streams.engine.retry import error_of

log = logging.getLogger(__name__)
T = TypeVar("T")
BESIDE_S = 0.05
"""So long at most do partitions that stay wait for the restores of those that come."""
NOT_NOW = (KafkaError._STATE, KafkaError._PREV_IN_PROGRESS)
"""What a seek answers while the fetching of its partition is being started or stopped."""
AGAIN_S = 0.02


class Owner(Protocol):
    """What the engine does about partitions, in the event loop."""

    async def begin(self, names: Iterable[Name]) -> list[Partition]:
        """Own these from now on, not ready yet; asks where to read on."""

    async def bring_up(self, partition: Partition) -> None:
        """Restore it and make it ready."""

    async def settled(self) -> None:
        """A rebalance is over."""

    async def give_up(self, names: Iterable[Name]) -> None:
        """Commit what is decided, and let them go."""

    async def give_up_lost(self, names: Iterable[Name]) -> None:
        """They already belong to others."""


class Assignment:
    """The callbacks of the group's consumer (`group.Rebalance`), and coming back after an abort."""

    def __init__(
        self, config: EngineConfig, group: GroupConsumer, owner: Owner, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._wait_s = config.restore_wait_ms / 1000
        self._urgent = config.urgent_topics
        self._incremental = config.group_protocol == "consumer"
        self._group = group
        self._owner = owner
        self._left: set[Name] = set()  # consumer thread: revoked, and perhaps given back at the end of the rebalance
        self._in_callback = False
        self._postponed: list[Callable[[Consumer], None]] = []
        self._loop = loop

    # --- in the consumer's thread

    def assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """See `group.Rebalance`."""
        self._group.refresh(consumer)
        names = _names(partitions)
        self._group.owned |= names
        if names:
            log.info("assigned: %s", _told(names))
        with self._callback(consumer):
            self._take_over(consumer, names)

    def revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """See `group.Rebalance`."""
        self._group.refresh(consumer)
        with self._callback(consumer):
            names = self._given_up("revoked", partitions, self._owner.give_up)
            self._group.offsets.settle(consumer, names)
            self._unassign(consumer, names)
            if not self._incremental:
                self._left = names

    def lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """See `group.Rebalance`."""
        with self._callback(consumer):
            names = self._given_up("lost", partitions, self._owner.give_up_lost)
            self._group.offsets.drop(names)
            self._unassign(consumer, names)

    @contextmanager
    def _callback(self, consumer: Consumer) -> Iterator[None]:
        """What is asked of the assignment while it changes waits until it has changed.

        Urgent events are decided as soon as their partition is restored, while others still are: what aborts then
        cannot be paused yet, and would be read as of its former life.
        """
        self._in_callback = True
        yield
        self._in_callback = False
        postponed, self._postponed = self._postponed, []
        for step in postponed:
            step(consumer)

    def _take_over(self, consumer: Consumer, names: set[Name]) -> None:
        """Ask where to read on, restore for a moment, assign; what is not restored by then is held back.

        Never assigned without its offset: a seek may be overtaken in librdkafka by its question for the beginning of
        the topic, and all of it would be decided anew. What comes beside partitions that stay is assigned later: its
        dead owner may have to be fenced first, and they must not wait for that.
        """
        staying, self._left = names & self._left, set()
        now = staying or names
        beside = staying or self._group.owned - names
        begun = self._finished(self._owner.begin(now))
        until = time.monotonic() + (min(self._wait_s, BESIDE_S) if beside else self._wait_s)
        coming = [(partition, self._submit(self._owner.bring_up(partition))) for partition in begun]
        for _, restored in coming:
            self._group.wait(restored, max(until - time.monotonic(), 0.0))
        self._assign(consumer, {name: offset for name, offset in self._starts(begun).items() if name in now})
        for partition, restored in coming:
            if restored.done():
                restored.result()
                self._group.epochs[partition.number] = partition.epoch
            else:
                self._hold_back(consumer, self._mine(consumer, partition))
                restored.add_done_callback(partial(self._resume_later, partition))
        self._submit(self._owner.settled())
        if names - now:
            self._come_back(consumer, names - now)

    def _given_up(self, what: str, partitions: list[TopicPartition], give_up: Any) -> set[Name]:
        names = _names(partitions)
        log.info("%s: %s", what, _told(names))
        self._group.owned -= names
        self._finished(give_up(names))
        self._group.held_back -= names
        return names

    def _unassign(self, consumer: Consumer, names: set[Name]) -> None:
        # librdkafka keeps a pause over unassign and assign: what was held back and comes again would stay silent
        consumer.resume([tp for tp in consumer.assignment() if (tp.topic, tp.partition) in names])
        if self._incremental:
            consumer.incremental_unassign(self._bulk(names))
        else:
            consumer.unassign()
        for name in names:
            self._group.positions.pop(name, None)

    def _assign(self, consumer: Consumer, starts: dict[Name, int]) -> None:
        """Read these, too, from there on."""
        positions = self._group.positions
        positions.update(starts)
        if not self._incremental:  # all anew, where it stands
            consumer.assign([TopicPartition(*name, offset) for name, offset in positions.items()])
        elif starts:
            consumer.incremental_assign([TopicPartition(*name, offset) for name, offset in starts.items()])

    def _starts(self, begun: list[Partition]) -> dict[Name, int]:
        offsets = {(topic, p.number): offset for p in begun for topic, offset in p.offsets.items()}
        return {name: offset for name, offset in offsets.items() if name[0] not in self._urgent}

    def _bulk(self, names: Iterable[Name]) -> list[TopicPartition]:
        return [TopicPartition(*name) for name in names if name[0] not in self._urgent]

    def _hold_back(self, consumer: Consumer, held: set[Name]) -> None:
        consumer.pause([TopicPartition(*name) for name in held])
        self._group.held_back |= held

    def _mine(self, consumer: Consumer, partition: Partition) -> set[Name]:
        return {
            (tp.topic, tp.partition)
            for tp in consumer.assignment()
            if tp.partition == partition.number and tp.topic in partition.offsets
        }

    def _resume(self, consumer: Consumer, partition: Partition) -> None:
        held = self._mine(consumer, partition) & self._group.held_back
        if partition.dead or not held:
            return
        try:
            for topic, number in held:
                self._seek(consumer, (topic, number), partition.offsets[topic])
        except KafkaException as error:
            if error_of(error).code() not in NOT_NOW:
                raise
            again = partial(self._group.do, partial(self._resume, partition=partition))
            self._loop.call_soon_threadsafe(self._loop.call_later, AGAIN_S, again)
            return
        self._group.epochs[partition.number] = partition.epoch
        self._group.held_back -= held
        consumer.resume([TopicPartition(*name) for name in held])
        self._group.health.broken()

    def _seek(self, consumer: Consumer, name: Name, offset: int) -> None:
        positions = self._group.positions
        if positions[name] != offset:  # else it has given nothing yet
            consumer.seek(TopicPartition(*name, offset))
            positions[name] = offset

    # --- from the event loop

    def come_back(self, names: set[Name]) -> None:
        """After an abort: read these again from where they are committed, once they are restored."""
        self._group.do(partial(self._come_back, names=names))

    def _come_back(self, consumer: Consumer, names: set[Name]) -> None:
        if self._in_callback:
            self._postponed.append(partial(self._come_back, names=names))
            return
        names = names & self._group.owned  # the rest is being taken away at this moment
        self._group.offsets.settle(consumer, names)  # at least once: what is done need not be read again
        self._hold_back(consumer, names & _names(consumer.assignment()))
        self._submit(self._owner.begin(names)).add_done_callback(self._join_later)

    def _join_later(self, begun: Future[list[Partition]]) -> None:
        if begun.exception() is None:
            self._group.do(partial(self._join, begun=begun.result()))

    def _join(self, consumer: Consumer, begun: list[Partition]) -> None:
        """Assign what is not assigned yet, but held back until it is restored."""
        if self._in_callback:
            self._postponed.append(partial(self._join, begun=begun))
            return
        alive = [partition for partition in begun if not partition.dead]
        wanted = self._group.owned - _names(consumer.assignment())
        starts = {name: offset for name, offset in self._starts(alive).items() if name in wanted}
        if starts:
            self._assign(consumer, starts)
            self._hold_back(consumer, set(starts))
        for partition in alive:
            self._submit(self._owner.bring_up(partition)).add_done_callback(partial(self._resume_later, partition))

    def _resume_later(self, partition: Partition, restored: Future[None]) -> None:
        if restored.exception() is None:
            self._group.do(partial(self._resume, partition=partition))

    # --- between the two

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _finished(self, work: Coroutine[Any, Any, T]) -> T:
        return self._answer(self._submit(work))

    def _answer(self, future: Future[T]) -> T:
        self._group.wait(future)
        return future.result()


def _names(partitions: Iterable[TopicPartition]) -> set[Name]:
    return {(tp.topic, tp.partition) for tp in partitions}


def _told(names: set[Name]) -> str:
    topics = sorted({topic for topic, _ in names})
    return f"partitions {sorted({number for _, number in names})} of {', '.join(topics) or 'nothing'}"
