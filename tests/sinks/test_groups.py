"""Who leads a partition moves with brokers: what is asked meanwhile is asked again, anything else is no answer."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from schemas.errors import PartError
from sinks.groups import Groups

PLACE = ("yupan.state.v1", 0)


class Asked:
    """An admin client that fails at first; `list_offsets` gives futures, as the real one does."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)

    def list_offsets(self, asked: Any, **_: Any) -> Any:
        return dict.fromkeys(asked, self)

    def result(self) -> Any:
        if self.codes:
            raise KafkaException(KafkaError(self.codes.pop(0)))
        return TopicPartition(*PLACE, 7)


def groups(*codes: int) -> Groups:
    made = Groups("127.0.0.1:9")
    made._client = Asked(*codes)
    return made


def test_a_leader_that_moves_is_asked_again() -> None:
    moving = (
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    )
    assert groups(*moving).ends([PLACE]) == {PLACE: 7}


def test_anything_else_is_told() -> None:
    with pytest.raises(PartError, match="no answer from Kafka"):
        groups(KafkaError.TOPIC_AUTHORIZATION_FAILED).ends([PLACE])
