"""Closes transactions: every few milliseconds, while the next batches are decided."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, Message, TopicPartition

from schemas.errors import PartError
from streams.engine.batch import EngineBatch, Output
from streams.engine.config import EngineConfig
from streams.engine.instant import InstantProducer
from streams.engine.metrics import EngineMetrics
from streams.engine.outbox import Outbox
from streams.engine.partition import Partition
from streams.engine.retry import FencedError, GaveUpError, MustAbortError
from streams.engine.store import Store, encode

log = logging.getLogger(__name__)
OWNER = b"\x00owner"
"""Key of a transaction's first changelog record in a partition; its value is the owner's transactional id."""
PIECE = 200
ABORTS_AT_MOST = 10
URGENT_MORE = 16
"""So many times as many batches may wait for a commit where urgent ones are among them."""


@dataclass
class _Transaction:
    opened_at: float
    events: int = 0
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)  # by partition, each key once
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    written: dict[int, dict[str, bytes | None]] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)  # changelog offset of a partition's last record

    def partitions(self) -> set[int]:
        return {partition for _, partition in self.offsets} | set(self.changes)


class Committer:
    """Owns the open transaction. All in the event loop, but for the blocking steps of the outbox."""

    def __init__(
        self,
        config: EngineConfig,
        outbox: Outbox,
        instant: InstantProducer,
        partitions: dict[int, Partition],
        executor: Executor,
        metrics: EngineMetrics,
        *,
        group: Callable[[], Any],
        aborted: Callable[[set[int]], None],
        committed: Callable[[], None],
    ) -> None:
        """`group` gives the consumer's group metadata; `aborted` drops and restores partitions."""
        self._config = config
        self._outbox = outbox
        self._instant = instant
        self._partitions = partitions
        self._executor = executor
        self._metrics = metrics
        self._group = group
        self._aborted = aborted
        self._committed = committed
        self._open: _Transaction | None = None
        self._broken: MustAbortError | PartError | None = None
        self._void: set[int] = set()  # partitions with decisions that the broken transaction does not hold
        self._committing = False
        self._aborts = 0
        self._pending: deque[EngineBatch] = deque()
        self._pending_bulk = 0
        self._ends: dict[tuple[str, int], tuple[Partition | None, int]] = {}
        """Ends to commit once a transaction can begin, each with the life of its partition that came to it."""
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()

    # --- what goes in

    def add(self, batch: EngineBatch) -> None:
        """Take a decided batch. While a commit runs it waits: producing then would fail."""
        if self._committing or self._outbox.stale:
            self._pending.append(batch)
            self._pending_bulk += not batch.urgent
        else:
            self._include(batch)

    def progress(self, topic: str, partition: int, offset: int) -> None:
        """The end of a topic is known to lie at `offset`, behind markers that are no records."""
        if self._committing or self._outbox.stale or self._broken is not None:
            self._ends[topic, partition] = self._partitions.get(partition), offset
            return
        try:
            self._begin(partition).offsets[topic, partition] = offset
        except (MustAbortError, PartError) as error:
            self._break(error, partition)

    @property
    def full(self) -> bool:
        """Whether bulk should stand still."""
        return self._pending_bulk >= self._config.max_pending

    @property
    def brimful(self) -> bool:
        """Whether all input should stand still. A call is a batch of its own: of these there may be many."""
        return len(self._pending) >= URGENT_MORE * self._config.max_pending

    @property
    def pending(self) -> int:
        """Batches that wait for a transaction."""
        return len(self._pending)

    @property
    def busy(self) -> bool:
        """Whether anything is decided and not committed."""
        return self._open is not None or bool(self._pending)

    def _begin(self, partition: int) -> _Transaction:
        transaction = self._open
        if transaction is None:
            self._outbox.begin()
            transaction = self._open = _Transaction(time.monotonic())
            self._wake.set()
        if partition not in transaction.changes:
            transaction.changes[partition] = {}
            owner = self._outbox.owner
            if owner is not None and self._config.ledger is not None:
                # who takes the partition over finds this record at the hidden end, and fences its owner
                self._outbox.name_owner(Output(self._config.changelog, owner, OWNER, None, partition))
        return transaction

    def _include(self, batch: EngineBatch) -> None:
        if batch.owner.dead:
            return
        if self._broken is not None:
            self._void.add(batch.partition)
            return
        try:
            transaction = self._begin(batch.partition)
            for output in batch.outputs:
                self._outbox.produce(output)
        except (MustAbortError, PartError) as error:
            self._break(error, batch.partition)
            return
        if batch.changes:
            transaction.changes[batch.partition].update(batch.changes)
        if batch.end is not None:
            transaction.offsets[batch.topic, batch.partition] = batch.end
        transaction.events += len(batch.messages)

    def _break(self, error: MustAbortError | PartError, partition: int) -> None:
        self._broken = error
        self._void.add(partition)
        self._wake.set()

    # --- the loop

    async def run(self) -> None:
        """Commit when it is time, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if isinstance(self._broken, PartError):
                raise self._broken
            while self._open is not None:
                left = self._open.opened_at + self._config.commit_ms / 1000 - time.monotonic()
                if left <= 0 or self._open.events >= self._config.commit_events or self._broken is not None:
                    await self.commit()
                else:
                    await asyncio.sleep(min(left, 0.02))

    async def drain(self) -> None:
        """Commit until nothing is left undone, or waiting for the broker is given up."""
        with suppress(GaveUpError):
            while self.busy:
                if self._open is None:  # what is decided waits for a producer
                    await self.renew()
                await self.commit()

    async def commit(self) -> None:
        """Commit what is decided so far; on errors that say so, abort it instead.

        Raises `FencedError`, `TooLargeError`.
        """
        async with self._lock:
            transaction = self._open
            if transaction is None:
                return
            started = time.monotonic()
            self._committing = True
            try:
                await self._close(transaction)
                self._metrics.committed(transaction.events, time.monotonic() - started)
                self._aborts = 0
            except MustAbortError as error:
                await self._abort(transaction, error)
            finally:
                self._committing = False
            self._take_pending()
            self._committed()

    async def renew(self) -> None:
        """Go on with a new producer after an outage (`Outbox.stale`). Raises `FencedError`, `GaveUpError`."""
        await self.commit()
        async with self._lock:
            if not self._outbox.stale:
                return
            self._committing = True
            try:
                await asyncio.get_running_loop().run_in_executor(self._executor, self._outbox.start)
            except GaveUpError:
                raise
            except MustAbortError as error:
                raise FencedError(f"no new producer: {error}") from error
            finally:
                self._committing = False
            self._take_pending()
            self._committed()

    def _take_pending(self) -> None:
        if self._outbox.stale:
            return
        while self._pending:
            self._include(self._pending.popleft())
        self._pending_bulk = 0
        ends, self._ends = self._ends, {}
        for (topic, number), (partition, offset) in ends.items():
            if partition is None or self._partitions.get(number) is not partition:
                continue  # in another life of it all up to the same offset may be fetched, and nothing be decided
            if partition.offsets.get(topic) == offset:
                self.progress(topic, number, offset)

    async def _close(self, transaction: _Transaction) -> None:
        if self._broken is not None:
            raise self._broken
        stores = await self._write_changelog(transaction)
        offsets = [TopicPartition(t, p, offset) for (t, p), offset in transaction.offsets.items()]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._finish, transaction, offsets, stores)
        self._open = None
        for number, store in stores.items():
            store.settle(transaction.changes[number])

    async def _write_changelog(self, transaction: _Transaction) -> dict[int, Store]:
        stores: dict[int, Store] = {}
        for number, changes in transaction.changes.items():
            partition = self._partitions.get(number)
            if changes and partition is not None and partition.store is not None:
                stores[number] = partition.store
                await self._write_changes(transaction, number, changes)
        return stores

    async def _write_changes(self, transaction: _Transaction, number: int, changes: dict[str, Any]) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                transaction.last[number] = message.offset() or 0

        write, changelog = self._outbox.write, self._config.changelog
        written = transaction.written[number] = {}
        left = len(changes)
        for key, record in changes.items():
            left -= 1
            value = written[key] = None if record is None else encode(record)
            if left:
                write(changelog, value, key.encode(), number)
            else:
                write(changelog, value, key.encode(), number, on_delivery=delivered)
            if left % PIECE == 0:
                await asyncio.sleep(0)  # urgent events get their turn

    def _finish(self, transaction: _Transaction, offsets: list[TopicPartition], stores: dict[int, Store]) -> None:
        self._instant.acknowledged()
        self._outbox.commit(offsets, self._group())
        for number, store in stores.items():
            last = transaction.last.get(number)
            store.persist(transaction.written[number], None if last is None else last + 1)

    async def _abort(self, transaction: _Transaction, error: MustAbortError) -> None:
        log.warning("transaction aborted: %s", error)
        self._metrics.aborted()
        self._aborts += 1
        if self._aborts >= ABORTS_AT_MOST:
            raise PartError(f"{self._aborts} transactions in a row were aborted, the last one because: {error}")
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._outbox.abort)
        except GaveUpError:  # nobody waits any longer: the next producer of this name takes back what is open
            self._outbox.stale = self._config.transactional
        except MustAbortError as failed:
            raise FencedError(f"the transaction can be neither committed nor aborted: {failed}") from error
        # what was decided meanwhile on the state that is now void goes with it
        touched = transaction.partitions() | self._void | {batch.partition for batch in self._pending}
        self._pending.clear()
        self._pending_bulk = 0
        self._void.clear()
        self._open = None
        self._broken = None
        self._aborted(touched)

    async def lose(self, lost: set[int]) -> None:
        """These partitions belong to others: nothing of theirs is committed any more.

        A transaction holds the outputs of all its partitions, so all of it is aborted, once the broker answers. What
        is being committed already is the broker's to refuse: it knows whose they are. Raises `FencedError`.
        """
        async with self._lock:
            if self._open is None or not self._open.partitions() & lost:
                return
            if not self._config.transactional:
                self._forget(self._open, lost)
                return
            self._broken = MustAbortError("its partitions were lost to other workers")
        await self.commit()

    def _forget(self, transaction: _Transaction, lost: set[int]) -> None:
        for number in lost:
            transaction.changes.pop(number, None)
        for name in [name for name in transaction.offsets if name[1] in lost]:
            del transaction.offsets[name]
