"""Apache Kafka for the measurements: topics, the input, how far a group is, what lies in a topic."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.reference.work import PARTITIONS, records

SILENCE_S = 30.0
VISIBLE_S = 30.0
QUIET = {"log_level": 3}
"""What librdkafka would say at each start and stop is no progress."""


def create(bootstrap: str, *names: str, compacted: str = "") -> None:
    """Create topics as ours are: broker time, one replica a broker; `compacted` as our changelog is."""
    wanted = [NewTopic(name, PARTITIONS, 1, config={"message.timestamp.type": "LogAppendTime"}) for name in names]
    if compacted:
        settings = {"cleanup.policy": "compact", "segment.bytes": str(64 * 2**20), "min.cleanable.dirty.ratio": "0.3"}
        wanted.append(
            NewTopic(compacted, PARTITIONS, 1, config={"message.timestamp.type": "LogAppendTime", **settings})
        )
    make(bootstrap, wanted)


def topics(bootstrap: str) -> set[str]:
    """The names of those that are there."""
    return _names(_admin(bootstrap))


def _names(admin: AdminClient) -> set[str]:
    return set(admin.list_topics(timeout=10).topics)


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, **QUIET})


def make(bootstrap: str, wanted: list[NewTopic]) -> None:
    """Create these, and wait until the broker tells of them: its controller answers before it knows them itself."""
    admin = _admin(bootstrap)
    for future in admin.create_topics(wanted).values():
        future.result(20)
    names, until = {topic.topic for topic in wanted}, time.monotonic() + VISIBLE_S
    while not names <= _names(admin):
        if time.monotonic() > until:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{sorted(names)} are made, but not to be seen"))
        time.sleep(0.05)


def delete(bootstrap: str, *names: str) -> None:
    """Delete topics: what was measured need not stay on the disk."""
    admin = _admin(bootstrap)  # what it answers is lost when nobody holds it any more
    for future in admin.delete_topics(list(names)).values():
        future.result(20)


def producer(bootstrap: str) -> Producer:
    """As upstream systems have one; linger.ms of 0 would make a request of each event."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 20,
            "delivery.report.only.error": True,
            "on_delivery": raise_undelivered,
            **QUIET,
        }
    )


def publish(bootstrap: str, sizes: Mapping[str, int]) -> None:
    """Write the events of the reference work, to each topic so many."""
    numbered = enumerate(records(max(sizes.values())))
    write(bootstrap, ((topic, *one) for at, one in numbered for topic, events in sizes.items() if at < events))


def write(bootstrap: str, given: Iterable[tuple[str, bytes, bytes]]) -> None:
    """Write them all: topic, key, value. Raises `KafkaException`."""
    made = producer(bootstrap)
    for topic, key, value in given:
        while True:
            try:
                made.produce(topic, value, key)
                break
            except BufferError:
                made.poll(0.05)
    if left := made.flush(60):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{left} events were not written"))


def raise_undelivered(error: KafkaError | None, message: Message) -> None:
    """For `delivery.report.only.error`: what was not acknowledged ends the program."""
    if error is not None:
        raise KafkaException(error)


class Progress:
    """How far a group has committed a topic."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group, "isolation.level": "read_uncommitted", **QUIET}
        )

    def done(self) -> int:
        """Events committed; 0 as long as the group's coordinator does not answer."""
        try:
            found = self._consumer.committed(self._partitions, 10)
        except KafkaException:
            return 0
        return sum(max(tp.offset, 0) for tp in found)

    def close(self) -> None:
        self._consumer.close()


def read(bootstrap: str, topic: str) -> Iterator[Message]:
    """All committed records of a topic, to its end."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "benchmark-check",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **QUIET,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    ended: set[int] = set()
    heard_at = time.monotonic()
    while len(ended) < PARTITIONS:
        for message in consumer.consume(5_000, 0.05):
            heard_at = time.monotonic()
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise KafkaException(error)
        if time.monotonic() - heard_at > SILENCE_S:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topic} cannot be read to its end"))
    consumer.close()
