"""What the measurements of growth write to Kafka, and how far a group is with it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from benchmarks.common.ledger import customer
from benchmarks.common.rates import Counted
from benchmarks.growth.program import Program
from benchmarks.reference.broker import QUIET, Progress, write
from benchmarks.reference.work import PARTITIONS, event
from schemas.codec import Codec
from schemas.events.state import EVENT

SEED = 20_261_125
LONGEST_S = 300.0


def states(customers: int, events: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of state events; all customers are equally likely."""
    codec, chosen = Codec(EVENT), random.Random(SEED)
    for sequence in range(1, events + 1):
        msisdn = customer(chosen.randrange(customers))
        yield msisdn.encode(), codec.encode(event(msisdn, sequence))


def publish(bootstrap: str, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Write them all."""
    write(bootstrap, ((topic, *record) for record in records))


def watch(bootstrap: str, group: str, topic: str, until: int, *programs: Program) -> list[Counted]:
    """How many events the group has committed, looked at until it has committed `until`."""
    progress, counted = Progress(bootstrap, group, topic), list[Counted]()
    give_up = time.monotonic() + LONGEST_S
    while not counted or counted[-1][1] < until:
        ended = [program for program in programs if not program.alive]
        if ended or time.monotonic() > give_up:
            log = "\n".join(program.log.read_text(errors="replace")[-2_000:] for program in programs)
            raise RuntimeError(f"{group}: {counted[-1:]} of {until} events\n{log}")
        counted.append((time.monotonic(), progress.done()))
        time.sleep(0.02)
    progress.close()
    return counted


def follow(bootstrap: str, topic: str) -> Iterator[list[Message]]:
    """Committed records of a topic from its beginning, as they come; now and then none."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "growth-reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **QUIET,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    try:
        while True:
            found = consumer.consume(5_000, 0.2)
            for message in found:
                error = message.error()
                if error is not None:
                    raise KafkaException(error)
            yield found
    finally:
        consumer.close()
