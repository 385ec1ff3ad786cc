"""A changelog as workers leave one: customers' states of 300 bytes, in transactions, each begun by its owner."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import NewTopic

from agents.states import states_key
from benchmarks.reference.broker import QUIET, make
from benchmarks.reference.work import PARTITIONS
from schemas.partition import partition_of
from schemas.topics import LEDGER, topic_specs
from streams.engine.committer import OWNER

STARTED_AT = 1_795_320_000_000
A_TRANSACTION = 10_000
STATES = (
    ("crm.status", "crm", ("active", "suspended", "half_suspended")),
    ("hlr.status", "hlr", ("active", "barred", "barred_outgoing")),
    ("crm.tariff", "crm", ("5g-129", "5g-159", "family-199")),
    ("ocs.balance", "ocs", (12.5, 88.0, 130.25)),
)
encode = msgspec.msgpack.Encoder().encode


def customer(number: int) -> str:
    """The MSISDN of a customer, counted from 0."""
    return f"86138{number:08d}"


def record(number: int) -> bytes:
    """What the ledger holds of a customer's states (see `agents.states`): about 300 bytes."""
    at = STARTED_AT + number
    held = {
        name: [values[number % 3], at + turn, f"{system}-nanchang", number % 1000, f"{number:09x}-{at:012x}-{turn}", []]
        for turn, (name, system, values) in enumerate(STATES)
    }
    return encode({"v": 1, "held": held})


def records(count: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and value of each customer's record."""
    for number in range(count):
        msisdn = customer(number)
        yield partition_of(msisdn.encode(), PARTITIONS), states_key(msisdn).encode(), record(number)


def create(bootstrap: str, name: str) -> None:
    """Create a changelog with the settings of ours."""
    (spec,) = (spec for spec in topic_specs(PARTITIONS, 1) if spec.name == LEDGER)
    make(bootstrap, [NewTopic(name, PARTITIONS, 1, config=spec.config)])


def fill(bootstrap: str, changelog: str, count: int) -> int:
    """Write `count` records; returns the bytes of a value, on average."""
    owner = f"{changelog}-writer"
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "transactional.id": owner,
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
            **QUIET,
        }
    )
    producer.init_transactions(20)
    size = 0
    for number, (partition, key, value) in enumerate(records(count)):
        if number % A_TRANSACTION == 0:
            if number:
                producer.commit_transaction(60)
            producer.begin_transaction()
            for each in range(PARTITIONS):
                producer.produce(changelog, owner.encode(), OWNER, each)
        producer.produce(changelog, value, key, partition)
        size += len(value)
    producer.commit_transaction(60)
    if producer.flush(60):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{changelog}: not all records were written"))
    return round(size / count)
