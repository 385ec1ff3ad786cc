"""Taking a partition over: fence who left a transaction open, ask for the committed offsets, read the changelog."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from agents.ports import Clock
from schemas.errors import PartError
from streams.engine.committer import OWNER
from streams.engine.config import EngineConfig
from streams.engine.retry import AWAY, error_of
from streams.engine.store import Store

log = logging.getLogger(__name__)
T = TypeVar("T")
ASK_S = 20.0
BEGINNING = -2
MARGIN = 0.9  # of delete.retention.ms: clocks differ, and the cleaner does not wait for us
TRY_FOR_S = 60.0
"""So long is anything tried again but a broker that is away: for that a worker waits."""
LATE_S = 0.2
"""So long may the markers of an owner that has committed and gone on living take; who is later is taken for dead."""
PIECE = 2_000
"""Records taken at once: while they are, nobody else of this process gets a turn."""


class Restored(NamedTuple):
    """What a restore did."""

    records: int
    seconds: float


class _Handles(NamedTuple):
    """Kept consumers: new librdkafka handles cost a quarter of a second for each restore."""

    committed: Consumer
    uncommitted: Consumer
    offsets: Consumer


class Restorer:
    """Blocking; called in an executor's threads, each with handles of its own."""

    def __init__(self, config: EngineConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._local = threading.local()
        self._all: list[_Handles] = []
        self._closed = threading.Event()
        self._fences = config.transactional and config.ledger is not None

    # --- committed offsets

    def start_offsets(self, names: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where to read on, by (topic, partition); -2: at the beginning. Fences first, or the answer would wait."""
        wanted = list(names)
        return self._tried("committed offsets", lambda: self._start_offsets(wanted))

    def _start_offsets(self, names: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        if self._fences:
            for partition in sorted({partition for _, partition in names}):
                self._fence(partition)
        # stable ones, and given to assign() explicitly: librdkafka's own query costs a tenth of a second or more
        found = self._handles().offsets.committed([TopicPartition(*name) for name in names], TRY_FOR_S)
        for tp in found:
            if tp.error is not None:
                raise KafkaException(tp.error)
        return {(tp.topic, tp.partition): tp.offset if tp.offset >= 0 else BEGINNING for tp in found}

    # --- fencing

    def _fence(self, partition: int) -> int:
        """Abort transactions of dead or replaced owners on the changelog's partition; its end, as of now."""
        handles = self._handles()
        tp = TopicPartition(self._config.changelog, partition)
        _, end = handles.uncommitted.get_watermark_offsets(tp, timeout=ASK_S)
        began = time.monotonic()
        fenced: set[str] = set()
        while True:
            _, stable = handles.committed.get_watermark_offsets(tp, timeout=ASK_S)
            if stable >= end:
                return end
            passed = time.monotonic() - began
            if passed > TRY_FOR_S:
                raise PartError(f"{self._config.changelog}/{partition}: a transaction stays open at offset {stable}")
            owner = self._owner_at(partition, stable)
            if passed > LATE_S and owner and owner not in {self._config.transactional_id, *fenced}:
                fenced.add(owner)
                log.info("partition %d: fencing %s, which left a transaction open", partition, owner)
                Producer({**self._config.instant_producer(), "transactional.id": owner}).init_transactions(ASK_S)
            else:
                time.sleep(0.02)  # markers of a transaction that is committed are still being written

    def _owner_at(self, partition: int, offset: int) -> str | None:
        reader = self._handles().uncommitted
        reader.assign([TopicPartition(self._config.changelog, partition, offset)])
        try:
            until = time.monotonic() + 5
            while time.monotonic() < until:
                message = reader.poll(0.5)
                if message is not None and message.error() is None:
                    owner = message.value()
                    return owner.decode() if owner is not None and message.key() == OWNER else None
        finally:
            reader.unassign()
        return None

    # --- the changelog

    def restore(self, partition: int, store: Store) -> Restored:
        """Bring `store` to the end of its changelog."""
        started = time.monotonic()
        records = self._tried("restore", lambda: self._restore(partition, store))
        return Restored(records, time.monotonic() - started)

    def _restore(self, partition: int, store: Store) -> int:
        handles = self._handles()
        tp = TopicPartition(self._config.changelog, partition)
        low, high = handles.uncommitted.get_watermark_offsets(tp, timeout=ASK_S)
        if self._fences:
            high = self._fence(partition)  # behind it only a zombie can write, which cannot commit: never wait for that
        start = self._start_of(partition, store, low)
        if start == high and self._config.transactional:
            store.restored(high)
            return 0  # on Tansu this would prove nothing, since its answer is too low
        end, records = self._read(partition, start, high, store)
        if end < start:
            log.warning("partition %d: the changelog ends before the local ledger: the ledger is discarded", partition)
            store.clear()
            end, records = self._read(partition, low, high, store)
        store.restored(end)
        return records

    def _start_of(self, partition: int, store: Store, low: int) -> int:
        position = store.position()
        if position is None:
            if next(iter(store.scan("")), None) is not None:
                store.clear()  # a restore was cut off, perhaps long ago: it may miss deletions, too
            return low
        age = self._clock.now_ms() - position.saved_at
        if age <= self._config.tombstones_kept_ms * MARGIN and position.offset >= low:
            return position.offset
        log.info("partition %d: the local ledger is too old (%d s) and discarded", partition, age // 1000)
        store.clear()  # deletions that it has not seen may have been compacted away
        return low

    def _read(self, partition: int, start: int, high: int, store: Store) -> tuple[int, int]:
        """Read to the end as the broker tells it with a fetch; returns the end's offset and the number of records."""
        reader = self._handles().committed
        reader.assign([TopicPartition(self._config.changelog, partition, start)])
        records = 0
        try:
            while True:
                message = reader.poll(1.0)
                if message is None:
                    continue
                messages = [message, *reader.consume(PIECE, 0)]
                end = _end_of(messages)
                pairs = _pairs(messages)
                store.restore(pairs)
                records += len(pairs)
                # below `high` the end is only that of what is committed so far
                if end is not None and (end >= high or not self._fences):
                    return end, records
        finally:
            reader.unassign()

    # --- handles

    def _handles(self) -> _Handles:
        handles: _Handles | None = getattr(self._local, "handles", None)
        if handles is None:
            config = self._config
            other = f"{config.group}-restore"
            handles = self._local.handles = _Handles(
                Consumer(config.restore_consumer("read_committed", other)),
                Consumer(config.restore_consumer("read_uncommitted", other)),
                Consumer(config.restore_consumer("read_committed", config.group)),
            )
            self._all.append(handles)
        return handles

    def warm_up(self) -> None:
        """Connect this thread's handles ahead of the first rebalance."""
        self._tried("connecting", self._ask_each)

    def _ask_each(self) -> None:
        topic = self._config.changelog if self._config.ledger is not None else self._config.topics[0]
        for consumer in self._handles():
            consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=ASK_S)

    def close(self) -> None:
        """Let go of all handles; a restore that waits for the broker gives up."""
        self._closed.set()
        for handles in self._all:
            for consumer in handles:
                consumer.close()
        self._all.clear()

    def _tried(self, what: str, step: Callable[[], T]) -> T:
        until = time.monotonic() + TRY_FOR_S
        while True:
            try:
                return step()
            except KafkaException as exception:
                error = error_of(exception)
                too_long = time.monotonic() > until and error.code() not in AWAY
                if error.fatal() or too_long or self._closed.is_set():
                    raise PartError(f"{what}: {error.name()}: {error.str()}") from exception
                log.warning("%s: trying again (%s: %s)", what, error.name(), error.str())
                self._renew_handles()  # a broken one does not always recover
                self._closed.wait(0.5)

    def _renew_handles(self) -> None:
        handles: _Handles | None = getattr(self._local, "handles", None)
        self._local.handles = None
        if handles is not None and not self._closed.is_set():  # else `close` does so
            self._all.remove(handles)
            for consumer in handles:
                consumer.close()


def _end_of(messages: Sequence[Message]) -> int | None:
    for message in messages:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                return message.offset() or 0
            raise KafkaException(error)
    return None


def _pairs(messages: Sequence[Message]) -> list[tuple[str, bytes | None]]:
    pairs = []
    for message in messages:
        key = message.key()
        if message.error() is None and key is not None and key != OWNER:
            pairs.append((key.decode(), message.value()))
    return pairs
