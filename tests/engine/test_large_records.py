"""A ledger record may be larger than an output; one that no broker takes ends the worker, and is not tried for ever."""

from __future__ import annotations

import os
from typing import Any

import pytest

from schemas.topics import MAX_MESSAGE
from streams.engine.retry import TooLargeError
from tests.engine.kit import Told, config, create_topics, ledger, publish, running, wait_read, wait_until

NUMBER = "8613800138000"
MB = 1_000_000


def topics(bootstrap: str, prefix: str, max_bytes: int) -> None:
    create_topics(bootstrap, f"{prefix}-in", f"{prefix}-dead")
    name = f"{prefix}-ledger"
    create_topics(bootstrap, name, compacted=(name,), **{"max.message.bytes": str(max_bytes)})


def growing(batch: Any) -> None:
    """Each event makes its customer's record as long as it says, of bytes that compression makes no shorter."""
    for message in batch.messages:
        with batch.scope(message):
            size = int(message.value())
            batch.put(f"notes/{message.key().decode()}", {"text": os.urandom(size // 2).hex()})


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_record_larger_than_an_output_is_kept_and_restored(kafka: Any, prefix: str, delivery: str) -> None:
    topics(kafka.bootstrap, prefix, MAX_MESSAGE)
    settings = config(kafka.bootstrap, prefix, delivery=delivery)
    publish(kafka.bootstrap, f"{prefix}-in", [(NUMBER, 3 * MB), ("8613800138001", 10)])
    with running(settings, {f"{prefix}-in": growing}) as thread:
        wait_read(thread, settings)
    kept = ledger(kafka.bootstrap, f"{prefix}-ledger")
    assert {key: len(record["text"]) for key, record in kept.items()} == {
        f"notes/{NUMBER}": 3 * MB,
        "notes/8613800138001": 10,
    }
    seen: list[int] = []

    def reading(batch: Any) -> None:
        seen.extend(len(batch.get(f"notes/{NUMBER}")["text"]) for _ in batch.messages)

    publish(kafka.bootstrap, f"{prefix}-in", [(NUMBER, 0)])
    with running(settings, {f"{prefix}-in": reading}) as thread:
        wait_read(thread, settings)
    assert seen == [3 * MB]


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
@pytest.mark.parametrize(
    ("max_bytes", "size"),
    [(MAX_MESSAGE, 5 * MB), (MAX_MESSAGE, MAX_MESSAGE - 30), (MB, 2 * MB)],
    ids=["above ours", "with the broker's frame above ours", "above a topic that was not applied"],
)
def test_a_record_that_the_broker_refuses_ends_the_worker_and_is_named(
    kafka: Any, prefix: str, delivery: str, max_bytes: int, size: int
) -> None:
    topics(kafka.bootstrap, prefix, max_bytes)
    settings, told = config(kafka.bootstrap, prefix, delivery=delivery), Told()
    publish(kafka.bootstrap, f"{prefix}-in", [("8613800138001", 10), (NUMBER, size)])
    with running(settings, {f"{prefix}-in": growing}, metrics=told) as thread:
        wait_until(lambda: thread.failures)
    error = thread.failures[0]
    assert isinstance(error, TooLargeError)
    assert error.exit_code == 3
    text = str(error)
    assert "the record notes/86138****8000 has " in text
    assert "max.message.bytes" in text
    assert len(text.splitlines()) == 1
    assert NUMBER not in text
    assert told.aborts <= 1


def test_an_output_that_its_topic_refuses_ends_the_worker(kafka: Any, prefix: str) -> None:
    topics(kafka.bootstrap, prefix, MAX_MESSAGE)
    create_topics(kafka.bootstrap, f"{prefix}-small", partitions=1, **{"max.message.bytes": "600"})
    publish(kafka.bootstrap, f"{prefix}-in", [(NUMBER, 1)])

    def process(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                batch.send(f"{prefix}-small", b"x" * 5_000, message.key())

    with running(config(kafka.bootstrap, prefix), {f"{prefix}-in": process}) as thread:
        wait_until(lambda: thread.failures)
    assert isinstance(thread.failures[0], TooLargeError)
    assert str(thread.failures[0]).startswith(f"{prefix}-small: the record 86138****8000 has 5000 bytes")
