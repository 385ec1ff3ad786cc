"""Exactly once on Apache Kafka: ledger and outputs are those of each event counted once."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

from tests.engine.kit import InThread, Worker, all_read, config, create_topics, dead_letter, ledger, publish, read, values
from tests.engine.worker import counting
from streams.engine.engine import Engine


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
    with InThread(lambda failed: Engine(settings, dead_letter=dead_letter, on_failure=failed), {f"{prefix}-in": counting(prefix)}) as running:
        from tests.engine.kit import wait_until

        wait_until(lambda: running.failures or all_read(kafka.bootstrap, settings.group, settings.topics), 30)
    assert running.failures == []
    _expect(kafka.bootstrap, prefix, Counter(keys))
