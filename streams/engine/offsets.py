"""Commits offsets where delivery is at least once: in the consumer's thread, but without waiting for the answer there.

A commit that waits stops whoever polls. While a broker is away that can take minutes, and the group goes on without us.
Only what is being given up is waited for: the next owner begins where it is committed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.errors import PartError
from streams.engine.retry import AWAY, error_of

log = logging.getLogger(__name__)
Name = tuple[str, int]
AGAIN_S = 0.5
REFUSED_AT_MOST = 20
"""In a row, other than because the broker is away or a rebalance has begun."""
REBALANCING = frozenset(
    (
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_MEMBER_EPOCH,
    )
)
"""A callback is about to say which partitions these offsets no longer matter for."""


class Offsets:
    """What is done and not known to be committed. All but `done` in the consumer's thread."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        """`failed` is told when the broker goes on refusing."""
        self._failed = failed
        self._lock = threading.Lock()
        self._open: dict[Name, int] = {}
        self._asked = False
        self._not_before = 0.0
        self._refused = 0

    def done(self, offsets: Iterable[TopicPartition]) -> None:
        """All up to here may be committed. Any thread."""
        with self._lock:
            self._open.update({(tp.topic, tp.partition): tp.offset for tp in offsets})

    def send(self, consumer: Consumer, owned: set[Name]) -> None:
        """Ask for it, unless the last answer is awaited. What is not in `owned` is no longer ours to commit."""
        if self._asked or not self._open or time.monotonic() < self._not_before:
            return
        with self._lock:
            self._open = {name: offset for name, offset in self._open.items() if name in owned}
        offsets = self._of(owned)
        if not offsets:
            return
        self._asked = True
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as exception:
            self.answered(error_of(exception), [])

    def answered(self, error: KafkaError | None, committed: list[TopicPartition]) -> None:
        """The broker's answer to the last `send`; librdkafka's `on_commit`."""
        self._asked = False
        self._forget(tp for tp in committed if error is None and tp.error is None)
        error = error or next((tp.error for tp in committed if tp.error is not None), None)
        if error is None:
            self._refused = 0
            return
        self._not_before = time.monotonic() + AGAIN_S
        if error.retriable() or error.code() in AWAY | REBALANCING:
            return
        self._refused += 1
        log.warning("offsets are not committed: %s: %s", error.name(), error.str())
        if self._refused >= REFUSED_AT_MOST:
            self._failed(PartError(f"the broker refuses to commit offsets: {error.name()}: {error.str()}"))

    def settle(self, consumer: Consumer, names: set[Name]) -> None:
        """`names` are given up: commit what is open of them, and wait until that is done."""
        offsets = self._of(names)
        if offsets:
            try:
                refused = [tp.error for tp in consumer.commit(offsets=offsets, asynchronous=False) if tp.error]
            except KafkaException as exception:
                refused = [error_of(exception)]
            if refused:
                log.warning("not committed before it was given up, so it is done anew: %s", refused[0])
        self.drop(names)

    def drop(self, names: set[Name]) -> None:
        """`names` belong to others: nothing of them is committed any more."""
        with self._lock:
            self._open = {name: offset for name, offset in self._open.items() if name not in names}

    def _of(self, names: set[Name]) -> list[TopicPartition]:
        with self._lock:
            return [TopicPartition(*name, offset) for name, offset in self._open.items() if name in names]

    def _forget(self, committed: Iterable[TopicPartition]) -> None:
        with self._lock:
            for tp in committed:
                if self._open.get((tp.topic, tp.partition)) == tp.offset:
                    del self._open[tp.topic, tp.partition]
