"""`yupan import` against a real Kafka: what lands there, what is waited for, what is told."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from schemas.catalogue import EVENTS
from schemas.codec import Codec
from schemas.errors import PartError
from schemas.headers import read
from schemas.partition import partition_of
from sinks.admin import Admin
from streams import cli
from streams.importing.waiting import DECIDE, HISTORY, Waiting
from streams.parts.kafka import Kafka
from tests.conftest import running
from tests.importing.test_call_log import SAMPLE, events_of

CALL, TAGGED = "yupan.call.v1", "yupan.tagged-call.v1"
PARTITIONS = 3
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A Kafka of this module's own, since our topics have fixed names."""
    for part in running(Kafka()):
        Admin(part.bootstrap).apply(PARTITIONS)
        yield part.bootstrap


@pytest.fixture
def run(broker: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `yupan import` with arguments; gives exit code, stdout, stderr."""
    monkeypatch.setenv("YUPAN_KAFKA", broker)

    def imported(*args: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.run(["import", *map(str, args)])
        return code, *capsys.readouterr()

    return imported


def reader(broker: str, group: str, **more: Any) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            **more,
        }
    )


def everything(broker: str, topic: str) -> list[Message]:
    consumer = reader(broker, "test")
    consumer.assign([TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
    found, open_ends = [], PARTITIONS
    while open_ends:
        for message in consumer.consume(1000, timeout=0.2):
            if message.error() is None:
                found.append(message)
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF
                open_ends -= 1
    consumer.close()
    return found


def test_the_events_are_in_kafka_each_with_its_id(run: Run, broker: str) -> None:
    code, out, err = run("call-log", SAMPLE, "--no-wait", "--json")
    made = {each.id: each for each in events_of(SAMPLE)}
    answer = json.loads(out)
    assert code == 0
    assert (answer["rows"], answer["events"], answer["rejected"]) == (14, len(made), 0)
    assert answer["rows_per_s"] == pytest.approx(answer["rows"] / answer["seconds"], rel=0.05, abs=1)
    assert "14 rows" in err
    assert "in Kafka" in err
    messages, codec = everything(broker, CALL), Codec(EVENTS[CALL])
    assert len(messages) == len(made)
    for message in messages:
        headers = read(message.headers())
        expected = made.pop(headers["ce_id"])
        assert headers["ce_source"] == "call-log"
        assert codec.decode(message.value()) == expected.record
        assert message.key().decode() == (expected.record["msisdn"] or expected.record["call_id"])
        assert message.partition() == partition_of(message.key(), PARTITIONS)
    assert not made


def test_an_import_again_adds_no_id(run: Run, broker: str) -> None:
    run("call-log", SAMPLE, "--no-wait")
    before = {read(m.headers())["ce_id"] for m in everything(broker, CALL)}
    run("call-log", SAMPLE, "--no-wait")
    assert {read(m.headers())["ce_id"] for m in everything(broker, CALL)} == before


PHASES = """
topic: yupan.call.v1
identity: [call, phase]
events:
  - {id: P, fields: {call_id: "{call}", phase: "{phase}", msisdn: {msisdn: number}, occurred_at: "{file_time}"}}
"""


def test_a_call_keeps_the_key_of_its_first_phase(run: Run, broker: str, tmp_path: Path) -> None:
    mapping, file = tmp_path / "phases.yaml", tmp_path / "phases.csv"
    mapping.write_text(PHASES)
    file.write_text("call,phase,number\nk-1,IVR_ENTERED,\nk-1,QUEUED,13800138000\nk-2,QUEUED,13800138001\nk-2,ENDED,\n")
    assert run(mapping, file, "--no-wait")[0] == 0
    keys = [m.key() for m in everything(broker, CALL) if read(m.headers())["ce_source"] == "phases"]
    assert sorted(keys) == [b"8613800138001", b"8613800138001", b"k-1", b"k-1"]


def test_rows_that_cannot_be_used_are_told_and_the_others_sent(run: Run, broker: str, tmp_path: Path) -> None:
    file, rejects = tmp_path / "list.csv", tmp_path / "rejects.csv"
    bad = [f"13800138{n:03},25:61" for n in range(25)]
    file.write_text("\n".join(["msisdn,valid_to", "13800139000,2030-01-01", *bad, "13800139001,"]) + "\n")
    code, out, err = run("list", file, "--list", "campus", "--replace", "--no-wait", "--json", "--rejects", rejects)
    assert code == 1
    assert json.loads(out) | {"seconds": 0, "rows_per_s": 0} == {
        "rows": 27,
        "events": 3,
        "rejected": 25,
        "seconds": 0,
        "rows_per_s": 0,
    }
    assert "row 2 (line 3): valid_to: '25:61' is no time like 2026-11-22" in err
    assert err.count("line ") == 20
    assert "… and 5 more rows (all are in the file of --rejects)" in err
    assert "13800138" not in err
    rows = list(csv.DictReader(rejects.open(encoding="utf-8")))
    assert len(rows) == 25
    assert rows[0]["row"] == "2"
    assert (rows[0]["msisdn"], rows[0]["valid_to"]) == ("13800138000", "25:61")
    assert rows[0]["reason"].startswith("valid_to: '25:61'")
    codec = Codec(EVENTS["yupan.list.v1"])
    sent = [(m.key(), codec.decode(m.value())["action"]) for m in everything(broker, "yupan.list.v1")]
    assert sorted(sent, key=str) == [(None, "REPLACED"), (b"8613800139000", "ADD"), (b"8613800139001", "ADD")]


def test_a_file_misread_as_a_whole_empties_no_list(run: Run, broker: str, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("msisdn,name\n13800138000,王秀英\n13800138001,李明\n", "gb18030")
    before = len(everything(broker, "yupan.list.v1"))
    assert run("list", file, "--list", "campus", "--replace", "--no-wait")[0] == 1
    assert len(everything(broker, "yupan.list.v1")) == before
    assert run("list", file, "--list", "campus", "--replace", "--no-wait", "--encoding", "gbk")[0] == 0
    assert len(everything(broker, "yupan.list.v1")) == before + 3


def test_rejects_never_overwrite_what_is_read(run: Run, tmp_path: Path) -> None:
    file, text = tmp_path / "list.csv", "msisdn\n1\n"
    file.write_text(text)
    (tmp_path / "link.csv").symlink_to(file)
    for rejects in (file, tmp_path / "link.csv"):
        code, _, err = run("list", file, "--list", "campus", "--dry-run", "--rejects", rejects)
        assert (code, err) == (2, f"yupan: --rejects {rejects}: is a file that is read here; name another\n")
    assert file.read_text() == text


def test_a_dry_run_sends_nothing(run: Run, broker: str) -> None:
    before = len(everything(broker, CALL))
    code, _, err = run("call-log", SAMPLE, "--dry-run")
    assert code == 0
    assert "nothing was sent" in err
    assert len(everything(broker, CALL)) == before


def test_wrong_use_is_one_line(run: Run, tmp_path: Path) -> None:
    assert run("call-logs", SAMPLE)[0] == 2
    code, out, err = run("list", SAMPLE, "--list", "campus")
    assert (code, out) == (2, "")
    assert err.startswith(f"yupan: {SAMPLE}: has no column `msisdn`, which list.yaml:")
    assert "it has vru+line, call_id" in err
    assert len(err.splitlines()) == 1
    assert "--at: 'noon' is no time" in run("call-log", SAMPLE, "--at", "noon")[2]


class Worker(threading.Thread):
    """Reads topics as one of our groups does and commits what it read, behind markers, too."""

    def __init__(self, broker: str, group: str, topics: list[str], commit: Callable[..., None]) -> None:
        super().__init__(daemon=True)
        self._consumer = reader(broker, group, **{"isolation.level": "read_committed"})
        self._topics = topics
        self._commit = commit
        self.ended = threading.Event()

    def run(self) -> None:
        self._consumer.subscribe(self._topics)
        while not self.ended.is_set():
            messages = self._consumer.consume(500, timeout=0.1)
            if messages:
                places = {(m.topic(), m.partition()): m.offset() + (m.error() is None) for m in messages}
                offsets = [TopicPartition(*place, offset) for place, offset in places.items()]
                self._commit([m for m in messages if m.error() is None], offsets, self._consumer)
        self._consumer.close()


def only_commit(messages: list[Message], offsets: list[TopicPartition], consumer: Consumer) -> None:
    consumer.commit(offsets=offsets, asynchronous=False)


@pytest.fixture
def decider(broker: str) -> Iterator[Worker]:
    """Tags every phase, in a transaction with the offsets."""
    producer = Producer({"bootstrap.servers": broker, "transactional.id": "t", "partitioner": "murmur2_random"})
    producer.init_transactions()

    def tag(messages: list[Message], offsets: list[TopicPartition], consumer: Consumer) -> None:
        producer.begin_transaction()
        for message in messages:
            producer.produce(TAGGED, message.value(), message.key())
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
        producer.commit_transaction()

    worker = Worker(broker, DECIDE, [CALL], tag)
    yield worker
    worker.ended.set()


def test_it_waits_for_decide_then_for_history(broker: str, decider: Worker, run: Run) -> None:
    historian = Worker(broker, HISTORY, [CALL, TAGGED], only_commit)
    seen: list[str] = []
    run("call-log", SAMPLE, "--no-wait")
    written = Waiting(broker).ends([CALL])
    waiting = threading.Thread(
        target=Waiting(broker, progress=lambda group, done, total: seen.append(group)).until_readable, args=[written]
    )
    waiting.start()
    decider.start()
    Waiting(broker).until_committed(DECIDE, written)
    until = time.monotonic() + 30
    while seen[-1:] != [HISTORY] and time.monotonic() < until:
        time.sleep(0.1)
    waiting.join(1.0)
    assert waiting.is_alive()
    assert (seen[0], seen[-1]) == (DECIDE, HISTORY)
    historian.start()
    waiting.join(60)
    assert not waiting.is_alive()
    tagged = Waiting(broker).ends([TAGGED])
    assert sum(tagged.values()) > sum(written.values())
    Waiting(broker, patience_s=0.01).until_committed(HISTORY, written | tagged)
    historian.ended.set()


def test_a_group_that_stands_still_is_named(broker: str, run: Run) -> None:
    run("telco-customers", SAMPLE.with_name("telco.csv"), "--no-wait")
    written = Waiting(broker).ends(["yupan.customer.v1"])
    with pytest.raises(PartError, match=r"the group yupan-decide stands still: for 0\.5 s .* 1 record left"):
        Waiting(broker, patience_s=0.5).until_readable(written)
