"""The engine: from fetched records to committed decisions. Everything here runs in the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress

from agents.ports import Clock
from streams.engine.assignment import Assignment
from streams.engine.batch import DeadLetter, Desk, EngineBatch, Output
from streams.engine.clock import SystemClock
from streams.engine.committer import Committer
from streams.engine.config import EngineConfig
from streams.engine.deadletters import DeadLetterLimit
from streams.engine.deadlines import Steady
from streams.engine.dispatch import Dispatch, WentBackError
from streams.engine.failure import Failed, end_process
from streams.engine.fetched import Fetched
from streams.engine.group import GroupConsumer
from streams.engine.instant import InstantProducer
from streams.engine.metrics import EngineMetrics, NullMetrics
from streams.engine.outbox import FlushingOutbox, Outbox, SinkOutbox, TransactionalOutbox
from streams.engine.ownership import Ownership
from streams.engine.partition import Name, Partition
from streams.engine.precheck import check_topics
from streams.engine.restore import Restorer
from streams.engine.retry import FencedError, GaveUpError, Retry, Watchdog
from streams.engine.urgent import UrgentConsumer

log = logging.getLogger(__name__)
Deliver = Callable[[EngineBatch], Awaitable[None]]
TICK_S = 0.05
URGENT_POLL_S = 0.001
REPORT_EVERY_S = 1.0
RESTORERS = 2
STOP_S = 4.0


class Engine:
    """One worker of one role. `start`, then `dispatch` until `stop`; Faust does so, or a plain loop."""

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
        """What this worker owns, by number."""
        self.partition_count = 0
        self.started = False
        self._metrics = metrics or NullMetrics()
        self._clock = clock or SystemClock()
        self._sink = sink
        self._on_failure = on_failure
        self._failed = threading.Event()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop
        self._ready = asyncio.Event()
        self._steady = {True: Steady(0, 0), False: Steady(0, 0)}  # by "urgent"
        self._assignment: Assignment
        self._renewing: asyncio.Task[None] | None = None
        self._build_clients()
        self._build_flow(dead_letter, limit or DeadLetterLimit())

    def _build_clients(self) -> None:
        config = self.config
        self._committing = ThreadPoolExecutor(1, f"{config.group}-commit")
        self._restoring = ThreadPoolExecutor(RESTORERS, f"{config.group}-restore")
        self._retry = Retry()
        self._watchdog = Watchdog(self._retry)
        self._instant = InstantProducer(config, self._retry)
        self._restorer = Restorer(config, self._clock)
        self._group = GroupConsumer(config, self._clock, self._metrics, self._pass_on, self.fail)
        self._urgent = UrgentConsumer(config, self._clock, lambda fetched: self._take(fetched, True))
        self._outbox = self._make_outbox()

    def _build_flow(self, dead_letter: DeadLetter, limit: DeadLetterLimit) -> None:
        config, metrics = self.config, self._metrics
        self._committer = Committer(
            config,
            self._outbox,
            self._instant,
            self.partitions,
            self._committing,
            metrics,
            group=lambda: self._group.metadata,
            aborted=self._aborted,
            committed=self._ready.set,
        )
        self._ownership = Ownership(
            config,
            self._clock,
            metrics,
            self.partitions,
            self._committer,
            self._urgent,
            self._group.room,
            self._retry,
            self._restorer,
            self._restoring,
            self.fail,
            self._ready.set,
        )
        desk = Desk(
            self._clock,
            config.clock == "events",
            config.max_output_bytes,
            dead_letter,
            limit,
            metrics,
            self._instant.send,
            self._finished,
        )
        self._dispatch = Dispatch(
            self.partitions,
            desk,
            config.urgent_topics,
            config.batch_events,
            self._group.room.give,
            self._committer.progress,
        )

    def _make_outbox(self) -> Outbox:
        if self._sink is not None:
            return SinkOutbox(self.config, self._retry, self._group.offsets.done, self._sink)
        if self.config.transactional:
            return TransactionalOutbox(self.config, self._retry)
        return FlushingOutbox(self.config, self._retry, self._group.offsets.done)

    # --- life

    async def start(self) -> None:
        """Connect and join the group. Raises `PartError` when the broker or a topic is not there, `UsageError`."""
        self.started = True
        loop = self._loop = asyncio.get_running_loop()
        self.partition_count = await loop.run_in_executor(self._committing, check_topics, self.config)
        await self._connect()
        self._metrics.broker_up(True)
        self._assignment = Assignment(self.config, self._group, self._ownership, loop)
        self._group.start(self._assignment)
        works = [self._committer.run(), self._tick()]
        if self.config.urgent_topics:
            works.append(self._poll_urgent())
        self._tasks = [asyncio.create_task(self._guarded(work)) for work in works]
        if not self.config.transactional:
            log.warning("%s: delivery is at least once: repeats are possible", self.config.group)

    async def _connect(self) -> None:
        """All clients at the same time: after a crash the broker takes a while to abort what was left open."""
        steps: list[tuple[Executor, Callable[[], None]]] = [(self._restoring, self._restorer.warm_up)] * RESTORERS
        steps.append((self._committing, self._outbox.start))
        if self.config.urgent_topics:
            steps.append((self._committing, self._instant.connect))
        await asyncio.gather(*(self._loop.run_in_executor(executor, step) for executor, step in steps))

    async def dispatch(self, deliver: Deliver) -> None:
        """Hand batch after batch to `deliver`, until `stop`. A batch is decided when its `with` block is left."""
        while not self._stopping:
            await self._ready.wait()
            self._ready.clear()
            self._urgent.poll()
            if not self._committer.brimful and not self._ownership.standing_still:
                for batch in self._dispatch.choose(bulk=not self._committer.full):
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
            await self._settle_at_the_end()
        self._retry.give_up.set()  # whatever waits for a broker or sink now need not wait any more
        if not await self._loop.run_in_executor(None, self._group.stop, STOP_S):
            log.warning("%s: the consumer did not leave its group in time", self.config.group)
        for task in self._tasks:
            task.cancel()
        self._urgent.close()
        self._instant.close()
        self._outbox.close()
        self._restorer.close()
        self._ownership.close()
        self._committing.shutdown(wait=False, cancel_futures=True)
        self._restoring.shutdown(wait=False, cancel_futures=True)

    async def _settle_at_the_end(self) -> None:
        try:
            if not await self._ownership.settle(self.partitions.values(), STOP_S):
                log.warning("%s: not all could be committed; it is decided anew at the next start", self.config.group)
        except FencedError as error:
            log.warning("%s: %s", self.config.group, error)

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
            try:
                self._dispatch.take(fetched)
            except WentBackError as error:
                self.fail(error)
                return
            self._ready.set()
        self._steady[urgent] = fetched.steady

    def _finished(self, batch: EngineBatch) -> None:
        partition = batch.owner
        if not batch.urgent:
            self._group.room.give(len(batch.messages))
        partition.in_flight = None  # also of a dead one: the two hold each other
        if partition.dead:
            self._ready.set()
            return
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
        if batch.messages:
            since = batch.ages(self._clock.now_ms(), time.monotonic())
            self._metrics.decided(batch.topic, len(batch.messages), since)

    def _aborted(self, touched: set[int]) -> None:
        again = self._ownership.drop_aborted(touched)
        if again and not self._stopping:
            self._assignment.come_back(again)

    # --- what happens from time to time

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
        now = self._clock.now_ms()
        if partition.deadlines.collect(partition.event_clock if self.config.clock == "events" else now, now):
            partition.ripe = True
            self._ready.set()

    def _look_after_producer(self, up: bool) -> None:
        self._watchdog.look(broker_up=self._group.health.up)
        if not up:
            self._outbox.stale = self.config.transactional
        elif self._outbox.stale and (self._renewing is None or self._renewing.done()):
            self._renewing = asyncio.create_task(self._guarded(self._renew()))

    async def _renew(self) -> None:
        with suppress(GaveUpError):
            await self._committer.renew()

    def _report(self) -> None:
        up = self._group.health.up and not self._retry.waiting
        self._metrics.broker_up(up)
        self._look_after_producer(up)
        self._metrics.pending(self._committer.pending)
        self._metrics.assigned(sum(partition.ready for partition in self.partitions.values()))
        self._metrics.armed(sum(len(partition.deadlines) for partition in self.partitions.values()))
        now = self._clock.now_ms()
        for (topic, number), end in {**self._group.health.ends, **self._urgent.health.ends}.items():
            partition = self.partitions.get(number)
            if partition is not None and topic in partition.offsets:
                decided, broker_ms = partition.decided[topic]
                records = max(end - decided, 0)
                self._metrics.lag(topic, number, records, (now - broker_ms) / 1000 if records else 0.0)
