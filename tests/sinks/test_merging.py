"""Topics merged by the broker's time, with little in memory and nothing left behind."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.errors import PartError
from sinks import merging
from sinks.merging import Merged
from streams.parts.kafka import Kafka

PARTITIONS = 3
Place = tuple[str, int]
Make = Callable[..., list[str]]


@pytest.fixture
def make(kafka: Kafka, prefix: str) -> Iterator[Make]:
    """Topics of the test's own, stamped by the broker."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    made: list[str] = []

    def create(*names: str) -> list[str]:
        topics = [prefix + name for name in names]
        config = {"message.timestamp.type": "LogAppendTime"}
        futures = admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=config) for topic in topics])
        for future in futures.values():
            future.result(30)
        made.extend(topics)
        return topics

    yield create
    for future in admin.delete_topics(made).values():
        future.result(30)


def fill(bootstrap: str, topics: list[str], count: int, seed: int) -> dict[Place, list[bytes]]:
    """Write so many records in several rounds, to partitions by chance; what each partition holds."""
    chance, producer = random.Random(seed), Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random"})
    written: dict[Place, list[bytes]] = {}
    for number in range(count):
        place = chance.choice(topics), min(chance.randrange(PARTITIONS * 2), PARTITIONS - 1)  # the last has most
        value = f"{number} ".encode() * 20
        written.setdefault(place, []).append(value)
        producer.produce(place[0], value, partition=place[1])
        if chance.random() < 0.01:
            producer.flush()
    producer.flush()
    return written


def read(bootstrap: str, topics: list[str]) -> list[Message]:
    with Merged(bootstrap, {}, topics) as merged:
        found = list(merged.read())
        assert merged.partitions == PARTITIONS
        assert len(found) <= merged.total
    return found


def by_place(found: list[Message]) -> dict[Place, list[bytes]]:
    places: dict[Place, list[bytes]] = {}
    for message in found:
        places.setdefault((str(message.topic()), int(message.partition() or 0)), []).append(message.value() or b"")
    return places


@pytest.mark.parametrize("ahead", [20, merging.AHEAD], ids=["a little ahead", "as usual"])
def test_all_is_read_once_in_the_order_of_the_broker(
    kafka: Kafka, make: Make, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    monkeypatch.setattr(merging, "AHEAD", ahead)
    topics = make("one", "two", "empty")
    written = fill(kafka.bootstrap, topics[:2], 3_000, seed)
    found = read(kafka.bootstrap, topics)
    assert by_place(found) == written
    order = [(message.partition(), message.timestamp()[1], topics.index(str(message.topic()))) for message in found]
    assert [arrived for _, arrived, _ in order] == sorted(arrived for _, arrived, _ in order)
    for number in range(PARTITIONS):
        mine = [place for place in order if place[0] == number]
        assert mine == sorted(mine)


def test_partitions_keep_in_step_by_what_is_asked_of_their_records(
    kafka: Kafka, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "AHEAD", 20)
    topics = make("bulk")  # of several, when the broker took each batch would decide their order in a partition
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random"})
    for partition in range(PARTITIONS):  # one partition after the other, as what is written in bulk comes
        for number in range(500):
            producer.produce(topics[0], str(number).encode(), partition=partition)
        producer.flush()
    late = {50, 333}  # of these the time is an earlier one: they hold nobody up, and overtake nobody

    def when(message: Message) -> int:
        number = int(message.value() or 0)
        return 0 if number in late else number

    with Merged(kafka.bootstrap, {}, topics, when) as merged:
        found = list(merged.read())
    assert len(found) == PARTITIONS * 500
    clocks = [-1] * PARTITIONS
    for message in found:
        number = message.partition() or 0
        clocks[number] = max(clocks[number], when(message))
        assert max(clocks) - min(clocks) <= 4
    ordered = by_place(found)
    assert all(values == sorted(values, key=int) for values in ordered.values())


def test_what_comes_meanwhile_is_left_and_what_was_aborted_is_not_seen(
    kafka: Kafka, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "SETTLED_S", 1.0)
    [topic] = make("transactions")
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random", "transactional.id": topic}
    )
    producer.init_transactions(30)
    for value, ends in ((b"committed", producer.commit_transaction), (b"aborted", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        producer.flush()
        ends(30)
    producer.begin_transaction()
    producer.produce(topic, b"open", partition=0)
    producer.flush()
    with Merged(kafka.bootstrap, {}, [topic]) as merged:
        assert [message.value() for message in merged.read()] == [b"committed"]
    producer.abort_transaction(30)
    plain = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random"})
    with Merged(kafka.bootstrap, {}, [topic]) as merged:
        plain.produce(topic, b"too late", partition=1)
        plain.flush()
        assert [message.value() for message in merged.read()] == [b"committed"]


def test_the_first_that_is_left_is_known(kafka: Kafka, make: Make) -> None:
    [topic] = make("truncated")
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random"})
    for number in range(10):
        producer.produce(topic, str(number).encode(), partition=0)
    producer.flush()
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_records([TopicPartition(topic, 0, 4)]).values():
        future.result(30)
    with Merged(kafka.bootstrap, {}, [topic]) as merged:
        firsts = [(message.value(), merged.is_first(message)) for message in merged.read()]
    assert firsts == [(str(number).encode(), number == 4) for number in range(4, 10)]


def test_a_topic_that_is_missing_is_one_line(kafka: Kafka, prefix: str) -> None:
    with pytest.raises(PartError, match="run `yupan topics apply`"):
        Merged(kafka.bootstrap, {}, [f"{prefix}missing"])
