"""Reading real topics to their ends, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

PATIENCE_S = 30.0


class Reader:
    """Reads topics on from where it last stopped."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self._partitions = range(partitions)
        self._next: dict[tuple[str, int], int] = {}
        self._consumer: Any = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "reads-all",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 2,
            }
        )

    def news(self, *topics: str) -> list[Any]:
        """What the topics got since the last time, partition by partition."""
        wanted = {(topic, p) for topic in topics for p in self._partitions}
        places = [TopicPartition(t, p, self._next.get((t, p), OFFSET_BEGINNING)) for t, p in sorted(wanted)]
        self._consumer.assign(places)
        found = self._read(wanted)
        return sorted(found, key=lambda m: (m.topic(), m.partition(), m.offset()))

    def _read(self, open_ends: set[tuple[str, int]]) -> Iterable[Any]:
        while open_ends:
            message = self._consumer.poll(PATIENCE_S)
            assert message is not None, "the broker stopped answering"
            place = (message.topic(), message.partition())
            if message.error() is None:
                self._next[place] = message.offset() + 1
                yield message
                continue
            assert message.error().code() == KafkaError._PARTITION_EOF
            open_ends.discard(place)

    def close(self) -> None:
        self._consumer.close()
