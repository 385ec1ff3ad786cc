"""Exactly once on Apache Kafka: ledger and outputs are those of each event counted once."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from streams.engine.engine import Engine
from tests.engine.kit import (
    InThread,
    Worker,
    all_read,
    config,
    create_topics,
    dead_letter,
    ledger,
    publish,
    read,
    values,
    wait_until,
)
from tests.engine.worker import counting


def _topics(bootstrap: str, prefix: str, *more: str) -> None:
    create_topics(bootstrap, f"{prefix}-in", f"{prefix}-out", *more)
    create_topics(bootstrap, f"{prefix}-ledger", compacted=(f"{prefix}-ledger",))


def _expect(bootstrap: str, prefix: str, counts: Counter[str]) -> None:
    held = {key.removeprefix("count/"): record["n"] for key, record in ledger(bootstrap, f"{prefix}-ledger").items()}
    assert held == dict(counts)
    told = sorted(map(tuple, values(read(bootstrap, f"{prefix}-out"))))
    assert told == sorted((key, n) for key, count in counts.items() for n in range(10, count + 1, 10))


def test_batches_become_ledger_and_outputs(kafka: Any, prefix: str) -> None:
    _topics(kafka.bootstrap, prefix)
    keys = [f"c{n % 50}" for n in range(5_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {"n": n}) for n, key in enumerate(keys)])
    settings = config(kafka.bootstrap, prefix)
    with InThread(
        lambda failed: Engine(settings, dead_letter=dead_letter, on_failure=failed), {f"{prefix}-in": counting(prefix)}
    ) as running:
        wait_until(lambda: running.failures or all_read(kafka.bootstrap, settings.group, settings.topics), 30)
    assert running.failures == []
    _expect(kafka.bootstrap, prefix, Counter(keys))


def test_kill_in_mid_run_loses_and_doubles_nothing(kafka: Any, prefix: str) -> None:
    _topics(kafka.bootstrap, prefix)
    chance = random.Random(7)
    keys = [f"c{chance.randrange(500)}" for _ in range(60_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys[:20_000]])
    options = {"bootstrap": kafka.bootstrap, "prefix": prefix, "transaction_timeout_ms": 10_000}
    with Worker(**options) as first:
        _until_counted(first, kafka.bootstrap, prefix, 2_000)
        publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys[20_000:40_000]])
        first.kill()
    with Worker(**options) as second:
        publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys[40_000:]])
        _until_counted(second, kafka.bootstrap, prefix, 30_000)
        second.kill()
    with Worker(**options) as third:
        wait_until(lambda: all_read(kafka.bootstrap, f"{prefix}-group", (f"{prefix}-in",)), 40)
        assert third.terminate() == 0, third.log()
    _expect(kafka.bootstrap, prefix, Counter(keys))


def _until_counted(worker: Worker, bootstrap: str, prefix: str, events: int) -> None:
    def counted() -> bool:
        assert worker.process.poll() is None, worker.log()
        return sum(record["n"] for record in ledger(bootstrap, f"{prefix}-ledger").values()) >= events

    wait_until(counted, 40)
