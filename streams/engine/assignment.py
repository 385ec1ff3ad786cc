"""Partitions come and go (in the consumer's thread): restore before reading, commit before giving up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol, TypeVar

from confluent_kafka import Consumer, TopicPartition

from streams.engine.config import EngineConfig
from streams.engine.group import GroupConsumer
from streams.engine.ownership import Name
from streams.engine.partition import Partition

log = logging.getLogger(__name__)
T = TypeVar("T")
BESIDE_S = 0.05
"""So long at most do partitions that stay wait for the restores of those that come."""


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
        self._owned: set[Name] = set()  # in the consumer's thread only
        self._left: set[Name] = set()  # revoked, and perhaps given back at the end of the same rebalance
        self._assigning = False
        self._postponed: set[Name] = set()
        self._loop = loop

    # --- in the consumer's thread

    def assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """See `group.Rebalance`."""
        self._group.refresh(consumer)
        names = _names(partitions)
        self._owned |= names
        if names:
            log.info("assigned: %s", _told(names))
        self._assigning = True
        self._take_over(consumer, names)
        self._assigning = False
        postponed, self._postponed = self._postponed, set()
        if postponed:
            self._come_back(consumer, postponed)

    def _take_over(self, consumer: Consumer, names: set[Name]) -> None:
        """Ask where to read on, restore for a moment, assign; what is not restored by then is held back.

        Never assigned without its offset: a seek may be overtaken in librdkafka by its question for the beginning of
        the topic, and all of it would be decided anew.
        """
        staying, self._left = names & self._left, set()
        asked = [self._submit(self._owner.begin(part)) for part in (staying, names - staying) if part]
        begun = [partition for question in asked for partition in self._answer(question)]
        beside = staying or self._owned - names
        until = time.monotonic() + (min(self._wait_s, BESIDE_S) if beside else self._wait_s)
        coming = [(partition, self._submit(self._owner.bring_up(partition))) for partition in begun]
        for _, restored in coming:
            self._group.wait(restored, max(until - time.monotonic(), 0.0))
        self._assign(consumer, names, begun)
        for partition, restored in coming:
            if restored.done():
                restored.result()
                self._group.epochs[partition.number] = partition.epoch
            else:
                self._hold_back(consumer, self._mine(consumer, partition))
                restored.add_done_callback(partial(self._resume_later, partition))
        self._submit(self._owner.settled())

    def revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """See `group.Rebalance`."""
        self._group.refresh(consumer)
        self._let_go(consumer, partitions, "revoked", self._owner.give_up)
        if not self._incremental:
            self._left = _names(partitions)

    def lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """See `group.Rebalance`."""
        self._let_go(consumer, partitions, "lost", self._owner.give_up_lost)

    def _let_go(self, consumer: Consumer, partitions: list[TopicPartition], what: str, give_up: Any) -> None:
        names = _names(partitions)
        log.info("%s: %s", what, _told(names))
        self._owned -= names
        self._finished(give_up(names))
        self._group.held_back -= names
        self._unassign(consumer, names)

    def _unassign(self, consumer: Consumer, names: set[Name]) -> None:
        # librdkafka keeps a pause over unassign and assign: what was held back and comes again would stay silent
        consumer.resume([tp for tp in consumer.assignment() if (tp.topic, tp.partition) in names])
        if self._incremental:
            consumer.incremental_unassign(self._bulk(names))
        else:
            consumer.unassign()

    def _assign(self, consumer: Consumer, names: set[Name], begun: list[Partition]) -> None:
        starts = {(topic, p.number): offset for p in begun for topic, offset in p.offsets.items()}
        bulk = [TopicPartition(*name, starts[name]) for name in names if name[0] not in self._urgent]
        if not self._incremental:
            consumer.assign(bulk)
        elif bulk:
            consumer.incremental_assign(bulk)

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

    def _resume(self, partition: Partition, consumer: Consumer) -> None:
        held = self._mine(consumer, partition) & self._group.held_back
        if partition.dead or not held:
            return
        for topic, number in held:
            consumer.seek(TopicPartition(topic, number, partition.offsets[topic]))
        self._group.epochs[partition.number] = partition.epoch
        self._group.held_back -= held
        consumer.resume([TopicPartition(*name) for name in held])
        self._group.health.broken()

    # --- from the event loop

    def come_back(self, names: set[Name]) -> None:
        """After an abort: read these again from where they are committed, once they are restored."""
        self._group.call(lambda consumer: self._come_back(consumer, names))

    def _come_back(self, consumer: Consumer, names: set[Name]) -> None:
        if self._assigning:
            # urgent events are decided as soon as their partition is restored, while others still are: what aborts
            # then cannot be paused yet, and would be read as of its former life
            self._postponed |= names
            return
        names = names & self._owned  # the rest is being taken away at this moment
        self._hold_back(consumer, names & {(tp.topic, tp.partition) for tp in consumer.assignment()})
        self._submit(self._owner.begin(names)).add_done_callback(self._bring_up_later)

    def _bring_up_later(self, begun: Future[list[Partition]]) -> None:
        for partition in begun.result() if begun.exception() is None else ():
            self._submit(self._owner.bring_up(partition)).add_done_callback(partial(self._resume_later, partition))

    def _resume_later(self, partition: Partition, restored: Future[None]) -> None:
        if restored.exception() is None:
            self._group.call(partial(self._resume, partition))

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
