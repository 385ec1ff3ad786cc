"""Committing offsets at least once: nobody waits, nothing of others is committed, refusals end the engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from schemas.errors import PartError
from streams.engine import offsets as module
from streams.engine.offsets import LATE_S, Offsets

MINE = {("in", 0), ("in", 1)}


class Consumer:
    """Takes commits; the answer comes when the test gives it."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[tuple[str, int], int], bool]] = []
        self.raises: KafkaError | None = None

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        if self.raises is not None:
            raise KafkaException(self.raises)
        self.sent.append(({(tp.topic, tp.partition): tp.offset for tp in offsets}, asynchronous))
        return offsets


class Clock:
    """`time.monotonic` of the test."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Kit:
    """Offsets on a consumer of the test."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        self.offsets = Offsets(self.failures.append)
        self.consumer: Any = Consumer()

    def done(self, *offsets: tuple[str, int, int]) -> None:
        self.offsets.done(TopicPartition(*one) for one in offsets)

    def send(self, owned: set[tuple[str, int]] = MINE) -> None:
        self.offsets.send(self.consumer, owned)

    def answer(self, *offsets: tuple[str, int, int], error: KafkaError | None = None) -> None:
        self.offsets.answered(error, [TopicPartition(*one) for one in offsets])


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> Kit:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    return Kit()


def test_one_question_at_a_time_and_the_newest_offsets_next(kit: Kit) -> None:
    kit.done(("in", 0, 5))
    kit.send()
    kit.done(("in", 0, 9), ("in", 1, 3))
    kit.send()
    assert kit.consumer.sent == [({("in", 0): 5}, True)]
    kit.answer(("in", 0, 5))
    kit.send()
    assert kit.consumer.sent[1:] == [({("in", 0): 9, ("in", 1): 3}, True)]
    kit.answer(("in", 0, 9), ("in", 1, 3))
    kit.send()
    assert len(kit.consumer.sent) == 2


def test_what_was_not_answered_is_asked_again(kit: Kit) -> None:
    kit.done(("in", 0, 5))
    for _ in range(3):
        kit.send()
        kit.answer(error=KafkaError(KafkaError._TIMED_OUT))
    assert kit.consumer.sent == 3 * [({("in", 0): 5}, True)]
    assert kit.failures == []


def test_a_question_that_cannot_be_asked_is_asked_again(kit: Kit) -> None:
    kit.done(("in", 0, 5))
    kit.consumer.raises = KafkaError(KafkaError._WAIT_COORD)
    kit.send()
    kit.consumer.raises = None
    kit.send()
    assert kit.consumer.sent == [({("in", 0): 5}, True)]


def test_after_a_failure_there_is_a_pause() -> None:
    kit = Kit()
    kit.done(("in", 0, 5))
    kit.send()
    kit.answer(error=KafkaError(KafkaError._TIMED_OUT))
    kit.send()
    assert len(kit.consumer.sent) == 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "monotonic", made)
    return made


def look(kit: Kit, clock: Clock, seconds: float, **more: bool) -> None:
    """Let so much time pass in the consumer's loop."""
    for _ in range(int(seconds * 2)):
        clock.now += 0.5
        kit.offsets.send(kit.consumer, MINE, **more)


def test_a_broker_that_goes_on_refusing_ends_the_engine(kit: Kit, clock: Clock) -> None:
    look(kit, clock, 1)
    kit.done(("in", 0, 5))
    for _ in range(int(LATE_S) - 2):
        look(kit, clock, 1)
        kit.answer(error=KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
    assert kit.failures == []
    look(kit, clock, 4)
    assert isinstance(kit.failures[0], PartError)
    assert "GROUP_AUTHORIZATION_FAILED" in str(kit.failures[0])


def test_an_answer_that_never_comes_ends_the_engine(kit: Kit, clock: Clock) -> None:
    look(kit, clock, 1)
    kit.done(("in", 0, 5))
    look(kit, clock, LATE_S + 2)
    assert "no answer" in str(kit.failures[0])
    assert len(kit.consumer.sent) == 1


def test_an_answer_in_between_begins_the_count_anew(kit: Kit, clock: Clock) -> None:
    look(kit, clock, 1)
    for number in range(4):
        kit.done(("in", 0, number))
        look(kit, clock, LATE_S / 2)
        kit.answer(("in", 0, number))
    assert kit.failures == []


def test_a_broker_that_is_away_is_waited_for(kit: Kit, clock: Clock) -> None:
    kit.done(("in", 0, 5))
    look(kit, clock, 3 * LATE_S, broker_up=False)
    assert kit.failures == []


def test_a_pause_of_the_process_is_no_silence_of_the_broker(kit: Kit, clock: Clock) -> None:
    look(kit, clock, 1)
    kit.done(("in", 0, 5))
    look(kit, clock, 1)
    clock.now += 10 * LATE_S
    look(kit, clock, 1)
    assert kit.failures == []


def test_one_partition_that_is_refused_is_asked_for_again(kit: Kit) -> None:
    kit.done(("in", 0, 5), ("in", 1, 6))
    kit.send()
    good, bad = TopicPartition("in", 0, 5), SimpleNamespace(topic="in", partition=1, offset=6)
    bad.error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    kit.offsets.answered(None, [good, bad])  # type: ignore[list-item]
    kit.send()
    assert kit.consumer.sent[1:] == [({("in", 1): 6}, True)]


def test_what_is_owned_no_more_is_not_committed(kit: Kit) -> None:
    kit.done(("in", 0, 5), ("in", 7, 8))
    kit.send()
    kit.answer(("in", 0, 5))
    kit.send({("in", 7)})
    assert kit.consumer.sent == [({("in", 0): 5}, True)]


def test_what_is_given_up_is_waited_for(kit: Kit) -> None:
    kit.done(("in", 0, 5), ("in", 1, 6))
    kit.offsets.settle(kit.consumer, {("in", 1)})
    assert kit.consumer.sent == [({("in", 1): 6}, False)]
    kit.send()
    assert kit.consumer.sent[1:] == [({("in", 0): 5}, True)]


def test_giving_up_goes_on_when_the_broker_refuses(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    kit.done(("in", 0, 5))
    kit.consumer.raises = KafkaError(KafkaError.UNKNOWN_MEMBER_ID)
    kit.offsets.settle(kit.consumer, MINE)
    kit.consumer.raises = None
    kit.send()
    assert kit.consumer.sent == []
    assert "UNKNOWN_MEMBER_ID" in caplog.text


def test_of_what_was_lost_nothing_is_committed(kit: Kit) -> None:
    kit.done(("in", 0, 5), ("in", 1, 6))
    kit.offsets.drop({("in", 0)})
    kit.send()
    assert kit.consumer.sent == [({("in", 1): 6}, True)]
