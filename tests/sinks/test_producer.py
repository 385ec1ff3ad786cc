"""Publishing to real brokers: what arrives, where, and what is said when it cannot."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas import headers as wire
from schemas.catalogue import EVENTS
from schemas.codec import Codec, codecs
from schemas.errors import PartError, RecordError
from schemas.partition import partition_of
from sinks.admin import Admin
from sinks.producer import EventProducer
from streams.cli import run
from streams.parts.kafka import Kafka
from streams.parts.tansu import Tansu
from tests.sinks.brokers import Reader

PARTITIONS = 4
STATE = EVENTS["yupan.state.v1"]
AT = 1795320000000


@pytest.fixture(scope="module", params=["kafka", "tansu"])
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Both brokers, with our topics."""
    broker: Kafka | Tansu = request.getfixturevalue(request.param)
    Admin(broker.bootstrap).apply(PARTITIONS)
    return broker.bootstrap


@pytest.fixture(scope="module")
def reader(bootstrap: str) -> Iterator[Reader]:
    """One consumer for all tests of a broker."""
    reader = Reader(bootstrap, PARTITIONS)
    yield reader
    reader.close()


@pytest.fixture
def news(reader: Reader) -> Callable[[str], list[Any]]:
    """What a topic got since the test began."""
    reader.news(STATE.topic, "yupan.call.v1", "yupan.reminder.v1", "yupan.seat.v1")
    return reader.news


@pytest.fixture
def yupan(bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command line, set to the broker; `stdin` is what `-` reads."""
    monkeypatch.setenv("YUPAN_KAFKA", bootstrap)
    monkeypatch.setenv("YUPAN_PARTITIONS", str(PARTITIONS))

    def command(*words: str, stdin: bytes = b"") -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        return run(list(words))

    return command


def state(msisdn: str, **changes: Any) -> dict[str, Any]:
    return STATE.from_json({**STATE.examples[0], "msisdn": msisdn, **changes})


def numbers(count: int) -> list[str]:
    return [str(8613800138000 + i) for i in range(count)]


def test_what_is_published_arrives_with_headers_and_key(bootstrap: str, news: Callable[[str], list[Any]]) -> None:
    producer = EventProducer(bootstrap, codecs())
    record = state("8613800138000")
    producer.publish(STATE.topic, record, event_id="e-1", source="crm-north", traceparent="00-1-2-01")
    producer.flush()
    [message] = news(STATE.topic)
    assert Codec(STATE).decode(message.value()) == record
    assert message.key() == b"8613800138000"
    assert wire.read(message.headers()) == {
        "ce_id": "e-1",
        "ce_source": "crm-north",
        "ce_type": "yupan.state.v1",
        "ce_time": "2026-11-22T04:00:00.000Z",
        "ce_specversion": "1.0",
        "content-type": "application/avro",
        "traceparent": "00-1-2-01",
    }


def test_the_last_offset_of_each_partition_is_told(bootstrap: str, news: Callable[[str], list[Any]]) -> None:
    producer = EventProducer(bootstrap, codecs())
    for msisdn in numbers(500):
        producer.publish(STATE.topic, state(msisdn))
    written = producer.flush()
    found = news(STATE.topic)
    assert len(found) == 500
    last = {(m.topic(), m.partition()): m.offset() for m in found}
    assert dict(written) == last
    assert len(last) == PARTITIONS


def test_partitions_are_those_that_librdkafka_chooses(bootstrap: str, news: Callable[[str], list[Any]]) -> None:
    keys = [f"{'x' * (i % 7)}{i}-é".encode() for i in range(300)]
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce("yupan.seat.v1", b"", key)
    assert producer.flush(30) == 0
    found = {m.key(): m.partition() for m in news("yupan.seat.v1")}
    assert found == {key: partition_of(key, PARTITIONS) for key in keys}


def test_state_and_calls_of_a_customer_meet_on_one_partition(bootstrap: str, news: Callable[[str], list[Any]]) -> None:
    call, reminder = EVENTS["yupan.call.v1"], EVENTS["yupan.reminder.v1"]
    producer = EventProducer(bootstrap, codecs())
    for msisdn in numbers(40):
        producer.publish(STATE.topic, state(msisdn))
        producer.publish(call.topic, call.from_json({**call.examples[0], "msisdn": msisdn}))
        producer.publish(reminder.topic, reminder.from_json({**reminder.examples[0], "msisdn": msisdn}))
    producer.flush()
    places = [
        {m.key().decode().split("|")[0]: m.partition() for m in news(topic)}
        for topic in (STATE.topic, call.topic, reminder.topic)
    ]
    assert len(places[0]) == 40
    assert places[0] == places[1] == places[2]


def test_a_value_that_is_too_large_is_refused(bootstrap: str) -> None:
    with pytest.raises(RecordError) as caught:
        EventProducer(bootstrap, codecs()).publish(STATE.topic, state("8613800138000", value="x" * 2_000_000))
    assert caught.value.reason == "too_large"


def test_two_megabytes_reach_the_topic_for_intake_to_judge(bootstrap: str, news: Callable[[str], list[Any]]) -> None:
    producer = EventProducer(bootstrap, codecs())
    producer.send(STATE.topic, b"x" * 2_000_000, b"8613800138000", [])
    producer.flush()
    [message] = news(STATE.topic)
    assert len(message.value()) == 2_000_000


def test_a_missing_topic_names_the_remedy(start_part: Callable[[Any], Any]) -> None:
    bare = start_part(Tansu())
    with pytest.raises(PartError, match=r"yupan\.state\.v1 does not exist .*YUPAN_KAFKA.*yupan topics apply"):
        EventProducer(bare.bootstrap, codecs()).publish(STATE.topic, state("8613800138000"))


def test_no_broker_is_one_line(free_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any) -> None:
    monkeypatch.setattr("sinks.producer.ANSWER_S", 1.0)
    monkeypatch.setenv("YUPAN_KAFKA", f"127.0.0.1:{free_port}")
    file = tmp_path / "states.jsonl"
    file.write_text(line())
    assert run(["publish", STATE.topic, str(file)]) == 3
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert f"YUPAN_KAFKA=127.0.0.1:{free_port}: no answer" in told.err


def line(**changes: Any) -> str:
    return json.dumps({**STATE.examples[0], "msisdn": "13800138000", **changes}) + "\n"


def test_publish_reports_bad_lines_and_publishes_the_others(
    yupan: Callable[..., int], news: Callable[[str], list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "states.jsonl"
    file.write_text(line(id="e-1") + line(system="fax") + "\n" + "{broken\n" + line(value="x" * 2_000_000) + line())
    assert yupan("publish", STATE.topic, str(file), "--json") == 1
    told = capsys.readouterr()
    assert json.loads(told.out) == {"published": 2, "rejected": 3}
    lines = told.err.splitlines()
    assert lines[0].startswith("line 2: bad_value: system: 'fax' is not one of order, crm")
    assert lines[1].startswith("line 4: not_json: ")
    assert lines[2].startswith("line 5: too_large: ")
    assert [m.key() for m in news(STATE.topic)] == [b"8613800138000"] * 2


def test_publishing_a_file_twice_gives_the_same_ids(
    yupan: Callable[..., int], news: Callable[[str], list[Any]], tmp_path: Path
) -> None:
    file = tmp_path / "states.jsonl"
    file.write_text("".join(line(sequence=i) for i in range(20)))
    for _ in range(2):
        assert yupan("publish", STATE.topic, str(file)) == 0
    ids = [wire.read(m.headers())["ce_id"] for m in news(STATE.topic)]
    assert len(ids) == 40
    assert len(set(ids)) == 20
    assert ids[:20] == ids[20:]


@pytest.mark.parametrize("bad", [{"system": "fax"}, {"value": "x" * 2_000_000}], ids=["word", "size"])
def test_strict_publishes_nothing_when_a_line_is_bad(
    yupan: Callable[..., int], news: Callable[[str], list[Any]], capsys: pytest.CaptureFixture[str], bad: dict[str, str]
) -> None:
    text = (line() + line(**bad)).encode()
    assert yupan("publish", STATE.topic, "-", "--strict", "--json", stdin=text) == 1
    assert json.loads(capsys.readouterr().out) == {"published": 0, "rejected": 1}
    assert news(STATE.topic) == []
    assert yupan("publish", STATE.topic, "-", "--strict", stdin=line().encode()) == 0
    assert len(news(STATE.topic)) == 1


def test_a_calls_later_phases_follow_its_first(yupan: Callable[..., int], news: Callable[[str], list[Any]]) -> None:
    phases = [
        {"call_id": "c-1", "msisdn": "13800138000", "phase": "IVR_ENTERED", "occurred_at": AT},
        {"call_id": "c-1", "phase": "QUEUED", "occurred_at": AT + 1},
        {"call_id": "c-2", "phase": "IVR_ENTERED", "occurred_at": AT},
        {"call_id": "c-2", "msisdn": "13800138000", "phase": "ENDED", "occurred_at": AT + 1},
    ]
    text = "".join(json.dumps(phase) + "\n" for phase in phases)
    assert yupan("publish", "yupan.call.v1", "-", stdin=text.encode()) == 0
    keys = [m.key() for m in news("yupan.call.v1")]
    assert sorted(keys) == sorted([b"8613800138000"] * 2 + [b"c-2"] * 2)


def test_an_unknown_topic_and_a_missing_file_are_wrong_use(
    yupan: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert yupan("publish", "yupan.state", "-") == 2
    assert "no such topic: yupan.state; known are" in capsys.readouterr().err
    assert yupan("publish", STATE.topic, str(tmp_path / "none.jsonl")) == 2
    assert "No such file" in capsys.readouterr().err
