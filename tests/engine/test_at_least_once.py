"""At least once: the history role's sink, and a broker without sound transactions."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from schemas.errors import PartError
from streams.engine.batch import Output
from tests.engine.kit import (
    Told,
    Worker,
    committed,
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
from tests.engine.test_exactly_once import expect, until_counted
from tests.engine.worker import counting

NO_WAIT = {"fetch.wait.max.ms": 2}


class Sink:
    """A sink that can be away."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.stored: list[Any] = []
        self.away = False
        self.tried = 0
        self.refuse: list[Output] = []

    def process(self, batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                self.waiting.append((message.partition(), message.offset()))

    def flush(self) -> list[Output]:
        self.tried += 1
        if self.away:
            raise PartError("the sink is away")
        rows, self.waiting = self.waiting, []
        self.stored += rows
        refused, self.refuse = self.refuse, []
        return refused


def _history(bootstrap: str, prefix: str, **changes: Any) -> Any:
    return config(bootstrap, prefix, **{"delivery": "at_least_once", "ledger": None, "commit_ms": 100, **changes})


def _stands_still(rows: list[Any]) -> bool:
    """Whether nothing is added for a second."""
    held = len(rows)
    time.sleep(1.0)
    return len(rows) == held


def test_rows_go_in_before_the_offsets(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [(f"c{n}", {}) for n in range(3_000)])
    settings, sink = _history(kafka.bootstrap, prefix), Sink()
    sink.refuse.append(Output(f"{prefix}-dead", b"{}", b"k"))
    with running(settings, {f"{prefix}-in": sink.process}, sink=sink.flush) as thread:
        wait_read(thread, settings)
    assert len(set(sink.stored)) == len(sink.stored) == 3_000
    assert len(read(kafka.bootstrap, f"{prefix}-dead")) == 1


def test_a_sink_that_is_away_stops_the_input_and_loses_nothing(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [(f"c{n}", {}) for n in range(50_000)])
    settings, sink, told = _history(kafka.bootstrap, prefix, max_pending=4, commit_events=2_000), Sink(), Told()
    sink.away = True
    with running(settings, {f"{prefix}-in": sink.process}, sink=sink.flush, metrics=told) as thread:
        wait_until(lambda: sink.tried > 3)
        wait_until(lambda: _stands_still(sink.waiting))
        assert len(sink.waiting) < 50_000
        assert set(committed(kafka.bootstrap, settings.group, settings.topics).values()) == {-1001}
        publish(kafka.bootstrap, f"{prefix}-in", [(f"c{n}", {}) for n in range(1_000)])
        wait_until(lambda: sum(told.lags.values()) == 51_000 - len(sink.waiting))  # though nothing is fetched
        sink.away = False
        wait_read(thread, settings)
    assert len(set(sink.stored)) == len(sink.stored) == 51_000
    assert told.aborts == 0


def test_what_was_not_flushed_is_delivered_again(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [(f"c{n}", {}) for n in range(500)])
    settings, first, second = _history(kafka.bootstrap, prefix), Sink(), Sink()
    first.away = True
    with running(settings, {f"{prefix}-in": first.process}, sink=first.flush):
        wait_until(lambda: first.tried > 1)
    assert first.stored == []
    with running(settings, {f"{prefix}-in": second.process}, sink=second.flush) as thread:
        wait_read(thread, settings)
    assert len(set(second.stored)) == 500


def test_what_was_given_up_in_order_is_not_read_again(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [(f"c{n}", {}) for n in range(20_000)])
    settings, first, second = _history(kafka.bootstrap, prefix, commit_events=500), Sink(), Sink()
    with running(settings, {f"{prefix}-in": first.process}, sink=first.flush):
        wait_until(lambda: first.stored)
    with running(settings, {f"{prefix}-in": second.process}, sink=second.flush) as thread:
        wait_read(thread, settings)
    assert not set(first.stored) & set(second.stored)
    assert len(first.stored) + len(second.stored) == 20_000


def test_at_least_once_on_tansu(tansu: Any, prefix: str) -> None:
    engine_topics(tansu.bootstrap, prefix, "call")
    topics = (f"{prefix}-in", f"{prefix}-call")
    keys = [f"c{n % 60}" for n in range(6_000)]
    options = {"delivery": "at_least_once", "consumer_extra": NO_WAIT, "topics": topics, "urgent": topics[1:]}
    settings = config(tansu.bootstrap, prefix, **options)
    handlers = dict.fromkeys(topics, counting(prefix))
    told = Told()
    for start in (0, 3_000):  # the second engine restores what the first one left
        for number, topic in enumerate(topics):
            part = keys[start : start + 3_000][number::2]
            publish(tansu.bootstrap, topic, [(key, {}) for key in part])
        with running(settings, handlers, metrics=told) as thread:
            wait_until(lambda done=start + 3_000: thread.failures or told.events == done)
            assert thread.failures == []
    assert sum(told.restores) >= 60
    expect(tansu.bootstrap, prefix, Counter(keys))


def test_a_kill_on_tansu_repeats_but_loses_nothing(tansu: Any, prefix: str) -> None:
    engine_topics(tansu.bootstrap, prefix)
    keys = [f"c{n % 60}" for n in range(6_000)]
    publish(tansu.bootstrap, f"{prefix}-in", [(key, {}) for key in keys])
    options = {"prefix": prefix, "delivery": "at_least_once", "consumer_extra": NO_WAIT}
    with Worker(bootstrap=tansu.bootstrap, slow_s=0.2, **options) as first:
        wait_until(lambda: first.process.poll() is None and ledger(tansu.bootstrap, f"{prefix}-ledger"))
        first.kill()
    with Worker(bootstrap=tansu.bootstrap, **options) as second:
        wait_until(lambda: "assigned" in second.log())
        until_counted(second, tansu.bootstrap, prefix, len(keys))
        assert second.terminate() == 0, second.log()
    held = {
        key.removeprefix("count/"): record["n"] for key, record in ledger(tansu.bootstrap, f"{prefix}-ledger").items()
    }
    counts = Counter(keys)
    assert set(held) == set(counts)
    assert all(held[key] >= count for key, count in counts.items())
    told = {tuple(value) for value in values(read(tansu.bootstrap, f"{prefix}-out"))}
    assert {(key, n) for key, count in counts.items() for n in range(10, count + 1, 10)} <= told


def test_deadlines_fire_on_tansu(tansu: Any, prefix: str) -> None:
    engine_topics(tansu.bootstrap, prefix)
    create_topics(tansu.bootstrap, f"{prefix}-other")
    due = int(time.time() * 1000) + 500
    publish(tansu.bootstrap, f"{prefix}-in", [("c1", {})])
    settings = config(
        tansu.bootstrap,
        prefix,
        delivery="at_least_once",
        consumer_extra=NO_WAIT,
        topics=(f"{prefix}-in", f"{prefix}-other"),
    )
    fired: list[Any] = []

    def process(batch: Any) -> None:
        fired.extend(batch.fired)
        for message in batch.messages:
            with batch.scope(message):
                batch.arm("c1", "n", due, settings.topics)

    with running(settings, dict.fromkeys(settings.topics, process)) as thread:
        wait_until(lambda: thread.failures or fired)
    assert [event.due_at for event in fired] == [due]
