"""Partitions, retention and compaction of every topic (contracts, "Out"), and the AsyncAPI document of them."""

from __future__ import annotations

import json

import pytest

from schemas.asyncapi import asyncapi
from schemas.catalogue import EVENTS
from schemas.dead_letter import DEAD_LETTER
from schemas.topics import LEDGER, MAX_VALUE, topic_specs
from streams.cli import run

DAY = 86_400_000
SPECS = {spec.name: spec for spec in topic_specs(12, 3)}
DAYS = {
    "yupan.usage.v1": 2,
    "yupan.state.v1": 7,
    "yupan.call.v1": 7,
    "yupan.contact.v1": 7,
    DEAD_LETTER: 14,
    "yupan.customer.v1": 30,
    "yupan.list.v1": 30,
    "yupan.anomaly.v1": 30,
    "yupan.internal.call.v1": 7,
    "yupan.internal.contact.v1": 7,
    "yupan.internal.rate.v1": 2,
    "yupan.internal.list.v1": 30,
}


def test_all_topics_have_the_same_partitions() -> None:
    assert {spec.partitions for spec in SPECS.values()} == {12}
    assert set(SPECS) == {*EVENTS, DEAD_LETTER, LEDGER}


@pytest.mark.parametrize("topic", DAYS)
def test_retention_is_that_of_the_contracts(topic: str) -> None:
    config = SPECS[topic].config
    assert (config["cleanup.policy"], config["retention.ms"]) == ("delete", str(DAYS[topic] * DAY))


def test_reminders_and_the_ledger_are_compacted_and_nothing_else() -> None:
    compacted = {name for name, spec in SPECS.items() if spec.config["cleanup.policy"] == "compact"}
    assert compacted == {"yupan.reminder.v1", LEDGER}
    assert SPECS["yupan.reminder.v1"].config["delete.retention.ms"] == str(7 * DAY)


def test_the_brokers_clock_counts_and_too_large_values_arrive() -> None:
    for spec in SPECS.values():
        assert spec.config["message.timestamp.type"] == "LogAppendTime"
        assert int(spec.config["max.message.bytes"]) > 2 * MAX_VALUE


def test_asyncapi_describes_every_topic(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schemas", "asyncapi"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads(json.dumps(asyncapi(12)))
    assert set(document["channels"]) == set(EVENTS)
    actions = {o["channel"]["$ref"].removeprefix("#/channels/"): o["action"] for o in document["operations"].values()}
    assert actions == {t: "receive" if e.flow == "in" else "send" for t, e in EVENTS.items()}
    for topic, channel in document["channels"].items():
        [reference] = channel["messages"].values()
        message = document["components"]["messages"][reference["$ref"].rsplit("/", 1)[1]]
        assert message["payload"]["schema"] == EVENTS[topic].avro


def test_asyncapi_in_yaml_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    assert run(["schemas", "asyncapi", "--format", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == json.loads(json.dumps(asyncapi(12)))
