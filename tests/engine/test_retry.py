"""Steps that wait for a broker: how long, and what is done about one that never comes back."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.engine.retry import FencedError, Retry, StaleError, Watchdog


def test_a_step_that_does_not_come_back_is_found() -> None:
    retry, found = Retry(), []
    watchdog = Watchdog(retry, looks=3)

    def hanging() -> None:
        for _ in range(3):
            watchdog.look(broker_up=True)
        with pytest.raises(FencedError, match=r"^commit: the Kafka client has not answered"):
            watchdog.look(broker_up=True)
        found.append(True)

    retry("commit", hanging)
    assert found == [True]
    watchdog.look(broker_up=True)


def test_a_step_that_waits_for_a_broker_that_is_away_has_its_time_once_it_is_back() -> None:
    retry, found = Retry(), []
    watchdog = Watchdog(retry, looks=2)

    def hanging() -> None:
        for up in (True, True, *[False] * 60, True):
            watchdog.look(broker_up=up)
        with pytest.raises(FencedError, match=r"^send_offsets: the Kafka client has not answered for 2 s"):
            watchdog.look(broker_up=True)
        found.append(True)

    retry("send_offsets", hanging)
    assert found == [True]


def test_steps_that_follow_one_another_do_not_hang() -> None:
    retry = Retry()
    watchdog = Watchdog(retry, looks=1)
    for _ in range(5):
        retry("commit", lambda: watchdog.look(broker_up=True))
        watchdog.look(broker_up=True)


def test_a_client_that_is_beyond_repair_ends_the_worker() -> None:
    """What comes after a fatal error is told by its code alone."""

    def failing() -> None:
        raise KafkaException(KafkaError(KafkaError._FATAL, "fenced before"))

    with pytest.raises(FencedError, match="fenced before"):
        Retry()("commit", failing)


def test_nothing_is_tried_again_on_a_client_of_before_an_outage() -> None:
    tried: list[bool] = []

    def failing() -> None:
        tried.append(True)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no broker"))

    with pytest.raises(StaleError, match="commit: the broker was away"):
        Retry()("commit", failing, lambda: len(tried) == 3)
    assert len(tried) == 3
