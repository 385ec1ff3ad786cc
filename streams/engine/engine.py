"""The engine: from fetched records to committed decisions. Everything here runs in the event loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from agents.ports import Clock
from streams.engine.assignment import Assignment, Name
from streams.engine.batch import DeadLetter, Desk, EngineBatch, Output
from streams.engine.clock import SystemClock
from streams.engine.committer import Committer
from streams.engine.config import EngineConfig
from streams.engine.deadletters import DeadLetterLimit
from streams.engine.deadlines import PREFIX, Deadlines, Steady
from streams.engine.dispatch import Dispatch
from streams.engine.failure import Failed, end_process
from streams.engine.fetched import Fetched
from streams.engine.group import GroupConsumer
from streams.engine.instant import InstantProducer
from streams.engine.metrics import EngineMetrics, NullMetrics
from streams.engine.outbox import FlushingOutbox, Outbox, SinkOutbox, TransactionalOutbox
from streams.engine.partition import Partition
from streams.engine.precheck import check_topics
from streams.engine.restore import Restorer
from streams.engine.retry import FencedError, Retry
from streams.engine.shelf import Shelf
from streams.engine.urgent import UrgentConsumer

log = logging.getLogger(__name__)
Deliver = Callable[[EngineBatch], Awaitable[None]]
TICK_S = 0.05
URGENT_POLL_S = 0.001
REPORT_EVERY_S = 1.0
RESTORERS = 2
COMMIT_ANSWER_S = 30.0
GIVE_UP_S = 15.0
STOP_S = 4.0


class Engine:
    """One worker of one role. `start`, then `dispatch` until `stop`; Faust or the plain driver does so."""

    def __init__(
        self,
        config: EngineConfig,
        *,
        dead_letter: DeadLetter,
        metrics: EngineMetrics | None = None,
        clock: Clock | None = None,
        limit: DeadLetterLimit | None = None,
        sink: Callable[[], Sequence[Output] | None] | None = None,
        on_failure: Failed = end_process,
    ) -> None:
        """`sink`: a blocking flush that runs before the offsets are committed (`SinkOutbox`), for history.

        `on_failure` is told once when the engine cannot go on; by default it ends the process.
        """
        self.config = config
        self.partitions: dict[int, Partition] = {}
        self.started = False
        self.partition_count = 0
        self._metrics = metrics or NullMetrics()
        self._clock = clock or SystemClock()
        self._sink = sink
        self._on_failure = on_failure
        self._failed = threading.Event()
        self._stopping = False
        self._leaving: set[int] = set()
        self._epochs = count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop
        self._ready = asyncio.Event()
        self._steady = {True: Steady(0, 0), False: Steady(0, 0)}  # by "urgent"
        self._committing = ThreadPoolExecutor(1, f"{config.group}-commit")
        self._restoring = ThreadPoolExecutor(RESTORERS, f"{config.group}-restore")
        self._retry = Retry(self._metrics)
        self._instant = InstantProducer(config, self._retry)
        self._shelf = Shelf(config, self._clock)
        self._restorer = Restorer(config, self._clock)
        self._group = GroupConsumer(config, self._clock, self._metrics, self._pass_on, self.fail)
        self._urgent = UrgentConsumer(config, self._clock, lambda fetched: self._take(fetched, True))
        self._outbox = self._make_outbox()
        self._committer = Committer(
            config,
            self._outbox,
            self._instant,
            self.partitions,
            self._committing,
            self._metrics,
            group=lambda: self._group.metadata,
            aborted=self._aborted,
            committed=self._ready.set,
        )
        desk = Desk(
            self._clock,
            config.clock == "events",
            config.max_output_bytes,
            dead_letter,
            limit or DeadLetterLimit(),
            self._metrics,
            self._instant.send,
            self._finished,
        )
        self._dispatch = Dispatch(
            self.partitions,
            desk,
            config.urgent_topics,
            config.slice_events,
            self._group.room.give,
            self._committer.progress,
        )
        self._assignment: Assignment

    def _make_outbox(self) -> Outbox:
        if self._sink is not None:
            return SinkOutbox(self.config, self._retry, self._commit_offsets, self._sink)
        if self.config.transactional:
            return TransactionalOutbox(self.config, self._retry)
        return FlushingOutbox(self.config, self._retry, self._commit_offsets)

    # --- life

    async def start(self) -> None:
        """Connect and join the group. Raises `PartError` when the broker or a topic is not there."""
        loop = self._loop = asyncio.get_running_loop()
        self.started = True
        self.partition_count = await loop.run_in_executor(self._committing, check_topics, self.config)
        await loop.run_in_executor(self._committing, self._outbox.start)
        warm = [loop.run_in_executor(self._restoring, self._restorer.warm_up) for _ in range(RESTORERS)]
        await asyncio.gather(*warm)
        self._metrics.broker_up(True)
        self._assignment = Assignment(self.config, self._group, self, loop)
        self._group.start(self._assignment)
        self._tasks = [asyncio.create_task(self._guarded(work())) for work in (self._committer.run, self._tick)]
        if self.config.urgent_topics:
            self._tasks.append(asyncio.create_task(self._guarded(self._poll_urgent())))
        if not self.config.transactional:
            log.warning("%s: delivery is at least once: after a crash, repeats are possible", self.config.group)

    async def dispatch(self, deliver: Deliver) -> None:
        """Hand batch after batch to `deliver`, until `stop`. A batch is decided when its `with` block is left."""
        while not self._stopping:
            await self._ready.wait()
            self._ready.clear()
            self._urgent.poll()
            if not self._committer.full:
                for batch in self._dispatch.choose():
                    await deliver(batch)
            await asyncio.sleep(0)  # the next records, commits and timers get their turn

    def all_partitions(self) -> set[Name]:
        """All partitions of all topics read, whoever owns them."""
        return {(topic, number) for topic in self.config.topics for number in range(self.partition_count)}

    async def stop(self) -> None:
        """Commit what is decided, leave the group, let go of everything."""
        self._stopping = True
        self._ready.set()
        if not self._failed.is_set():
            await self._settle(self.partitions.values(), STOP_S)
        self._retry.give_up.set()  # whatever waits for a broker or sink now need not wait any more
        if not await self._loop.run_in_executor(None, self._group.stop, STOP_S):
            log.warning("%s: the consumer did not leave its group in time", self.config.group)
        for task in self._tasks:
            task.cancel()
        await self._loop.run_in_executor(self._committing, self._disconnect)
        self._shelf.forget_parked()
        self._committing.shutdown(wait=False, cancel_futures=True)
        self._restoring.shutdown(wait=False, cancel_futures=True)

    def _disconnect(self) -> None:
        self._urgent.close()
        self._instant.close()
        self._outbox.close()
        self._restorer.close()

    def fail(self, error: BaseException) -> None:
        """The engine cannot go on. Any thread; only the first call counts."""
        if not self._failed.is_set() and not (self._stopping and isinstance(error, asyncio.CancelledError)):
            self._failed.set()
            self._on_failure(error)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.fail(error)

    # --- records come in, decisions go out

    def _pass_on(self, fetched: Fetched) -> None:
        self._loop.call_soon_threadsafe(self._take, fetched, False)

    def _take(self, fetched: Fetched, urgent: bool) -> None:
        if fetched.groups or fetched.ends:
            self._dispatch.take(fetched)
            self._ready.set()
        self._steady[urgent] = fetched.steady

    def _finished(self, batch: EngineBatch) -> None:
        partition = batch.owner
        if not batch.urgent:
            self._group.room.give(len(batch.messages))
        if partition.dead:
            return
        partition.in_flight = None
        if batch.error is not None:
            self.fail(batch.error)
            return
        if partition.store is not None and batch.changes:
            partition.store.apply(batch.changes)
        self._dispatch.decided(batch)
        self._committer.add(batch)
        self._tell(batch)
        self._ready.set()

    def _tell(self, batch: EngineBatch) -> None:
        if not batch.messages:
            return
        now = time.time()
        since = {"received": time.monotonic() - batch.received_at}
        since["broker"] = now - batch.messages[-1].timestamp()[1] / 1000
        if batch.latest is not None:
            since["occurred"] = now - batch.latest / 1000
        self._metrics.decided(batch.topic, len(batch.messages), since)

    async def _poll_urgent(self) -> None:
        while True:
            await asyncio.sleep(URGENT_POLL_S)
            self._urgent.poll()

    async def _tick(self) -> None:
        reported = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            for partition in self.partitions.values():
                if partition.ready and len(partition.deadlines):
                    self._look_at_deadlines(partition)
            if time.monotonic() - reported >= REPORT_EVERY_S:
                reported = time.monotonic()
                self._report()

    def _look_at_deadlines(self, partition: Partition) -> None:
        urgent = self.config.urgent_topics
        partition.deadlines.steady(urgent, self._steady[True])
        partition.deadlines.steady(frozenset(partition.offsets) - urgent, self._steady[False])
        by_events = self.config.clock == "events"
        if partition.deadlines.collect(partition.event_clock if by_events else self._clock.now_ms()):
            partition.ripe = True
            self._ready.set()

    def _report(self) -> None:
        self._metrics.pending(self._committer.pending)
        self._metrics.assigned(sum(partition.ready for partition in self.partitions.values()))
        self._metrics.armed(sum(len(partition.deadlines) for partition in self.partitions.values()))
        now = self._clock.now_ms()
        for (topic, number), end in {**self._group.health.ends, **self._urgent.health.ends}.items():
            partition = self.partitions.get(number)
            if partition is not None and topic in partition.offsets:
                decided, broker_ms = partition.decided.get(topic, (max(partition.offsets[topic], 0), now))
                records = max(end - decided, 0)
                self._metrics.lag(topic, number, records, (now - broker_ms) / 1000 if records else 0.0)

    # --- partitions (assignment.Owner)

    async def begin(self, names: Iterable[Name]) -> list[Partition]:
        """See `assignment.Owner`."""
        starts = await self._loop.run_in_executor(self._restoring, self._restorer.start_offsets, set(names))
        begun = {}
        for (topic, number), offset in starts.items():
            partition = self.partitions.get(number)
            if partition is None:
                partition = self.partitions[number] = Partition(number, next(self._epochs), {}, self._deadlines())
            partition.offsets[topic] = offset
            begun[number] = partition
        return list(begun.values())

    def _deadlines(self) -> Deadlines:
        return Deadlines(self.config.quiet_ms, self.config.clock == "events")

    async def bring_up(self, partition: Partition) -> None:
        """See `assignment.Owner`."""
        if not partition.ready and self.config.ledger is not None:
            try:
                store, due = await self._loop.run_in_executor(self._restoring, self._restored, partition.number)
            except BaseException as error:
                self.fail(error)
                raise
            if partition.dead:
                store.close()
                return
            partition.open(store, due, self._clock.now_ms())
        partition.ready = True
        self._urgent.assign(partition.number, partition.epoch, partition.offsets)

    def _restored(self, number: int) -> tuple[Any, list[tuple[str, Any]]]:
        store = self._shelf.open(number)
        records, seconds = self._restorer.restore(number, store)
        self._metrics.restored(records, seconds)
        return store, list(store.scan(PREFIX))

    async def settled(self) -> None:
        """See `assignment.Owner`."""
        self._shelf.forget_parked()
        gc.freeze()  # what was restored is no garbage, and need not be looked at again and again

    async def give_up(self, names: Iterable[Name]) -> None:
        """See `assignment.Owner`."""
        gone = set(names)
        leaving = [self.partitions[number] for number in {number for _, number in gone} if number in self.partitions]
        self._leaving = {partition.number for partition in leaving}
        for partition in leaving:
            self._urgent.unassign(partition.number, partition.offsets)
            self._group.room.give(partition.drop_waiting())
        whole = await self._settle(leaving, GIVE_UP_S)
        for partition in leaving:
            self._drop(partition, park=whole)
        self._leaving = set()

    async def give_up_lost(self, names: Iterable[Name]) -> None:
        """See `assignment.Owner`."""
        if self.config.transactional and self._committer.busy:
            self.fail(FencedError("partitions were lost to other workers while a transaction was open"))
        lost = {number for _, number in names}
        for number in lost & set(self.partitions):
            self._drop(self.partitions[number])
        await self._committer.forget(lost)

    async def _settle(self, partitions: Iterable[Partition], within_s: float) -> bool:
        """Let running batches end, and commit. Whether all is committed."""
        until = time.monotonic() + within_s
        waited = list(partitions)
        while any(p.in_flight is not None and p.in_flight.open for p in waited) and time.monotonic() < until:
            await asyncio.sleep(0.002)
        drained = asyncio.ensure_future(self._committer.drain())
        await asyncio.wait([drained], timeout=max(until - time.monotonic(), 0.1))
        whole = drained.done()
        if not whole:
            self._retry.give_up.set()
            await drained
            self._retry.give_up.clear()
        return whole and not any(p.dead for p in waited)

    def _drop(self, partition: Partition, park: bool = False) -> None:
        if partition.dead:
            return
        partition.dead = True
        self.partitions.pop(partition.number, None)
        self._group.room.give(partition.drop_waiting())
        self._urgent.unassign(partition.number, partition.offsets)
        waiting = partition.in_flight
        if waiting is not None and not waiting.open:
            if not waiting.urgent:
                self._group.room.give(len(waiting.messages))
            waiting.messages = waiting.fired = ()  # still in Faust's queue: the agent will see nothing in it
        if partition.store is not None:
            (self._shelf.park(partition.number, partition.store) if park else partition.store.close())
        for topic in partition.offsets:
            self._metrics.lag_gone(topic, partition.number)

    def _aborted(self, touched: set[int]) -> None:
        """A transaction was aborted: what it touched is restored, and read again from its committed offsets."""
        names: set[Name] = set()
        for number in touched & set(self.partitions):
            partition = self.partitions[number]
            names |= {(topic, number) for topic in partition.offsets}
            self._drop(partition)
        names = {name for name in names if name[1] not in self._leaving}
        if names and not self._stopping:
            self._assignment.come_back(names)

    # --- at least once

    def _commit_offsets(self, offsets: list[TopicPartition]) -> None:
        """In the committer's executor."""
        answer = self._group.call(lambda consumer: consumer.commit(offsets=offsets, asynchronous=False))
        try:
            done = answer.result(COMMIT_ANSWER_S)
        except TimeoutError:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "offsets are not committed")) from None
        for tp in done:
            if tp.error is not None:
                raise KafkaException(tp.error)
