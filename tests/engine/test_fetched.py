"""What a consumer returned, sorted: records by topic and partition, and the ends that still are ends."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from confluent_kafka import KafkaError

from streams.engine.fetched import sort
from streams.engine.retry import FencedError


class Fake(NamedTuple):
    """A record of `in`, or the news of an end, as confluent_kafka gives them."""

    number: int
    at: int
    is_end: bool = False
    code: int = 0

    def topic(self) -> str:
        return "in"

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        if self.code:
            return KafkaError(self.code, "for a reason")
        return KafkaError(KafkaError._PARTITION_EOF) if self.is_end else None


def test_records_are_grouped_in_their_order() -> None:
    fetched = sort([Fake(0, 5), Fake(1, 8), Fake(0, 6)], {0: 1})
    assert {name: [m.offset() for m in group] for name, group in fetched.groups.items()} == {
        ("in", 0): [5, 6],
        ("in", 1): [8],
    }
    assert fetched.records == 3
    assert fetched.ends == {}


def test_an_end_behind_records_is_kept_and_may_lie_behind_markers() -> None:
    assert sort([Fake(0, 5), Fake(0, 6, True)], {}).ends == {("in", 0): 6}
    assert sort([Fake(0, 5), Fake(0, 8, True)], {}).ends == {("in", 0): 8}
    assert sort([Fake(1, 5), Fake(0, 5, True)], {}).ends == {("in", 0): 5}


def test_an_end_with_records_behind_it_is_none() -> None:
    """Else those would be decided, and the offset before them committed: the next owner would decide them again."""
    fetched = sort([Fake(0, 5, True), Fake(0, 5), Fake(0, 6)], {})
    assert fetched.ends == {}
    assert [message.offset() for message in fetched.groups["in", 0]] == [5, 6]
    assert sort([Fake(0, 5, True), Fake(0, 5), Fake(0, 6, True)], {}).ends == {("in", 0): 6}


def test_a_fatal_error_ends_the_worker_and_others_do_not() -> None:
    """A static member that was fenced reads nothing any more, and nobody else tells so."""
    assert sort([Fake(0, 5), Fake(0, 6, code=KafkaError._TRANSPORT)], {}).records == 1
    with pytest.raises(FencedError, match="for a reason"):
        sort([Fake(0, 5), Fake(0, 6, code=KafkaError._FATAL)], {})
