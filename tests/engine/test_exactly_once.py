"""Exactly once on Apache Kafka: ledger and outputs are those of each event counted once."""

from __future__ import annotations

import random
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.engine.kit import (
    Told,
    Worker,
    all_read,
    config,
    create_topics,
    engine_topics,
    ledger,
    publish,
    read,
    running,
    values,
    wait_read,
    wait_until,
)
from tests.engine.worker import counting


def expect(bootstrap: str, prefix: str, counts: Counter[str]) -> None:
    """Ledger and outputs of `counting`, to the last event."""
    held = {key.removeprefix("count/"): record["n"] for key, record in ledger(bootstrap, f"{prefix}-ledger").items()}
    assert held == dict(counts)
    told = sorted(map(tuple, values(read(bootstrap, f"{prefix}-out"))))
    assert told == sorted((key, n) for key, count in counts.items() for n in range(10, count + 1, 10))


def until_counted(worker: Worker, bootstrap: str, prefix: str, events: int) -> None:
    """Wait until so many events are committed, while the worker lives."""

    def counted() -> bool:
        assert worker.process.poll() is None, worker.log()
        return sum(record["n"] for record in ledger(bootstrap, f"{prefix}-ledger").values()) >= events

    wait_until(counted, 40)


def test_batches_become_ledger_and_outputs(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    keys = [f"c{n % 50}" for n in range(5_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {"n": n}) for n, key in enumerate(keys)])
    settings = config(kafka.bootstrap, prefix)
    told = Told()
    with running(settings, {f"{prefix}-in": counting(prefix)}, metrics=told) as thread:
        wait_read(thread, settings)
        wait_until(lambda: sum(told.lags.values()) == 0 and len(told.lags) == 4)
    assert (told.events, told.aborts, told.partitions, told.up[0]) == (5_000, 0, 4, True)
    expect(kafka.bootstrap, prefix, Counter(keys))


def test_kill_in_mid_run_loses_and_doubles_nothing(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    chance = random.Random(7)
    keys = [f"c{chance.randrange(500)}" for _ in range(60_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys[:20_000]])
    options = {"bootstrap": kafka.bootstrap, "prefix": prefix, "slow_s": 0.005}
    with Worker(**options) as first:
        until_counted(first, kafka.bootstrap, prefix, 2_000)
        publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys[20_000:40_000]])
        first.kill()
    with Worker(**options) as second:
        publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys[40_000:]])
        until_counted(second, kafka.bootstrap, prefix, 30_000)
        second.kill()
    with Worker(**options) as third:
        wait_until(lambda: _owned(third))
        wait_until(lambda: all_read(kafka.bootstrap, f"{prefix}-group", (f"{prefix}-in",)), 40)
        assert third.terminate() == 0, third.log()
    expect(kafka.bootstrap, prefix, Counter(keys))


def test_an_aborted_transaction_is_decided_anew(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    create_topics(kafka.bootstrap, f"{prefix}-keyed", partitions=1, compacted=(f"{prefix}-keyed",))
    keys = [f"c{n % 20}" for n in range(2_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys])
    settings = config(kafka.bootstrap, prefix)
    told, sent = Told(), []
    count = counting(prefix)

    def process(batch: Any) -> None:
        count(batch)
        if not sent and told.events > 500:
            sent.append(1)
            batch.send(f"{prefix}-keyed", b"x", None)  # the broker refuses it, and with it the transaction

    with running(settings, {f"{prefix}-in": process}, metrics=told) as thread:
        wait_until(lambda: told.events >= 2_000)
        publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys])
        wait_read(thread, settings)
    assert told.aborts >= 1
    expect(kafka.bootstrap, prefix, Counter(keys + keys))


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_two_workers_share_and_hand_over_co_partitioned_topics(kafka: Any, prefix: str, protocol: str) -> None:
    engine_topics(kafka.bootstrap, prefix, "call")
    topics = [f"{prefix}-in", f"{prefix}-call"]
    chance = random.Random(3)
    keys = [f"c{chance.randrange(300)}" for _ in range(40_000)]

    def feed(part: int) -> None:
        for number, key in enumerate(keys[part * 10_000 : (part + 1) * 10_000]):
            pairs[topics[number % 2]].append((key, {}))
        for topic, records in pairs.items():
            publish(kafka.bootstrap, topic, records)
            records.clear()

    pairs: dict[str, list[tuple[str, Any]]] = {topic: [] for topic in topics}
    options = {
        "bootstrap": kafka.bootstrap,
        "prefix": prefix,
        "slow_s": 0.005,
        "topics": topics,
        "urgent": topics[1:],
        "group_protocol": protocol,
    }
    feed(0)
    with Worker(**options) as first:
        until_counted(first, kafka.bootstrap, prefix, 1_000)
        feed(1)
        with Worker(**options) as second:
            wait_until(lambda: _owned(first) and _owned(second) and not _owned(first) & _owned(second), 30)
            feed(2)
            assert {number for number, _ in _owned(first) | _owned(second)} == {0, 1, 2, 3}
            assert {named for _, named in _owned(first) | _owned(second)} == {", ".join(sorted(topics))}
            assert first.terminate() == 0, first.log()
            feed(3)
            wait_until(lambda: all_read(kafka.bootstrap, f"{prefix}-group", tuple(topics)), 40)
            assert second.terminate() == 0, second.log()
    expect(kafka.bootstrap, prefix, Counter(keys))


def test_a_worker_that_was_paused_past_its_session_is_fenced(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    chance = random.Random(5)
    keys = [f"c{chance.randrange(300)}" for _ in range(40_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys])
    options = {"bootstrap": kafka.bootstrap, "prefix": prefix, "slow_s": 0.02, "commit_ms": 500}
    with Worker(**options) as first:
        until_counted(first, kafka.bootstrap, prefix, 2_000)
        first.process.send_signal(signal.SIGSTOP)
        with Worker(**options) as second:
            wait_until(lambda: all_read(kafka.bootstrap, f"{prefix}-group", (f"{prefix}-in",)), 60, every=0.3)
            first.process.send_signal(signal.SIGCONT)
            assert first.process.wait(20) == 3, first.log()
            assert second.terminate() == 0, second.log()
    expect(kafka.bootstrap, prefix, Counter(keys))


def _owned(worker: Worker) -> set[tuple[int, str]]:
    """The partitions of a worker by its log, each with the topics that came with it."""
    owned: set[tuple[int, str]] = set()
    for what, numbers, topics in re.findall(r"(assigned|revoked): partitions \[([^\]]*)\] of (.+)", worker.log()):
        named = {(int(number), topics) for number in numbers.split(",") if number}
        owned = owned | named if what == "assigned" else owned - named
    return owned


def test_rocksdb_survives_a_kill_and_restarts_from_its_directory(kafka: Any, prefix: str, tmp_path: Path) -> None:
    engine_topics(kafka.bootstrap, prefix)
    keys = [f"c{n % 400}" for n in range(20_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys])
    options = {"prefix": prefix, "ledger": f"rocksdb://{tmp_path}", "instance": "w1"}
    with Worker(bootstrap=kafka.bootstrap, slow_s=0.005, **options) as first:
        until_counted(first, kafka.bootstrap, prefix, 3_000)
        first.kill()
    settings = config(kafka.bootstrap, **options)
    handlers = {f"{prefix}-in": counting(prefix)}
    with running(settings, handlers) as thread:
        wait_read(thread, settings)
    expect(kafka.bootstrap, prefix, Counter(keys))
    told = Told()
    with running(settings, handlers, metrics=told) as thread:
        wait_until(lambda: told.partitions == 4)
        publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys])
        wait_read(thread, settings)
    assert told.restores == [0] * 4
    expect(kafka.bootstrap, prefix, Counter(keys + keys))


def test_a_new_worker_restores_from_the_changelog(kafka: Any, prefix: str, tmp_path: Path) -> None:
    engine_topics(kafka.bootstrap, prefix)
    keys = [f"c{n % 400}" for n in range(4_000)]
    handlers = {f"{prefix}-in": counting(prefix)}
    for number, where in enumerate(("memory", f"rocksdb://{tmp_path}", "memory")):
        publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys])
        # without patience in the rebalance the partition is assigned paused, and resumed once it is restored
        settings, told = config(kafka.bootstrap, prefix, ledger=where, restore_wait_ms=-1 if number else 500), Told()
        with running(settings, handlers, metrics=told) as thread:
            wait_read(thread, settings)
        assert (sum(told.restores) >= 400) == (number > 0)
    expect(kafka.bootstrap, prefix, Counter(keys * 3))
