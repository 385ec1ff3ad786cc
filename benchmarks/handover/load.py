"""A steady load on the workers, and what a reader of committed records sees of it, as it happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from benchmarks.handover.worker import PARTITIONS, decode, encode
from benchmarks.reference.broker import QUIET, raise_undelivered

RATE = 2_000
TICK_S = 0.01
CUSTOMERS = 500
"""Of each partition."""


class Seen(NamedTuple):
    """One output, as the reader got it. Times are the machine's wall clock, ms, which is the broker's, too."""

    partition: int
    sequence: int
    appended: int
    """When the broker appended the event."""
    seen: int
    """When its output could be read."""
    worker: int

    @property
    def delay(self) -> int:
        return self.seen - self.appended


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


class Load:
    """2,000 events a second, the partitions in turn, from a thread; another one reads the outputs. For `with`."""

    def __init__(self, bootstrap: str, source: str, out: str) -> None:
        self._bootstrap = bootstrap
        self._source = source
        self._out = out
        self.sent = [0] * PARTITIONS
        """How many events each partition got; their sequences count from 0."""
        self.seen: list[Seen] = []
        """Appended to by the reading thread; what is there does not change."""
        self.failures: list[BaseException] = []
        self._sending, self._reading = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._kept, args=(work,), daemon=True) for work in (self._send, self._read)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._sending.set()
        self._reading.set()
        for thread in self._threads:
            thread.join(20)

    def stop_sending(self) -> None:
        """No more events; the reader goes on."""
        self._sending.set()
        self._threads[0].join(20)

    def _kept(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.failures.append(error)

    def _send(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 2,
                "delivery.report.only.error": True,
                "on_delivery": raise_undelivered,
                **QUIET,
            }
        )
        total, started = 0, time.monotonic()
        while not self._sending.wait(TICK_S):
            due = int((time.monotonic() - started) * RATE)
            for number in range(total, due):
                partition = number % PARTITIONS
                sequence = self.sent[partition]
                key = f"86138{partition:03d}{sequence % CUSTOMERS:05d}".encode()
                producer.produce(self._source, encode(sequence), key, partition)
                self.sent[partition] = sequence + 1
            total = due
            producer.poll(0)
        producer.flush(20)

    def _read(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "handover-reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 5,
                **QUIET,
            }
        )
        consumer.assign([TopicPartition(self._out, number, 0) for number in range(PARTITIONS)])
        while not self._reading.is_set():
            message = consumer.poll(0.1)
            if message is None:
                continue
            found = [message, *consumer.consume(1_000, 0)]
            at = now_ms()
            for record in found:
                error = record.error()
                if error is not None:
                    raise KafkaException(error)
                sequence, appended, worker = decode(record.value())
                self.seen.append(Seen(record.partition(), sequence, appended, at, worker))
        consumer.close()
