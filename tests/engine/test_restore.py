"""What a restore waits for, and what it gives up on; without Kafka."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from schemas.errors import PartError
from streams.engine import restore
from streams.engine.clock import ManualClock
from streams.engine.config import EngineConfig
from streams.engine.restore import Restorer


@pytest.fixture
def restorer(monkeypatch: pytest.MonkeyPatch) -> Restorer:
    monkeypatch.setattr(restore, "TRY_FOR_S", 0.0)
    made = Restorer(EngineConfig("nowhere", "g", ("in",)), ManualClock(0))
    monkeypatch.setattr(made._closed, "wait", lambda seconds: None)
    return made


def failing(code: int, times: int) -> Callable[[], str]:
    left = [None] * times

    def step() -> str:
        if left:
            left.pop()
            raise KafkaException(KafkaError(code))
        return "there"

    return step


def test_a_broker_that_is_away_is_waited_for_however_long(restorer: Restorer) -> None:
    assert restorer._tried("restore", failing(KafkaError._TRANSPORT, 20)) == "there"


def test_anything_else_ends_the_worker_after_a_while(restorer: Restorer) -> None:
    with pytest.raises(PartError, match="restore: TOPIC_AUTHORIZATION_FAILED"):
        restorer._tried("restore", failing(KafkaError.TOPIC_AUTHORIZATION_FAILED, 20))


def test_waiting_ends_with_the_engine(restorer: Restorer) -> None:
    restorer.close()
    with pytest.raises(PartError):
        restorer._tried("restore", failing(KafkaError._TRANSPORT, 1))
