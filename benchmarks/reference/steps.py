"""Where an event's time goes: what it costs to read it, to decode it, to decide it, before any system does its own.

Each step reads the input once more, and does what the steps before it do, too: the difference is its own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from benchmarks.reference.broker import QUIET
from benchmarks.reference.plain import fetch
from benchmarks.reference.prefetch import CONSUMER
from benchmarks.reference.work import PARTITIONS, decide, decoder, encode

Work = Callable[[Message], Any]


def steps(bootstrap: str, source: str, events: int) -> dict[str, float]:
    """CPU time, µs an event, of this process with its librdkafka; on the cores that it may use."""
    works = {"reading": _read, "decoding": _decoding(), "deciding": _deciding()}
    up_to = [0.0, *(_cost(bootstrap, source, events, work) for work in works.values())]
    return {
        name: round(after - before, 2) for name, (before, after) in zip(works, itertools.pairwise(up_to), strict=True)
    }


def _read(message: Message) -> None:
    """Every reader looks at these."""
    if message.error() is not None:
        raise KafkaException(message.error())
    message.value()


def _decoding() -> Work:
    decode = decoder()

    def work(message: Message) -> Any:
        _read(message)
        return decode(message.value())

    return work


def _deciding() -> Work:
    states: dict[bytes | None, Any] = {}
    decoded = _decoding()

    def work(message: Message) -> None:
        key = message.key()
        states[key], _ = decide(states.get(key), decoded(message))
        encode(states[key])

    return work


def _cost(bootstrap: str, source: str, events: int, work: Work) -> float:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "steps", **CONSUMER, **QUIET})
    began, done = time.process_time(), 0
    consumer.assign([TopicPartition(source, number, 0) for number in range(PARTITIONS)])
    while done < events:
        for message in fetch(consumer):
            work(message)
            done += 1
    used = time.process_time() - began
    consumer.close()
    return used / done * 1e6
