"""Sends events at a fixed rate and notes when what follows from each can be read; one thread, one clock."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from benchmarks.reference.broker import QUIET
from benchmarks.reference.work import PARTITIONS
from schemas.headers import Headers

PATIENCE_S = 20.0
LONGEST_POLL_S = 0.05
SHORTEST_POLL_S = 0.001
"""librdkafka waits for whole milliseconds; less would be a busy loop on the broker's core."""


class Sent(NamedTuple):
    """An event, where to it goes, and where and by what id what follows from it is known."""

    topic: str
    outputs: tuple[str, ...]
    id: str
    key: bytes
    value: bytes
    headers: Headers


class Probe:
    """Sends events, reads `outputs`; `identify` tells from an output the id of its event.

    The producer has the settings of the engine's own for what cannot wait; the consumer reads only what is committed,
    and otherwise has librdkafka's defaults.
    """

    def __init__(self, bootstrap: str, outputs: tuple[str, ...], identify: Callable[[Message], str]) -> None:
        self._outputs = outputs
        self._latencies: dict[str, list[float]] = {}
        self._identify = identify
        self._sent_at: dict[tuple[str, str], float] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "partitioner": "murmur2_random",
                **QUIET,
            }
        )
        self._producer.list_topics(timeout=10)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "benchmark-probe",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                **QUIET,
            }
        )
        self._consumer.assign(self._ends(outputs))

    def _ends(self, topics: tuple[str, ...]) -> list[TopicPartition]:
        places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        for place in places:
            place.offset = self._consumer.get_watermark_offsets(place, 10)[1]
        return places

    def run(self, events: Iterator[Sent], rate: float, seconds: float = float("inf")) -> dict[str, list[float]]:
        """Send so many a second, for so long or until there are no more, and wait for what follows.

        Returns the latencies, seconds, by output topic. Raises `RuntimeError` when something does not come.
        """
        self._latencies = {topic: [] for topic in self._outputs}
        started = time.monotonic()
        most = int(rate * seconds) if seconds < float("inf") else None
        sends = enumerate(itertools.islice(events, most))
        coming = next(sends, None)
        heard = started
        while coming is not None or self._sent_at:
            now = time.monotonic()
            due = LONGEST_POLL_S if coming is None else started + coming[0] / rate - now
            if coming is not None and due <= 0:
                self._send(coming[1])
                coming = next(sends, None)
                heard = now
            elif self._receive(min(max(due, SHORTEST_POLL_S), LONGEST_POLL_S)):
                heard = now
            elif now - heard > PATIENCE_S:
                raise RuntimeError(
                    f"{len(self._sent_at)} outputs did not come, {next(iter(self._sent_at))[0]} among them"
                )
        return self._latencies

    def _send(self, event: Sent) -> None:
        now = time.monotonic()
        for topic in event.outputs:
            self._sent_at[topic, event.id] = now
        self._producer.produce(event.topic, event.value, event.key, headers=list(event.headers))
        self._producer.poll(0)

    def _receive(self, seconds: float) -> bool:
        message = self._consumer.poll(seconds)
        if message is None:
            return False
        now = time.monotonic()
        error = message.error()
        if error is not None:
            raise KafkaException(error)
        topic = message.topic() or ""
        sent_at = self._sent_at.pop((topic, self._identify(message)), None)
        if sent_at is not None:
            self._latencies[topic].append(now - sent_at)
        return True

    def close(self) -> None:
        self._consumer.close()
