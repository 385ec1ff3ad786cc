"""The Faust app on the engine, end to end, and the private names of Faust that the seam relies on."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any

import pytest

from streams.engine.transport import PRIVATE
from tests.engine.kit import Worker, all_read, engine_topics, publish, wait_until
from tests.engine.test_exactly_once import expect


def test_faust_app_decides_batches_and_stops_on_sigterm(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix, "call")
    keys = [f"c{n % 70}" for n in range(7_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {}) for key in keys])
    calls = [f"c{n % 70}" for n in range(700)]
    publish(kafka.bootstrap, f"{prefix}-call", [(key, {}) for key in calls])
    topics = (f"{prefix}-in", f"{prefix}-call")
    with Worker(faust=True, bootstrap=kafka.bootstrap, prefix=prefix, topics=topics, urgent=[topics[1]]) as worker:
        wait_until(lambda: worker.process.poll() is not None or all_read(kafka.bootstrap, f"{prefix}-group", topics))
        assert worker.terminate() == 0, worker.log()
    expect(kafka.bootstrap, prefix, Counter(keys + calls))


@pytest.mark.parametrize("name", PRIVATE)
def test_private_name_of_faust_is_still_there(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    where, _, owner = module.rpartition(".")
    assert hasattr(getattr(importlib.import_module(where), owner), attribute)
