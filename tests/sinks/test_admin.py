"""Topics on real brokers: made once, compared, brought to what they should be, partitions never touched."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas.errors import PartError, UsageError
from schemas.topics import LEDGER, TOPICS, topic_specs
from sinks.admin import Admin, Difference
from streams.cli import run
from streams.parts.kafka import Kafka
from streams.parts.part import Part
from streams.parts.tansu import Tansu

Start = Callable[[Any], Any]


@pytest.fixture(params=[Kafka, Tansu], ids=["kafka", "tansu"])
def broker(request: pytest.FixtureRequest, start_part: Start) -> Any:
    """A broker of the test's own, since topics of ours have fixed names."""
    part: Part | Kafka = start_part(request.param())
    return part


def set_config(bootstrap: str, topic: str, name: str, value: str) -> None:
    """Change a setting behind our back."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.incremental_alter_configs([resource]).values():
        future.result(10)


def eventually(ask: Callable[[], list[Difference]]) -> list[Difference]:
    """The first answer that is not empty: brokers hear of changes from their controller a little later."""
    patience = time.monotonic() + 30
    while not (found := ask()) and time.monotonic() < patience:
        time.sleep(0.05)
    return found


def test_topics_are_made_compared_and_mended(broker: Any) -> None:
    admin = Admin(broker.bootstrap)
    assert {str(d) for d in admin.diff(4)} == {f"{name}: missing" for name in TOPICS}

    assert admin.apply(4).created == sorted(TOPICS)
    assert admin.diff(4) == []
    again = admin.apply(4)
    assert (again.created, again.changed) == ([], [])

    set_config(broker.bootstrap, LEDGER, "cleanup.policy", "delete")
    [difference] = eventually(lambda: admin.diff(4))
    assert str(difference) == f"{LEDGER}: cleanup.policy is delete, should be compact"
    assert admin.apply(4).changed == [difference]
    assert admin.diff(4) == []

    found = {topic.name: topic for topic in admin.topics()}
    assert {t.partitions for t in found.values()} == {4}
    for spec in topic_specs(4, 1):
        assert spec.config.items() <= dict(found[spec.name].config).items()


def test_a_number_of_partitions_is_never_changed(broker: Any) -> None:
    admin = Admin(broker.bootstrap)
    admin.apply(4)
    with pytest.raises(UsageError, match=r"YUPAN_PARTITIONS=12, but .* has 4 partitions.*set YUPAN_PARTITIONS=4"):
        admin.apply(12)
    assert {topic.partitions for topic in admin.topics()} == {4}
    assert len([d for d in admin.diff(12) if d.what == "partitions"]) == len(TOPICS)


def test_what_tansu_ignores_is_said(start_part: Start) -> None:
    [note] = Admin(start_part(Tansu()).bootstrap).apply(1).notes
    assert "may ignore message.timestamp.type" in note


def test_apache_kafka_ignores_nothing(start_part: Start) -> None:
    assert Admin(start_part(Kafka()).bootstrap).apply(1).notes == []


def test_a_cluster_of_three_keeps_three_copies() -> None:
    for spec in topic_specs(12, 5):
        assert (spec.replication, spec.config["min.insync.replicas"]) == (3, "2")
    assert {s.config["min.insync.replicas"] for s in topic_specs(12, 2)} == {"1"}


def test_no_answer_names_the_setting(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.admin.ANSWER_S", 1.0)
    with pytest.raises(PartError, match=f"YUPAN_KAFKA=127.0.0.1:{free_port}: no answer"):
        Admin(f"127.0.0.1:{free_port}").topics()


def test_the_command_line_tells_and_settles_differences(
    start_part: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YUPAN_KAFKA", start_part(Tansu()).bootstrap)
    monkeypatch.setenv("YUPAN_PARTITIONS", "2")
    assert run(["topics", "diff"]) == 1
    missing = capsys.readouterr()
    assert "yupan.state.v1: missing" in missing.out
    assert missing.err == f"yupan: {len(TOPICS)} differences; `yupan topics apply` settles them\n"
    assert run(["topics", "apply", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["created"] == sorted(TOPICS)
    assert run(["topics", "diff"]) == 0
    assert run(["topics", "apply"]) == 0
    assert "all topics are as they should be" in capsys.readouterr().err
    assert run(["topics", "list", "--json"]) == 0
    assert {t["partitions"] for t in json.loads(capsys.readouterr().out)} == {2}
    assert run(["topics", "list"]) == 0
    assert "yupan.usage.v1                   2 partitions  1 copies  delete, 2 days" in capsys.readouterr().out
    monkeypatch.setenv("YUPAN_PARTITIONS", "3")
    assert run(["topics", "diff"]) == 1
    assert "`yupan topics apply` never changes partitions: set YUPAN_PARTITIONS=2" in capsys.readouterr().err
    assert run(["topics", "apply"]) == 2
    assert "YUPAN_PARTITIONS=3, but" in capsys.readouterr().err
