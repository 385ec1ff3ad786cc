"""The reference work as one would write it by hand on confluent_kafka: at least once, state in a dict.

Every 50 ms the outputs and the changelog are flushed (acknowledged by all replicas), then offsets are committed,
without waiting for the answer. There is no recovery and no rebalance: what is left out makes it faster.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer

from benchmarks.reference.broker import raise_undelivered
from benchmarks.reference.prefetch import CONSUMER, PRODUCER
from benchmarks.reference.work import COMMIT_MS, Job, decide, decoder, encode

BATCH = 1_000


def run(job: Job, *, coalesced: bool) -> None:
    """Run until SIGTERM. `coalesced`: a changed record once a commit, as ours; else a record an event."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    consumer, producer = _consumer(job), _producer(job)
    consumer.subscribe([job.source])
    changed: dict[bytes, tuple[Any, int]] | None = {} if coalesced else None
    send = _sending(producer)
    work = _working(job, send, changed)
    due = time.monotonic()
    while not stop.is_set():
        work(fetch(consumer))
        producer.poll(0)
        if time.monotonic() >= due:
            _commit(job, consumer, producer, send, changed)
            due = time.monotonic() + COMMIT_MS / 1000
    _commit(job, consumer, producer, send, changed)
    consumer.close()


def fetch(consumer: Consumer) -> list[Message]:
    """What is there: `consume` alone would wait until its list is full."""
    first = consumer.poll(0.02)
    return [] if first is None else [first, *consumer.consume(BATCH - 1, 0)]


def _working(
    job: Job, send: Callable[..., None], changed: dict[bytes, tuple[Any, int]] | None
) -> Callable[[list[Message]], None]:
    states: dict[bytes, Any] = {}
    decode, out, changelog = decoder(), job.out, job.changelog

    def work(messages: list[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            key = message.key()
            state, output = decide(states.get(key), decode(message.value()))
            states[key] = state
            if changed is None:
                send(changelog, encode(state), key, message.partition())
            else:
                changed[key] = state, message.partition()
            if output is not None:
                send(out, output, key)

    return work


def _commit(
    job: Job,
    consumer: Consumer,
    producer: Producer,
    send: Callable[..., None],
    changed: dict[bytes, tuple[Any, int]] | None,
) -> None:
    if changed:
        for key, (state, partition) in changed.items():
            send(job.changelog, encode(state), key, partition)
        changed.clear()
    producer.flush()
    with contextlib.suppress(KafkaException):  # nothing was read yet
        consumer.commit(asynchronous=True)


def _sending(producer: Producer) -> Callable[..., None]:
    produce = producer.produce

    def send(topic: str, value: bytes, key: bytes, partition: int = -1) -> None:
        while True:
            try:
                produce(topic, value, key, partition)
                return
            except BufferError:
                producer.poll(0.01)

    return send


def _consumer(job: Job) -> Consumer:
    """With the prefetch of our engine."""
    return Consumer(
        {
            "bootstrap.servers": job.bootstrap,
            "group.id": job.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            **CONSUMER,
        }
    )


def _producer(job: Job) -> Producer:
    """With the batching and the durability of our engine."""
    return Producer(
        {
            "bootstrap.servers": job.bootstrap,
            **PRODUCER,
            "delivery.report.only.error": True,
            "on_delivery": raise_undelivered,
        }
    )
