"""The consumer of urgent topics: polled in the event loop after each slice of bulk, so that they overtake it.

It is no member of the group: what it reads was assigned to the group's consumer, and its offsets are committed
with all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, TopicPartition

from agents.ports import Clock
from streams.engine.config import EngineConfig
from streams.engine.fetched import Fetched, sort
from streams.engine.health import STATISTICS_MS, Health

AT_MOST = 500
TELL_EVERY_MS = 100


class UrgentConsumer:
    """All in the event loop. Nothing is connected before the first assignment."""

    def __init__(self, config: EngineConfig, clock: Clock, hand_over: Callable[[Fetched], None]) -> None:
        self.topics = config.urgent_topics
        self._config = config
        self._clock = clock
        self._hand_over = hand_over
        self._consumer: Consumer | None = None
        self._held: set[tuple[str, int]] = set()
        self._epochs: dict[int, int] = {}
        self._told_at = 0
        self.health = Health(int(config.urgent_consumer().get("fetch.wait.max.ms", 500)))

    def assign(self, partition: int, epoch: int, offsets: Mapping[str, int]) -> None:
        """Read the urgent ones of `offsets` (topic to offset) from now on."""
        wanted = {topic: offset for topic, offset in offsets.items() if topic in self.topics}
        if not wanted:
            return
        consumer = self._consumer
        if consumer is None:
            consumer = self._consumer = Consumer(
                {
                    **self._config.urgent_consumer(),
                    "statistics.interval.ms": STATISTICS_MS,
                    "stats_cb": self.health.statistics,
                    "error_cb": self._error,
                }
            )
        self.unassign(partition, wanted)
        self._epochs[partition] = epoch
        consumer.incremental_assign([TopicPartition(topic, partition, offset) for topic, offset in wanted.items()])
        self._held |= {(topic, partition) for topic in wanted}

    def unassign(self, partition: int, topics: Iterable[str]) -> None:
        """Give them up; records fetched and not polled are forgotten."""
        gone = {(topic, partition) for topic in topics} & self._held
        if gone and self._consumer is not None:
            self._consumer.incremental_unassign([TopicPartition(*name) for name in gone])
            self._held -= gone

    def poll(self) -> None:
        """Hand over what has come; when that is nothing, cheaply, since this is called a thousand times a second."""
        if self._consumer is None or not self._held:
            return
        messages = self._consumer.consume(AT_MOST, 0)
        now = self._clock.now_ms()
        if not messages and 0 <= now - self._told_at < TELL_EVERY_MS:
            return
        self._told_at = now
        fetched = sort(messages, self._epochs)
        fetched.steady = self.health.polled(now, None if len(messages) < AT_MOST else fetched.newest())
        self._hand_over(fetched)

    def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
            self._held.clear()

    def _error(self, error: KafkaError) -> None:
        self.health.broken()
