"""The running engine on Apache Kafka: urgent events, pops, dead letters, deadlines, how it fails and stops."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from schemas.errors import PartError
from streams.engine import precheck
from streams.engine.clock import ManualClock
from streams.engine.deadletters import DeadLetterLimit, TooManyDeadLettersError
from tests.engine.kit import (
    FailingError,
    Told,
    committed,
    config,
    create_topics,
    ends,
    engine_topics,
    ledger,
    publish,
    read,
    running,
    values,
    wait_read,
    wait_until,
)


def test_urgent_events_overtake_a_backlog(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix, "call")
    bulk, call = f"{prefix}-in", f"{prefix}-call"
    publish(kafka.bootstrap, bulk, [(f"c{n % 50}", {}) for n in range(30_000)])
    settings = config(kafka.bootstrap, prefix, topics=(bulk, call), urgent=(call,))
    decided, seen, pace = [0], [], [0.05]

    def slow(batch: Any) -> None:
        time.sleep(pace[0])
        for message in batch.messages:
            with batch.scope(message):
                batch.put(message.key().decode(), 1)
        decided[0] += len(batch.messages)

    def answer(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                batch.send_now(f"{prefix}-out", message.value(), message.key())
                seen.append(decided[0])

    with running(settings, {bulk: slow, call: answer}) as thread:
        wait_until(lambda: decided[0] > 1_000)
        publish(kafka.bootstrap, call, [(f"c{number}", {"n": number}) for number in range(20)])
        wait_until(lambda: len(seen) == 20)
        assert decided[0] < 30_000, "the calls waited for the backlog"
        pace[0] = 0.0
        wait_read(thread, settings)
    assert sorted(record["n"] for record in values(read(kafka.bootstrap, f"{prefix}-out"))) == list(range(20))
    offsets = committed(kafka.bootstrap, settings.group, (call,))
    assert sum(offsets.values()) == 20


def test_a_pop_does_not_wait_for_the_commit(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix, "pop")
    settings = config(kafka.bootstrap, prefix, commit_ms=600_000)  # only the end of the engine commits

    def process(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                batch.send(f"{prefix}-out", b"1", message.key())
                batch.send_now(f"{prefix}-pop", b"1", message.key(), [("ce_id", b"7")])

    with running(settings, {f"{prefix}-in": process}):
        publish(kafka.bootstrap, f"{prefix}-in", [("c1", {})])
        wait_until(lambda: read(kafka.bootstrap, f"{prefix}-pop"))
        assert sum(ends(kafka.bootstrap, f"{prefix}-out", "read_committed")) == 0
    assert len(read(kafka.bootstrap, f"{prefix}-out")) == 1
    pops = read(kafka.bootstrap, f"{prefix}-pop")
    assert [pop.headers() for pop in pops] == [[("ce_id", b"7")]]


def test_a_raising_event_is_dead_lettered_and_its_neighbours_stand(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [("c1", {"n": n}) for n in range(1_000)])
    settings, told = config(kafka.bootstrap, prefix), Told()

    def process(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                number = json.loads(message.value())["n"]
                batch.put("sum", (batch.get("sum") or 0) + number)
                batch.put(f"n/{number}", True)
                batch.send(f"{prefix}-out", message.value(), message.key())
                if number % 100 == 7:
                    raise FailingError(number)

    with running(settings, {f"{prefix}-in": process}, metrics=told) as thread:
        wait_read(thread, settings)
    poison = [n for n in range(1_000) if n % 100 == 7]
    good = [n for n in range(1_000) if n % 100 != 7]
    held = ledger(kafka.bootstrap, f"{prefix}-ledger")
    assert held == {"sum": sum(good), **{f"n/{n}": True for n in good}}
    assert [r["n"] for r in values(read(kafka.bootstrap, f"{prefix}-out"))] == good
    dead = read(kafka.bootstrap, f"{prefix}-dead")
    assert [r["n"] for r in values(dead)] == poison
    assert dead[0].headers() == [("error", b"7")]
    assert told.dead == [(f"{prefix}-in", "agent_raised")] * 10


def test_when_everything_fails_the_worker_stops(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [("c1", {"n": n}) for n in range(3_000)])
    settings = config(kafka.bootstrap, prefix)

    def process(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                raise FailingError

    limit = DeadLetterLimit(run=300, window=500)
    with running(settings, {f"{prefix}-in": process}, limit=limit) as thread:
        wait_until(lambda: thread.failures)
    assert isinstance(thread.failures[0], TooManyDeadLettersError)
    assert len(read(kafka.bootstrap, f"{prefix}-dead")) < 300


def _deadline_handler(prefix: str, fired: list[Any]) -> Any:
    """`arm` in a record arms a deadline, `disarm` drops it; what fires goes to `PREFIX-out`."""

    def process(batch: Any) -> None:
        for event in batch.fired:
            with batch.scope(event):
                fired.append(event)
                batch.put(f"fired/{event.customer}", event.due_at)
                batch.send(f"{prefix}-out", json.dumps([event.customer, event.due_at]).encode(), b"k")
        for message in batch.messages:
            with batch.scope(message):
                record, key = json.loads(message.value()), message.key().decode()
                if "at" in record:
                    batch.occurred(record["at"])
                if "arm" in record:
                    batch.arm(key, "check", record["arm"], (f"{prefix}-in",))
                if "disarm" in record:
                    batch.disarm(key, "check")

    return process


def test_deadlines_survive_a_restart_and_fire_once(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    now = int(time.time() * 1000)
    due = {f"c{n}": now + 500 + n for n in range(20)}
    publish(kafka.bootstrap, f"{prefix}-in", [(key, {"arm": at}) for key, at in due.items()])
    publish(kafka.bootstrap, f"{prefix}-in", [("gone", {"arm": now + 500}), ("gone", {"disarm": 1})])
    settings, told, fired = config(kafka.bootstrap, prefix), Told(), []
    handlers = {f"{prefix}-in": _deadline_handler(prefix, fired)}
    with running(settings, handlers, metrics=told, clock=ManualClock(now)) as thread:  # it stands still
        wait_read(thread, settings)
        wait_until(lambda: told.deadlines == 20 or fired)
    assert fired == []
    with running(settings, handlers) as thread:
        wait_until(lambda: thread.failures or len(fired) == 20)
        time.sleep(0.3)
    assert {event.customer: event.due_at for event in fired} == due
    held = ledger(kafka.bootstrap, f"{prefix}-ledger")
    assert held == {f"fired/{key}": at for key, at in due.items()}
    assert len(read(kafka.bootstrap, f"{prefix}-out")) == 20
    with running(settings, handlers, metrics=told) as thread:
        wait_until(lambda: told.partitions == 4)
        time.sleep(1.5)
    assert len(fired) == 20


def test_a_worker_that_catches_up_opens_nothing_that_unread_events_settle(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    long_ago = int(time.time() * 1000) - 3_600_000
    arm = [(f"c{n}", {"arm": long_ago + n}) for n in range(10_000)]
    disarm = [(f"c{n}", {"disarm": 1}) for n in range(10_000)]
    publish(kafka.bootstrap, f"{prefix}-in", [*arm, *disarm, ("left", {"arm": long_ago})])
    settings, told, fired = config(kafka.bootstrap, prefix), Told(), []
    slow = _deadline_handler(prefix, fired)

    def process(batch: Any) -> None:
        time.sleep(len(batch.messages) / 10_000)  # in all a good second between arming and settling
        slow(batch)

    with running(settings, {f"{prefix}-in": process}, metrics=told) as thread:
        wait_read(thread, settings)
        wait_until(lambda: fired)
    assert [event.customer for event in fired] == ["left"]


def test_deadlines_by_the_event_clock(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [("a", {"at": 100, "arm": 5_000}), ("a", {"at": 5_000})], partition=1)
    publish(kafka.bootstrap, f"{prefix}-in", [("b", {"at": 100, "arm": 5_000}), ("b", {"at": 5_001})], partition=2)
    settings, fired = config(kafka.bootstrap, prefix, clock="events"), []
    with running(settings, {f"{prefix}-in": _deadline_handler(prefix, fired)}) as thread:
        wait_until(lambda: thread.failures or fired)
        time.sleep(1.5)
    assert [(event.customer, event.due_at) for event in fired] == [("b", 5_000)]


def test_an_exception_outside_a_scope_ends_the_engine(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [("c1", {})])
    settings = config(kafka.bootstrap, prefix)

    def process(batch: Any) -> None:
        raise FailingError("in the shell")

    with running(settings, {f"{prefix}-in": process}) as thread:
        wait_until(lambda: thread.failures)
    assert isinstance(thread.failures[0], FailingError)
    assert set(committed(kafka.bootstrap, settings.group, settings.topics).values()) <= {-1001, 0}


def test_ends_behind_markers_are_committed(kafka: Any, prefix: str) -> None:
    """What another engine wrote in transactions is read to its very end, so that waiting for it ends."""
    engine_topics(kafka.bootstrap, prefix)
    publish(kafka.bootstrap, f"{prefix}-in", [(f"c{n}", {"n": n}) for n in range(100)])

    def forward(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                batch.send(f"{prefix}-out", message.value(), message.key())

    first = config(kafka.bootstrap, prefix)
    second = config(kafka.bootstrap, prefix, topics=(f"{prefix}-out",), group=f"{prefix}-second", ledger=None)
    with (
        running(first, {f"{prefix}-in": forward}) as one,
        running(second, {f"{prefix}-out": lambda batch: None}) as two,
    ):
        wait_read(one, first)
        wait_read(two, second)
    assert sum(committed(kafka.bootstrap, second.group, second.topics).values()) > 100


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bootstrap": "127.0.0.1:1"}, "YUPAN_KAFKA=127.0.0.1:1"),
        ({"topics": ("nowhere",)}, "topics are missing: nowhere"),
        ({"changelog": "no-ledger"}, "topics are missing: no-ledger"),
    ],
)
def test_what_is_missing_at_the_start_is_named(
    kafka: Any, prefix: str, changes: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precheck, "ANSWER_S", 1.0)
    monkeypatch.setattr(precheck, "NEW_TOPICS_S", 0.5)
    engine_topics(kafka.bootstrap, prefix)
    settings = config(**{"bootstrap": kafka.bootstrap, "prefix": prefix, **changes})
    with running(settings, {}) as thread:
        wait_until(lambda: thread.failures)
    assert isinstance(thread.failures[0], PartError)
    assert words in str(thread.failures[0])


def test_topics_with_different_partition_counts_are_refused(kafka: Any, prefix: str) -> None:
    engine_topics(kafka.bootstrap, prefix)
    create_topics(kafka.bootstrap, f"{prefix}-other", partitions=3)
    settings = config(kafka.bootstrap, prefix, topics=(f"{prefix}-in", f"{prefix}-other"))
    with running(settings, {}) as thread:
        wait_until(lambda: thread.failures)
    assert "same number of partitions" in str(thread.failures[0])
