"""Slices, fairness, urgent events, and what counts as a topic's end; without Kafka."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.engine.batch import EngineBatch
from streams.engine.clock import ManualClock
from streams.engine.config import EngineConfig
from streams.engine.deadlines import Deadlines, Steady
from streams.engine.dispatch import OVERTAKING, Dispatch, WentBackError
from streams.engine.fetched import Fetched
from streams.engine.group import GroupConsumer
from streams.engine.health import BREAK_MS, Health
from streams.engine.metrics import NullMetrics
from streams.engine.partition import Partition
from streams.engine.room import Room
from tests.engine.bench import Bench, Record


class Stage:
    """A dispatch with partitions 0 to 2 of `in` and `call` (urgent), slices of 3."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.given_back = 0
        self.progress: list[tuple[str, int, int]] = []
        self.partitions = {n: Partition(n, 10 + n, {"in": 0, "call": 0}, Deadlines()) for n in range(3)}
        for partition in self.partitions.values():
            partition.open(self.bench.store, (), 0)
        self.dispatch = Dispatch(
            self.partitions,
            self.bench.desk,
            frozenset(("call",)),
            3,
            self._give_back,
            lambda *end: self.progress.append(end),
        )

    def _give_back(self, records: int) -> None:
        self.given_back += records

    def fetch(self, topic: str, number: int, *offsets: int, end: int | None = None, epoch: int | None = None) -> None:
        groups: Any = {(topic, number): [Record(n, at=n) for n in offsets]} if offsets else {}
        ends = {} if end is None else {(topic, number): end}
        self.dispatch.take(Fetched(groups, ends, {number: 10 + number if epoch is None else epoch}))

    def next(self) -> list[tuple[str, int, list[int]]]:
        """Choose, without finishing what is chosen."""
        return [(b.topic, b.partition, [m.offset() for m in b.messages]) for b in self.dispatch.choose()]

    def finish(self) -> list[EngineBatch]:
        done = [p.in_flight for p in self.partitions.values() if p.in_flight is not None]
        for batch in done:
            batch.owner.in_flight = None
            self.dispatch.decided(batch)
        return done


def test_bulk_comes_in_slices_one_in_flight() -> None:
    stage = Stage()
    stage.fetch("in", 0, 0, 1, 2, 3, 4)
    assert stage.next() == [("in", 0, [0, 1, 2])]
    assert stage.next() == []
    stage.finish()
    assert stage.next() == [("in", 0, [3, 4])]


def test_the_partition_that_waited_longest_is_next() -> None:
    stage = Stage()
    for number in (2, 0, 1):
        stage.fetch("in", number, *range(9))
    order = []
    for _ in range(6):
        order += [number for _, number, _ in stage.next()]
        stage.finish()
    assert sorted(order[:3]) == [0, 1, 2]
    assert order[3:] == order[:3]


def test_urgent_overtakes_bulk_of_its_partition_and_others() -> None:
    stage = Stage()
    stage.fetch("in", 0, *range(9))
    stage.fetch("in", 1, *range(9))
    first = stage.next()
    assert len(first) == 1
    stage.fetch("call", 0, 0)
    stage.fetch("call", 1, 0)
    stage.fetch("call", 2, 0, 1, 2, 3)
    busy = first[0][1]
    # the partition with bulk in flight waits for that slice only, the others do not even wait for it
    assert stage.next() == [("call", n, [0, 1, 2, 3] if n == 2 else [0]) for n in range(3) if n != busy]
    stage.finish()
    assert stage.next()[0] == ("call", busy, [0])


def test_one_batch_a_partition_is_in_flight() -> None:
    stage = Stage()
    stage.fetch("call", 0, 0)
    stage.fetch("call", 0, 1)
    assert stage.next() == [("call", 0, [0])]
    assert stage.next() == []
    stage.finish()
    assert stage.next() == [("call", 0, [1])]


def test_a_partition_whose_ripe_deadlines_are_gone_gives_its_turn_to_the_next() -> None:
    stage = Stage()
    stage.partitions[0].ripe = True  # as it is once the last of them was taken
    stage.fetch("in", 1, 0)
    assert stage.next() == [("in", 1, [0])]


def test_without_bulk_what_is_urgent_still_goes() -> None:
    stage = Stage()
    stage.fetch("in", 0, 0)
    stage.fetch("call", 1, 0)
    assert [batch.topic for batch in stage.dispatch.choose(bulk=False)] == ["call"]
    stage.finish()
    assert stage.next() == [("in", 0, [0])]


def test_records_that_are_decided_are_never_queued_again() -> None:
    """As when a consumer's position is lost: all of a topic would be decided anew."""
    stage = Stage()
    stage.fetch("in", 0, 7)
    stage.fetch("in", 0, 9)  # a gap is no fault: markers, compaction
    with pytest.raises(WentBackError, match="in/0 was read again from offset 8, though all before 10"):
        stage.fetch("in", 0, 8)


def test_bulk_waits_for_urgent_batches_in_flight() -> None:
    """An agent takes one batch a turn of the loop: a slice in each turn would make a dozen calls wait for a dozen."""
    stage = Stage()
    stage.fetch("call", 0, 0)
    stage.fetch("in", 1, 0)
    assert stage.next() == [("call", 0, [0])]
    assert stage.next() == []
    stage.finish()
    assert stage.next() == [("in", 1, [0])]


def test_a_flood_of_urgent_batches_does_not_stop_bulk() -> None:
    stage = Stage()
    stage.fetch("in", 1, *range(6))
    urgent = 0
    for offset in range(2 * OVERTAKING + 2):
        stage.fetch("call", 0, offset)
        chosen = stage.next()
        urgent += sum(topic == "call" for topic, *_ in chosen)
        if chosen[-1][0] == "in":
            assert urgent == OVERTAKING
            urgent = 0
        stage.finish()
    assert not stage.partitions[1].bulk


def test_records_of_an_earlier_life_are_dropped_and_their_room_given_back() -> None:
    stage = Stage()
    stage.fetch("in", 0, 0, 1, epoch=3)
    stage.fetch("in", 7, 0, epoch=17)
    stage.fetch("call", 0, 0, epoch=3)
    assert stage.next() == []
    assert stage.given_back == 3  # urgent records take no room


def test_not_before_it_is_restored() -> None:
    stage = Stage()
    stage.partitions[0].ready = False
    stage.fetch("in", 0, 0)
    assert (stage.next(), stage.given_back) == ([], 1)


def test_an_end_behind_records_is_committed_with_them() -> None:
    stage = Stage()
    stage.fetch("in", 0, 0, 1, 2, 3, end=6)  # two markers behind the last record
    assert stage.progress == []
    stage.next()
    assert stage.finish()[0].end == 3
    stage.next()
    assert stage.finish()[0].end == 6


def test_an_end_without_records_is_progress_once() -> None:
    stage = Stage()
    stage.fetch("in", 0, end=6)
    stage.fetch("in", 0, end=6)
    assert stage.progress == [("in", 0, 6)]


def test_a_topic_is_at_its_end_when_its_records_are_decided() -> None:
    stage = Stage()
    stage.partitions[0].deadlines.arm("c", "n", 5, ("in",), 0)
    stage.fetch("in", 0, 0, end=1)
    deadlines = stage.partitions[0].deadlines
    deadlines.steady(frozenset(("in",)), Steady(0, 100_000))
    assert deadlines.collect(100_000, 100_000) == 0
    stage.next()
    stage.finish()  # at 1,000 by the bench's clock
    deadlines.steady(frozenset(("in",)), Steady(0, 2_000))
    assert deadlines.collect(100_000, 100_000) == 1


def test_fired_deadlines_come_in_slices_before_the_bulk_of_their_partition() -> None:
    stage = Stage()
    partition = stage.partitions[0]
    for number in range(4):
        partition.deadlines.arm("c", str(number), number, ("in",), 0)
    stage.fetch("in", 0, 100)
    partition.deadlines.decided("in", 100, None)
    partition.ripe = partition.deadlines.collect(100, 100) > 0
    fired = []
    while not fired or fired[-1]:
        fired.append([f.name for batch in stage.dispatch.choose() for f in batch.fired])
        stage.finish()
    assert fired == [["0", "1", "2"], ["3"], []]


# --- room


def test_room_is_full_at_its_limit_and_wakes_when_it_is_not() -> None:
    woken: list[int] = []
    room = Room(10, lambda: woken.append(1))
    room.take(9)
    assert not room.full
    room.take(5)
    assert room.full
    room.give(4)
    assert room.full
    assert woken == []
    room.give(1)
    assert not room.full
    assert woken == [1]
    room.give(1)
    assert woken == [1]


def test_an_end_that_comes_while_a_deadline_of_its_topic_fires_is_an_end() -> None:
    stage = Stage()
    partition = stage.partitions[0]
    stage.fetch("in", 0, 0)
    stage.next()
    stage.finish()
    partition.deadlines.arm("c", "a", 10, ("in",), 0)
    partition.deadlines.decided("in", 20, None)
    partition.ripe = bool(partition.deadlines.collect(30, 30))
    assert stage.next() == [("in", 0, [])]
    stage.fetch("in", 0, end=2)  # behind the record and a marker
    assert stage.finish()[0].fired
    assert partition.decided["in"] == (2, 0)
    partition.deadlines.arm("c", "b", 40, ("in",), 30)
    partition.deadlines.steady(frozenset(("in",)), Steady(0, 10_000))
    assert partition.deadlines.collect(20_000, 20_000) == 1


# --- health


def test_polling_is_steady_from_its_first_poll() -> None:
    health = Health()
    assert health.polled(1_000) == Steady(1_000, 1_000)
    assert health.polled(1_400) == Steady(1_000, 1_400)


@pytest.mark.parametrize("gap", [BREAK_MS + 1, -10])
def test_a_gap_or_a_clock_set_back_begins_anew(gap: int) -> None:
    health = Health()
    health.polled(1_000)
    assert health.polled(1_000 + gap) == Steady(1_000 + gap, 1_000 + gap)


def test_a_consumer_whose_clock_is_set_back_goes_on_telling_that_nothing_came() -> None:
    """Else no deadline would fall due by quiet until the clock has caught up with itself."""
    clock, handed = ManualClock(1_000_000), list[Fetched]()
    consumer = GroupConsumer(EngineConfig("nowhere", "g", ("in",)), clock, NullMetrics(), handed.append, _unexpected)
    consumer._pass_on(Fetched(), drained=True)
    consumer._pass_on(Fetched(), drained=True)
    assert len(handed) == 1
    clock.set(700_000)
    consumer._pass_on(Fetched(), drained=True)
    assert [fetched.steady for fetched in handed] == [Steady(1_000_000, 1_000_000), Steady(700_000, 700_000)]


def _unexpected(error: BaseException) -> None:
    raise error


def test_an_interruption_begins_anew() -> None:
    health = Health()
    health.polled(1_000)
    health.broken()
    assert health.polled(1_100).since == 1_100


def test_as_long_as_more_lies_ready_quiet_reaches_to_what_was_taken() -> None:
    """Who has fetched enough fetches no topic: one whose end it had come to may have gone on meanwhile."""
    health = Health()
    health.polled(1_000)
    assert health.polled(1_100, 400) == Steady(1_000, 1_000)  # it catches up: old records
    assert health.polled(1_500, 0) == Steady(1_000, 1_000)  # an error, or an end, and no record
    assert health.polled(1_900, 1_300) == Steady(1_000, 1_300)
    assert health.polled(2_000, 9_000) == Steady(1_000, 2_000)  # from a clock that is fast
    assert health.polled(2_100) == Steady(1_000, 2_100)


def _statistics(state: str, idle: int, waiting: int = 1, sent: int = 9_000_000) -> str:
    broker = {"state": state, "rxidle": idle, "txidle": sent, "waitresp_cnt": waiting, "toppars": {"in-0": {}}}
    return (
        f'{{"name": "x", "brokers": {{"b": {json.dumps(broker)}}},'
        ' "topics": {"in": {"partitions": {"0": {"ls_offset": 7, "hi_offset": 9}, "-1": {"ls_offset": -1001}}}}}'
    )


@pytest.mark.parametrize(("state", "idle", "up"), [("UP", 1_000, True), ("DOWN", 0, False), ("UP", 9_000_000, False)])
def test_a_silent_broker_that_leads_our_partitions_breaks_the_quiet(state: str, idle: int, up: bool) -> None:
    health = Health()
    health.polled(1_000)
    health.statistics(_statistics(state, idle))
    assert health.up is up
    assert health.polled(1_100).since == (1_000 if up else 1_100)


@pytest.mark.parametrize(("waiting", "sent"), [(0, 9_000_000), (1, 1_000)])
def test_a_broker_that_was_asked_nothing_is_up_but_its_silence_is_no_quiet(waiting: int, sent: int) -> None:
    health = Health()
    health.polled(1_000)
    health.statistics(_statistics("UP", 9_000_000, waiting, sent))
    assert health.up
    assert health.polled(1_100).since == 1_100


def _brokers(*brokers: tuple[str, str]) -> str:
    told = (f'"{n}": {{"state": "{state}", "toppars": {toppars}}}' for n, (state, toppars) in enumerate(brokers))
    return f'{{"brokers": {{{", ".join(told)}}}, "topics": {{}}}}'


def test_a_broker_that_leads_nothing_of_ours_does_not_matter() -> None:
    health = Health()
    health.statistics(_brokers(("DOWN", "{}"), ("UP", '{"in-0": {}}')))
    assert health.up


def test_a_cluster_that_went_away_is_down_though_nobody_leads_anything() -> None:
    health = Health()
    health.statistics(_brokers(("TRY_CONNECT", "{}")))
    assert health.up  # not connected yet
    health.statistics(_brokers(("UP", "{}")))
    health.statistics(_brokers(("DOWN", "{}")))
    assert not health.up
    health.statistics(_brokers(("UP", "{}")))
    assert health.up


def test_ends_are_those_of_what_is_committed() -> None:
    health = Health()
    health.statistics(_statistics("UP", 0))
    assert health.ends == {("in", 0): 7}


def test_manual_clock_moves_only_by_hand() -> None:
    clock = ManualClock(5)
    clock.advance(2)
    assert clock.now_ms() == 7
