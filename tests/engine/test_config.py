"""What the engine's configuration refuses, and the librdkafka settings that follow from it."""

from __future__ import annotations

from typing import Any

import pytest

from streams.engine.config import EngineConfig


def test_only_urgent_topics_that_are_read_count() -> None:
    config = EngineConfig(bootstrap="b", group="g", topics=("a", "b"), urgent=("b", "c"))
    assert config.urgent_topics == {"b"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"topics": ()}, "no topics"),
        ({"ledger": "redis://x"}, "YUPAN_LEDGER=redis://x"),
        ({"extra": {"partition.assignment.strategy": "cooperative-sticky"}}, "only range"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception, match=words):
        EngineConfig(**{"bootstrap": "b", "group": "g", "topics": ("a",), **changes})


def test_every_producer_partitions_as_java_does() -> None:
    config = EngineConfig(bootstrap="b", group="g", topics=("a",))
    assert {conf["partitioner"] for conf in (config.producer(), config.instant_producer())} == {"murmur2_random"}


def test_an_instance_name_makes_a_static_member() -> None:
    config = EngineConfig(bootstrap="b", group="g", topics=("a",), instance="w1")
    assert config.bulk_consumer()["group.instance.id"] == "w1"
    assert config.transactional_id == "g-w1"


def test_a_rebalance_does_not_wait_minutes_for_a_member_that_is_no_more() -> None:
    conf = EngineConfig(bootstrap="b", group="g", topics=("a",)).bulk_consumer()
    assert 25_000 < conf["max.poll.interval.ms"] <= 30_000
    longer = EngineConfig("b", "g", ("a",), consumer_extra={"session.timeout.ms": "45000"}).bulk_consumer()
    assert longer["max.poll.interval.ms"] == 45_000  # librdkafka refuses less than the session
    own = EngineConfig("b", "g", ("a",), consumer_extra={"max.poll.interval.ms": "60000"}).bulk_consumer()
    assert own["max.poll.interval.ms"] == "60000"


def test_the_new_group_protocol_asks_for_range() -> None:
    conf = EngineConfig(bootstrap="b", group="g", topics=("a",), group_protocol="consumer").bulk_consumer()
    assert conf["group.remote.assignor"] == "range"
    assert "session.timeout.ms" not in conf
