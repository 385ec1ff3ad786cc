"""Ends behind markers: committed once a transaction can begin, and never those of an earlier life; without Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from confluent_kafka import TopicPartition

from streams.engine.batch import Output
from streams.engine.committer import Committer
from streams.engine.config import EngineConfig
from streams.engine.deadlines import Deadlines
from streams.engine.metrics import NullMetrics
from streams.engine.partition import Partition
from streams.engine.retry import GaveUpError, MustAbortError


class Box:
    """An outbox that keeps the offsets that it commits; `fails` is called before each commit."""

    owner = b"w1"

    def __init__(self) -> None:
        self.stale = False
        self.committed: dict[tuple[str, int], int] = {}
        self.fails: Callable[[], None] = lambda: None
        self.aborts: Callable[[], None] = lambda: None
        self.refuses = False

    def begin(self) -> None: ...

    def abort(self) -> None:
        self.aborts()

    def start(self) -> None:
        self.stale = False

    def name_owner(self, record: Output) -> None:
        self.produce(record)

    def produce(self, output: Output, delivered: Any = None) -> None:
        if self.refuses:
            raise MustAbortError("refused")

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        self.fails()
        self.committed |= {(tp.topic, tp.partition): tp.offset for tp in offsets}


class Acknowledged:
    """An instant producer that has sent nothing."""

    def acknowledged(self) -> None: ...


class Made:
    """A committer over partitions 0 and 1 of `in`."""

    def __init__(self, delivery: Literal["exactly_once", "at_least_once"] = "exactly_once") -> None:
        self.box = Box()
        self.partitions = {number: self.life(number) for number in (0, 1)}
        self.aborted: list[set[int]] = []
        with_all: dict[str, Any] = {"group": lambda: None, "aborted": self._aborted, "committed": lambda: None}
        self.committer = Committer(
            EngineConfig("nowhere", "g", ("in",), delivery=delivery),
            self.box,
            Acknowledged(),  # type: ignore[arg-type]
            self.partitions,
            ThreadPoolExecutor(1),
            NullMetrics(),
            **with_all,
        )

    def life(self, number: int) -> Partition:
        partition = Partition(number, 1, {"in": 5}, Deadlines())
        partition.open(None, (), 0)
        return partition

    def _aborted(self, touched: set[int]) -> None:
        self.aborted.append(touched)
        for number in touched:
            self.partitions.pop(number, None)

    def end(self, number: int, offset: int) -> None:
        """The end of `in` is reached there."""
        self.partitions[number].offsets["in"] = offset
        self.committer.progress("in", number, offset)


def failing(made: Made, meanwhile: Callable[[], None] = lambda: None) -> Callable[[], None]:
    """Fail the first commit, and do something while it is under way."""

    def fails() -> None:
        made.box.fails = lambda: None
        meanwhile()
        raise MustAbortError("the broker says no")

    return fails


def test_an_end_reached_while_a_commit_fails_is_committed_by_the_next() -> None:
    made = Made()
    made.box.fails = failing(made, lambda: made.end(1, 9))

    async def go() -> None:
        made.end(0, 7)
        await made.committer.commit()
        assert made.aborted == [{0}]
        await made.committer.commit()

    asyncio.run(go())
    assert made.box.committed == {("in", 1): 9}


def test_an_end_reached_while_a_transaction_is_broken_is_committed_by_the_next() -> None:
    made = Made()

    async def go() -> None:
        made.box.refuses = True
        made.end(0, 7)  # breaks it: the owner's record is refused
        made.box.refuses = False
        made.end(1, 9)
        await made.committer.commit()
        assert made.aborted == [{0}]
        await made.committer.commit()

    asyncio.run(go())
    assert made.box.committed == {("in", 1): 9}


@pytest.mark.parametrize("taken_away", [False, True])
def test_an_end_of_an_earlier_life_is_not_committed(taken_away: bool) -> None:
    """The partition went and came back; up to the same offset all may be fetched again, and nothing is decided."""
    made = Made()

    async def go() -> None:
        made.box.stale = True
        made.end(1, 9)
        if taken_away:
            made.partitions[1] = made.life(1)
            made.partitions[1].offsets["in"] = 9
        await made.committer.renew()
        await made.committer.commit()

    asyncio.run(go())
    assert made.box.committed == ({} if taken_away else {("in", 1): 9})


def test_a_transaction_with_partitions_that_were_lost_is_aborted_as_a_whole() -> None:
    """Its outputs cannot be told apart, and those of lost partitions would come twice."""
    made = Made()

    async def go() -> None:
        made.end(0, 7)
        made.end(1, 9)
        await made.committer.lose({1})

    asyncio.run(go())
    assert made.aborted == [{0, 1}]
    assert made.box.committed == {}
    assert not made.committer.busy


def test_a_transaction_without_partitions_that_were_lost_goes_on() -> None:
    made = Made()

    async def go() -> None:
        made.end(0, 7)
        await made.committer.lose({1})
        await made.committer.commit()

    asyncio.run(go())
    assert made.box.committed == {("in", 0): 7}


def test_at_least_once_what_was_lost_is_left_out() -> None:
    made = Made("at_least_once")

    async def go() -> None:
        made.end(0, 7)
        made.end(1, 9)
        await made.committer.lose({1})
        await made.committer.commit()

    asyncio.run(go())
    assert made.box.committed == {("in", 0): 7}


def test_what_is_being_committed_while_partitions_are_lost_is_left_to_the_broker() -> None:
    made = Made()
    losing: list[asyncio.Task[None]] = []

    async def go() -> None:
        loop = asyncio.get_running_loop()

        def lose() -> None:
            losing.append(loop.create_task(made.committer.lose({0})))

        def meanwhile() -> None:
            loop.call_soon_threadsafe(lose)

        made.box.fails = meanwhile
        made.end(0, 7)
        await made.committer.commit()
        await asyncio.gather(*losing)
        made.box.fails = lambda: None
        made.end(1, 9)
        await made.committer.commit()

    asyncio.run(go())
    assert losing
    assert made.box.committed == {("in", 0): 7, ("in", 1): 9}


def test_who_gives_up_waiting_for_a_broker_leaves_the_transaction_to_the_next_producer() -> None:
    """As a revocation does after a while: the process lives on, and nothing begins before there is a new producer."""
    made = Made()

    def away() -> None:
        raise GaveUpError("gave up waiting")

    async def go() -> None:
        made.box.fails = made.box.aborts = away
        made.end(0, 7)
        await made.committer.drain()
        assert made.aborted == [{0}]
        assert made.box.stale
        made.end(1, 9)
        made.box.fails = made.box.aborts = lambda: None
        await made.committer.renew()
        await made.committer.commit()

    asyncio.run(go())
    assert made.box.committed == {("in", 1): 9}
