"""Whether all that was committed to Kafka lies in ClickHouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.reference.broker import QUIET
from sinks.clickhouse import ClickHouse
from sinks.history import TOPICS
from sinks.tables import TABLES

COMPACTED = ("yupan.reminder.v1",)
"""Topics of which Kafka may have thrown away what ClickHouse keeps."""


def committed(bootstrap: str, partitions: int) -> Counter[str]:
    """How many committed records the topics that the history keeps hold, by topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "soak-count",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **QUIET,
        }
    )
    places = [(topic, number) for topic in TOPICS for number in range(partitions)]
    consumer.assign([TopicPartition(*place, 0) for place in places])
    found: Counter[str] = Counter()
    ended: set[tuple[str, int]] = set()
    while len(ended) < len(places):
        for message in consumer.consume(10_000, 0.2):
            error = message.error()
            if error is None:
                found[message.topic()] += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add((message.topic(), message.partition()))
            else:
                raise KafkaException(error)
    consumer.close()
    return found


def stored(clickhouse: ClickHouse) -> Counter[str]:
    """How many records ClickHouse holds rows of, by topic."""
    found: Counter[str] = Counter()
    for table in TABLES:
        rows = clickhouse.query(
            f"SELECT arrival_topic AS topic, uniqExact(arrival_partition, arrival_offset) AS n FROM {table} FINAL "
            "GROUP BY topic"
        )
        found.update({row["topic"]: row["n"] for row in rows})
    return found


def missing(wanted: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    """How many records the history lacks (or has too many), by topic; empty: all is there."""
    return {
        topic: wanted.get(topic, 0) - found.get(topic, 0)
        for topic in TOPICS
        if wanted.get(topic, 0) != found.get(topic, 0)
        and not (topic in COMPACTED and found.get(topic, 0) > wanted.get(topic, 0))
    }
