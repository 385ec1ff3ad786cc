"""Batch and scope: what an event may do, and what stays of it when it raises."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from agents.ports import Batch, Fired
from schemas.errors import PartError, RecordError, UsageError
from streams.engine.batch import EngineBatch, Output
from streams.engine.config import EngineConfig
from streams.engine.deadletters import DeadLetterLimit, TooManyDeadLettersError
from streams.engine.deadlines import Deadlines
from streams.engine.engine import Engine
from streams.engine.partition import Partition
from tests.engine.bench import Bench, Record
from tests.engine.kit import dead_letter


def test_the_batch_is_what_agents_expect() -> None:
    batch: Batch = Bench().batch(Record(4), Record(7))
    assert (batch.topic, batch.partition, [m.offset() for m in batch.messages], list(batch.fired)) == (
        "in",
        0,
        [4, 7],
        [],
    )


def test_offset_to_commit_lies_behind_the_last_record() -> None:
    assert Bench().batch(Record(4), Record(7)).end == 8


def test_reads_its_own_writes_and_the_ledger() -> None:
    bench = Bench()
    bench.store.apply({"state/1": "old", "state/2": "kept"})
    with bench.batch(Record(0)) as batch:
        batch.put("state/1", "new")
        assert [batch.get(f"state/{n}") for n in (1, 2, 3)] == ["new", "kept", None]
        batch.delete("state/1")
        assert batch.get("state/1") is None
    assert batch.changes == {"state/1": None}


def test_deleting_what_is_not_there_writes_nothing() -> None:
    with Bench().batch(Record(0)) as batch:
        batch.delete("state/1")
    assert batch.changes == {}


def test_leaving_the_batch_hands_it_over_once() -> None:
    bench = Bench()
    with bench.batch(Record(0)) as batch:
        assert batch.open
        assert bench.finished == []
    assert bench.finished == [batch]
    assert not batch.open
    assert batch.error is None


def _raise_in_the_middle(bench: Bench, error: BaseException) -> EngineBatch:
    bench.store.apply({"state/old": 1})
    messages = [Record(0), Record(1), Record(2)]
    with bench.batch(*messages) as batch:
        for number, message in enumerate(messages):
            with batch.scope(message):
                batch.put(f"state/{number}", number)
                batch.put("state/shared", number)
                batch.put("state/shared", number + 100)
                batch.send("out", b"%d" % number, b"k")
                batch.send_now("pop", b"%d" % number, b"k")
                batch.arm("c", f"n{number}", 50 + number, ("in",))
                batch.occurred(number * 10)
                if number == 1:
                    batch.delete("state/old")
                    raise error
    return batch


def test_a_raising_event_leaves_nothing_and_its_neighbours_stand() -> None:
    bench = Bench()
    batch = _raise_in_the_middle(bench, ValueError("poison"))
    assert batch.changes == {
        "state/0": 0,
        "state/2": 2,
        "state/shared": 102,
        "~due/c": [["n0", 50, ["in"]], ["n2", 52, ["in"]]],
    }
    assert batch.armed == {("c", "n0"): (50, ("in",)), ("c", "n2"): (52, ("in",))}
    assert batch.outputs == [
        Output("out", b"0", b"k"),
        Output("dead", b"ValueError('poison')", b"k"),
        Output("out", b"2", b"k"),
    ]
    assert [output.value for output in bench.sent_now] == [b"0", b"2"]
    assert batch.error is None
    assert batch.end == 3


def test_a_failed_event_does_not_move_the_event_clock() -> None:
    bench = Bench(by_events=True)
    with bench.batch(Record(0), Record(1)) as batch:
        with batch.scope(batch.messages[0]):
            batch.occurred(10)
        with batch.scope(batch.messages[1]):
            batch.occurred(99_999_999)
            raise ValueError
    assert batch.latest == 10


def test_dead_letters_are_counted_by_reason() -> None:
    bench = Bench()
    with bench.batch(Record(0), Record(1)) as batch:
        with batch.scope(batch.messages[0]):
            raise RecordError("bad_msisdn", "none")
        with batch.scope(batch.messages[1]):
            raise KeyError("bug")
    assert bench.metrics.dead == [("in", "bad_msisdn"), ("in", "agent_raised")]


def test_sent_back_to_its_own_topic_is_rerouted_and_no_dead_letter() -> None:
    bench = Bench(limit=DeadLetterLimit(run=1, share=0.0))
    bench.dead_to = "in"
    with bench.batch(Record(0)) as batch, batch.scope(batch.messages[0]):
        raise RecordError("wrong_partition", "elsewhere")
    assert (bench.metrics.dead, bench.metrics.back) == ([], ["in"])
    assert batch.outputs[0].partition == -1


def test_send_now_waits_for_the_scopes_good_end() -> None:
    bench = Bench()
    with bench.batch(Record(0)) as batch:
        with batch.scope(batch.messages[0]):
            batch.send_now("pop", b"1", b"k", [("h", b"x")])
            assert bench.sent_now == []
        assert bench.sent_now == [Output("pop", b"1", b"k", [("h", b"x")])]
    assert batch.outputs == []


def test_an_output_that_no_broker_takes_dead_letters_its_event() -> None:
    bench = Bench()
    sizes = (("k", 1_000, 0), ("k", 800, 200), ("k" * 201, 800, 0), ("k", 799, 199))  # 1,000 bytes at most, and one
    with bench.batch(*(Record(n) for n in range(4))) as batch:
        for message, (key, value, header) in zip(batch.messages, sizes, strict=True):
            with batch.scope(message):
                batch.put(f"a{message.offset()}", 1)
                batch.send("out", b"x" * value, key.encode(), [("h", b"y" * header)] if header else None)
    assert batch.changes == {"a3": 1}
    assert bench.metrics.dead == [("in", "too_large")] * 3


@pytest.mark.parametrize("error", [PartError("ClickHouse is away"), asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_is_no_fault_of_the_event_ends_the_batch(error: BaseException) -> None:
    bench = Bench()
    with pytest.raises(type(error)):
        _raise_in_the_middle(bench, error)
    assert bench.finished[0].error is error
    assert bench.metrics.dead == []


def test_a_batch_that_is_left_is_no_work_for_the_garbage_collector() -> None:
    bench = Bench()
    bench.finished.clear()
    gc.collect()
    with bench.batch(Record(0)) as batch, batch.scope(batch.messages[0]):
        batch.put("a", 1)
    bench.finished.clear()
    del batch
    assert gc.collect() == 0


def test_raising_outside_a_scope_is_told() -> None:
    bench = Bench()
    with pytest.raises(ZeroDivisionError), bench.batch(Record(0)):
        1 / 0  # noqa: B018
    assert isinstance(bench.finished[0].error, ZeroDivisionError)


# --- deadlines in the ledger


def test_arming_and_dropping_keeps_one_record_a_customer() -> None:
    bench = Bench()
    with bench.batch(Record(0)) as batch:
        batch.arm("c", "a", 10, ("in", "call"))
        batch.arm("c", "b", 20, ("in",))
        batch.arm("c", "a", 30, ("in",))
        assert batch.get("~due/c") == [["b", 20, ["in"]], ["a", 30, ["in"]]]
        batch.disarm("c", "b")
        batch.disarm("c", "b")
        batch.disarm("other", "b")
    assert batch.changes == {"~due/c": [["a", 30, ["in"]]]}
    assert batch.armed == {("c", "a"): (30, ("in",)), ("c", "b"): None}


def test_the_last_deadline_leaves_no_record() -> None:
    bench = Bench()
    bench.store.apply({"~due/c": [["a", 10, ["in"]]]})
    bench.partition.deadlines.arm("c", "a", 10, ("in",), 0)
    with bench.batch(Record(0)) as batch:
        batch.disarm("c", "a")
    assert batch.changes == {"~due/c": None}


def test_arming_again_the_same_writes_nothing() -> None:
    bench = Bench()
    bench.store.apply({"~due/c": [["a", 10, ["in"]]]})
    with bench.batch(Record(0)) as batch:
        batch.arm("c", "a", 10, ("in",))
    assert (batch.changes, batch.armed) == ({}, {})


def test_a_fired_deadline_is_gone_even_if_its_scope_raises() -> None:
    bench = Bench()
    bench.store.apply({"~due/c": [["a", 10, ["in"]], ["b", 99, ["in"]]]})
    fired = Fired("c", "a", 10)
    with bench.batch(fired=[fired]) as batch, batch.scope(fired):
        batch.put("x", 1)
        raise ValueError
    assert batch.changes == {"~due/c": [["b", 99, ["in"]]]}
    assert batch.end is None
    assert [output.topic for output in batch.outputs] == ["dead"]


def test_a_fired_deadline_may_be_armed_anew() -> None:
    bench = Bench()
    bench.store.apply({"~due/c": [["a", 10, ["in"]]]})
    fired = Fired("c", "a", 10)
    with bench.batch(fired=[fired]) as batch, batch.scope(fired):
        batch.arm("c", "a", 20, ("in",))
    assert batch.changes == {"~due/c": [["a", 20, ["in"]]]}
    assert batch.armed == {("c", "a"): (20, ("in",))}


# --- the clock


def test_now_is_the_wall_clock() -> None:
    bench = Bench()
    with bench.batch(Record(0)) as batch:
        batch.occurred(77)
        assert batch.now() == 1_000
        bench.clock.advance(5)
        assert batch.now() == 1_005


def test_now_is_the_largest_occurred_at_with_the_event_clock() -> None:
    bench = Bench(by_events=True)
    bench.partition.event_clock = 50
    with bench.batch(Record(0)) as batch:
        assert batch.now() == 50
        batch.occurred(40)
        assert batch.now() == 50
        batch.occurred(60)
        assert batch.now() == 60


def test_without_ledger_reading_one_says_so() -> None:
    bench = Bench()
    owner = Partition(0, 1, {"in": 0}, Deadlines())
    owner.open(None, (), 0)
    batch = EngineBatch(bench.desk, owner, "in", [Record(0)])
    with pytest.raises(UsageError, match="no ledger"):
        batch.get("state/1")


# --- too many dead letters


def _fail(limit: DeadLetterLimit, times: int) -> None:
    for _ in range(times):
        limit.failed("in")


def test_a_bad_deployment_stops_the_worker() -> None:
    limit = DeadLetterLimit(share=0.5, window=20, run=10)
    limit.passed("in", 1_000_000)
    _fail(limit, 20)
    with pytest.raises(TooManyDeadLettersError):
        limit.failed("in")


def test_a_share_below_the_limit_goes_on_for_ever() -> None:
    limit = DeadLetterLimit(share=0.5, window=100, run=10)
    for _ in range(100):
        limit.passed("in", 10)
        _fail(limit, 9)


def test_a_run_that_is_not_yet_half_of_the_window_goes_on() -> None:
    limit = DeadLetterLimit(share=0.5, window=100, run=10)
    _fail(limit, 1)
    limit.passed("in", 90)
    _fail(limit, 80)
    with pytest.raises(TooManyDeadLettersError):
        _fail(limit, 20)


def test_a_topic_that_fails_whole_is_found_while_others_pass() -> None:
    limit = DeadLetterLimit(run=10)
    _fail(limit, 9)
    limit.passed("other", 1_000)
    with pytest.raises(TooManyDeadLettersError, match="in: the last 10 events"):
        limit.failed("in")


def test_the_limit_ends_the_batch() -> None:
    bench = Bench(limit=DeadLetterLimit(run=2, window=10))
    messages: list[Any] = [Record(0), Record(1), Record(2)]

    def decide() -> None:
        with bench.batch(*messages) as batch:
            for message in messages:
                with batch.scope(message):
                    raise ValueError

    with pytest.raises(TooManyDeadLettersError):
        decide()
    assert isinstance(bench.finished[0].error, TooManyDeadLettersError)


def test_a_run_of_0_switches_the_limit_off() -> None:
    _fail(DeadLetterLimit(share=0.0, run=0), 10_000)


def test_the_window_is_twice_the_run() -> None:
    limit = DeadLetterLimit(share=0.5, run=10)
    limit.passed("in", 1_000_000)
    _fail(limit, 20)
    with pytest.raises(TooManyDeadLettersError, match="YUPAN_DEAD_LETTER_RUN"):
        limit.failed("in")


class Again(Record):
    """A record that was replayed."""

    def headers(self) -> Any:
        return [("yupan.replayed", b"3:17")]


def test_replayed_events_that_fail_again_stop_no_worker() -> None:
    bench = Bench(limit=DeadLetterLimit(run=1, share=0.0))
    with bench.batch(Again(0)) as batch, batch.scope(batch.messages[0]):
        raise ValueError
    assert bench.metrics.dead == [("in", "agent_raised")]
    with pytest.raises(TooManyDeadLettersError), bench.batch(Record(1)) as batch, batch.scope(batch.messages[0]):
        raise ValueError


def test_the_age_of_a_batch_is_that_of_the_record_that_waited_longest() -> None:
    bench = Bench()
    with bench.batch(Record(0, at=4_000), Record(1, at=9_000)) as batch:
        batch.received_at = 50.0
        for message, occurred in zip(batch.messages, (3_000, 8_500), strict=True):
            with batch.scope(message):
                batch.occurred(occurred)
    assert batch.ages(10_000, 51.5) == {"received": 1.5, "broker": 6.0, "occurred": 1.5}


def test_a_dead_partition_and_its_batch_let_go_of_each_other() -> None:
    """What has been set aside by the collector before would stay for ever as a cycle."""
    engine = Engine(EngineConfig("nowhere", "g", ("in",)), dead_letter=dead_letter, on_failure=_raise)
    partition = Partition(0, 1, {"in": 0}, Deadlines())
    partition.dead = True
    partition.in_flight = batch = EngineBatch(engine._dispatch._desk, partition, "in", [Record(1)])
    with batch:
        """Decided too late."""
    assert partition.in_flight is None


def _raise(error: BaseException) -> None:
    raise error
