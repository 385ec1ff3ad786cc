"""Which partitions this worker owns: taken over, given up, lost, restored after an abort. In the event loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from itertools import count
from typing import Any

from agents.ports import Clock
from streams.engine.committer import Committer
from streams.engine.config import EngineConfig
from streams.engine.deadlines import PREFIX, Deadlines
from streams.engine.metrics import EngineMetrics
from streams.engine.partition import Name, Partition
from streams.engine.restore import Restorer
from streams.engine.retry import FencedError, Retry
from streams.engine.room import Room
from streams.engine.shelf import Shelf
from streams.engine.store import Store
from streams.engine.urgent import UrgentConsumer

log = logging.getLogger(__name__)
GIVE_UP_S = 15.0


class Ownership:
    """Implements `assignment.Owner`, and what an abort asks for."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        metrics: EngineMetrics,
        partitions: dict[int, Partition],
        committer: Committer,
        urgent: UrgentConsumer,
        room: Room,
        retry: Retry,
        restorer: Restorer,
        executor: Executor,
        fail: Callable[[BaseException], None],
        go_on: Callable[[], None],
    ) -> None:
        """`partitions` is what the other parts of the engine look at; `fail` ends the engine.

        `go_on` is called when deciding may go on after `standing_still`.
        """
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._partitions = partitions
        self._committer = committer
        self._urgent = urgent
        self._room = room
        self._retry = retry
        self._restorer = restorer
        self._executor = executor
        self._fail = fail
        self._go_on = go_on
        self._shelf = Shelf(config, clock)
        self._epochs = count(1)
        self._leaving: set[int] = set()
        self._beginning: list[set[Name]] = []  # for each `begin` under way, what was taken away meanwhile
        self._opening: dict[int, asyncio.Lock] = {}  # one restore a partition: a directory can be open once
        self.standing_still = False
        """Nothing new may be decided: partitions are being given up, or the engine stops."""

    # --- taking over (assignment.Owner)

    async def begin(self, names: Iterable[Name]) -> list[Partition]:
        """See `assignment.Owner`."""
        loop = asyncio.get_running_loop()
        gone: set[Name] = set()
        self._beginning.append(gone)
        try:
            starts = await loop.run_in_executor(self._executor, self._restorer.start_offsets, set(names))
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._beginning = [other for other in self._beginning if other is not gone]  # equal sets are others
        begun: dict[int, Partition] = {}
        for (topic, number), offset in starts.items():
            if (topic, number) in gone:
                continue  # it was taken away while we asked
            partition = self._partitions.get(number)
            if partition is None:
                deadlines = Deadlines(self._config.quiet_ms, self._config.clock == "events")
                partition = self._partitions[number] = Partition(number, next(self._epochs), {}, deadlines)
            partition.offsets[topic] = offset
            partition.decided[topic] = max(offset, 0), self._clock.now_ms()
            begun[number] = partition
        return list(begun.values())

    async def bring_up(self, partition: Partition) -> None:
        """See `assignment.Owner`."""
        if not partition.ready:
            async with self._opening.setdefault(partition.number, asyncio.Lock()):
                await self._bring_up(partition)
        if not partition.dead:
            self._urgent.assign(partition.number, partition.epoch, partition.offsets)

    async def _bring_up(self, partition: Partition) -> None:
        if partition.ready or partition.dead:
            return
        if self._config.ledger is None:
            partition.ready = True
            return
        loop = asyncio.get_running_loop()
        try:
            store, due = await loop.run_in_executor(self._executor, self._restored, partition.number)
        except BaseException as error:
            self._fail(error)
            raise
        if partition.dead:
            store.close()
        else:
            partition.open(store, due, self._clock.now_ms())
            gc.freeze()  # what was restored is no garbage, and need not be looked at again and again

    def _restored(self, number: int) -> tuple[Store, list[tuple[str, Any]]]:
        store = self._shelf.open(number)
        records, seconds = self._restorer.restore(number, store)
        self._metrics.restored(records, seconds)
        return store, list(store.scan(PREFIX))

    async def settled(self) -> None:
        """See `assignment.Owner`."""
        needed = {number for number, partition in self._partitions.items() if not partition.ready}
        await asyncio.get_running_loop().run_in_executor(self._executor, self._shelf.forget_parked, needed)

    # --- giving up (assignment.Owner)

    async def give_up(self, names: Iterable[Name]) -> None:
        """See `assignment.Owner`."""
        numbers = self._gone(names)
        leaving = [self._partitions[number] for number in numbers if number in self._partitions]
        self._leaving = {partition.number for partition in leaving}
        self.standing_still = True
        for partition in leaving:
            self._urgent.unassign(partition.number, partition.offsets)
            self._room.give(partition.drop_waiting())
        whole = await self.settle(leaving, GIVE_UP_S)
        for partition in leaving:
            self._drop(partition, park=whole and partition.ready)
        self._leaving = set()
        self.standing_still = False
        self._go_on()

    async def give_up_lost(self, names: Iterable[Name]) -> None:
        """See `assignment.Owner`."""
        numbers = self._gone(names)
        lost = [self._partitions[number] for number in numbers if number in self._partitions]
        self._leaving = numbers
        for partition in lost:
            partition.dead = True
        try:
            await self._committer.lose(numbers)
        except FencedError as error:
            self._fail(error)
        for partition in lost:
            self._drop(partition)
        self._leaving = set()
        self._go_on()

    def _gone(self, names: Iterable[Name]) -> set[int]:
        names = set(names)
        for gone in self._beginning:
            gone.update(names)
        return {number for _, number in names}

    async def settle(self, partitions: Iterable[Partition], within_s: float) -> bool:
        """Let running batches end, and commit. Returns whether all is committed; nothing is decided after that."""
        until = time.monotonic() + within_s
        waited = list(partitions)
        while any(p.in_flight is not None and p.in_flight.open for p in waited) and time.monotonic() < until:
            await asyncio.sleep(0.002)
        while self._committer.busy:
            drained = asyncio.ensure_future(self._committer.drain())
            await asyncio.wait([drained], timeout=max(until - time.monotonic(), 0.1))
            if not drained.done():
                self._retry.give_up.set()
                try:
                    await drained
                finally:
                    self._retry.give_up.clear()
                return False
            drained.result()
        return not any(partition.dead for partition in waited)

    def _drop(self, partition: Partition, park: bool = False) -> None:
        if self._partitions.get(partition.number) is not partition:
            return
        del self._partitions[partition.number]
        partition.dead = True
        self._room.give(partition.drop_waiting())
        self._urgent.unassign(partition.number, partition.offsets)
        self._empty_in_flight(partition)
        if partition.store is not None:
            if park:
                self._shelf.park(partition.number, partition.store)
            else:
                partition.store.close()
        for topic in partition.offsets:
            self._metrics.lag_gone(topic, partition.number)

    def _empty_in_flight(self, partition: Partition) -> None:
        """A batch that still waits in Faust's queue: the agent will see nothing in it."""
        waiting = partition.in_flight
        if waiting is not None and not waiting.open:
            if not waiting.urgent:
                self._room.give(len(waiting.messages))
            waiting.messages = waiting.fired = ()

    # --- after an abort

    def drop_aborted(self, touched: set[int]) -> set[Name]:
        """Void what an aborted transaction touched. Returns what must be restored and read again."""
        again: set[Name] = set()
        for number in touched & set(self._partitions):
            partition = self._partitions[number]
            if number not in self._leaving:
                again |= {(topic, number) for topic in partition.offsets}
            self._drop(partition)
        return again

    def close(self) -> None:
        """Let go of parked stores."""
        self._shelf.forget_parked()
