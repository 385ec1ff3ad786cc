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
from streams.engine.partition import Name
from streams.engine.retry import error_of

log = logging.getLogger(__name__)
AGAIN_S = 0.5
LATE_S = 60.0
"""So long may a broker that answers all else leave offsets uncommitted: all of it would be done anew after a crash."""
LONGEST_LOOK_S = 1.0
"""What a pause of the process counts at most."""


class Offsets:
    """What is done and not known to be committed. All but `done` in the consumer's thread."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        """`failed` is told when nothing is committed for `LATE_S`: a new client may do better."""
        self._failed = failed
        self._lock = threading.Lock()
        self._open: dict[Name, int] = {}
        self._asked = False
        self._not_before = 0.0
        self._refusal = "no answer"
        self._looked_at = 0.0
        self._late_s = 0.0

    def done(self, offsets: Iterable[TopicPartition]) -> None:
        """All up to here may be committed. Any thread."""
        with self._lock:
            self._open.update({(tp.topic, tp.partition): tp.offset for tp in offsets})

    def send(self, consumer: Consumer, owned: set[Name], *, broker_up: bool = True) -> None:
        """Ask for it, unless the last answer is awaited. What is not in `owned` is no longer ours to commit."""
        now = time.monotonic()
        self._look(now, broker_up)
        if self._asked or not self._open or now < self._not_before:
            return
        with self._lock:
            self._open = {name: offset for name, offset in self._open.items() if name in owned}
            offsets = [TopicPartition(*name, offset) for name, offset in self._open.items()]
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
            self._begin_anew()
            return
        self._not_before = time.monotonic() + AGAIN_S
        refusal = f"{error.name()}: {error.str()}"
        if refusal != self._refusal:
            log.warning("offsets are not committed, trying again (%s)", refusal)
            self._refusal = refusal

    def settle(self, consumer: Consumer, names: set[Name]) -> None:
        """`names` are given up: commit what is open of them, and wait for it as long as librdkafka does."""
        with self._lock:
            offsets = [TopicPartition(*name, offset) for name, offset in self._open.items() if name in names]
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
        self._begin_anew()

    def _look(self, now: float, broker_up: bool) -> None:
        """Count how long something is open while the broker is there."""
        passed, self._looked_at = min(now - self._looked_at, LONGEST_LOOK_S), now
        if not self._open or not broker_up:
            self._late_s = 0.0
            return
        self._late_s += passed
        if self._late_s > LATE_S:
            self._failed(PartError(f"no offsets were committed for {LATE_S:.0f} s: {self._refusal}"))

    def _begin_anew(self) -> None:
        self._late_s, self._refusal = 0.0, "no answer"

    def _forget(self, committed: Iterable[TopicPartition]) -> None:
        with self._lock:
            for tp in committed:
                if self._open.get((tp.topic, tp.partition)) == tp.offset:
                    del self._open[tp.topic, tp.partition]
