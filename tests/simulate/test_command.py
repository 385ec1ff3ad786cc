"""`yupan simulate` against a broker over the wire."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas import headers
from schemas.catalogue import EVENTS
from schemas.codec import codecs
from schemas.partition import partition_of
from sinks.admin import Admin
from streams.parts.tansu import Tansu

PARTITIONS = 4


@pytest.fixture(scope="module")
def broker(tansu: Tansu) -> str:
    Admin(tansu.bootstrap).apply(PARTITIONS)
    return tansu.bootstrap


def simulate(bootstrap: str, *options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "YUPAN_KAFKA": bootstrap, "YUPAN_DEADLINES": "activation=1s"}
    command = [sys.executable, "-m", "streams", "simulate", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def read(bootstrap: str, run: str) -> list[tuple[str, dict, dict, int, bytes | None]]:
    """(topic, record, headers, partition, key) of all events whose id names `run`."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "fetch.wait.max.ms": 2})
    names = [name for name in EVENTS if "internal" not in name]
    consumer.assign([TopicPartition(name, number, 0) for name in names for number in range(PARTITIONS)])
    found, known, quiet = [], codecs(), time.monotonic() + 10
    while time.monotonic() < quiet:
        for message in consumer.consume(1000, 0.2):
            assert message.error() is None
            attributes = headers.read(message.headers())
            if run in attributes.get("ce_id", ""):
                record = known[message.topic()].decode(message.value())
                found.append((message.topic(), record, attributes, message.partition(), message.key()))
                quiet = time.monotonic() + 1
    consumer.close()
    return found


def test_it_writes_all_topics_tells_its_drifts_and_ends(broker: str, tmp_path: Path) -> None:
    file = tmp_path / "drifts.jsonl"
    options = [
        "--seed",
        "7",
        "--rate",
        "200",
        "--seconds",
        "4",
        "--customers",
        "100",
        "--drift",
        "0.5",
        "--speed-up",
        "0",
    ]
    process = simulate(broker, *options, "--hour", "10", "--injected", str(file), "--json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    summary = json.loads(out)
    drifts = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert summary["drifts_injected"] == len(drifts) > 0
    assert summary["seed"] == 7
    run = drifts[0]["trigger"].split("-")[1]
    events = read(broker, run)
    assert len(events) == summary["events"]
    by_id = {attributes["ce_id"]: record for _, record, attributes, _, _ in events}
    assert len(by_id) == len(events)
    for drift in drifts:
        assert by_id[drift["trigger"]]["msisdn"] == drift["msisdn"]
        assert drift["due_at"] == by_id[drift["trigger"]]["occurred_at"] + 1000
    assert all(key is None or partition == partition_of(key, PARTITIONS) for _, _, _, partition, key in events)


def test_ctrl_c_ends_it_with_its_summary(broker: str) -> None:
    process = simulate(broker, "--seed", "8", "--customers", "50", "--json")
    assert process.stderr is not None
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out)["events"] > 50
    assert "Traceback" not in err


def test_missing_topics_are_one_line_and_code_3(start_part: Callable[[Tansu], Tansu]) -> None:
    process = simulate(start_part(Tansu()).bootstrap)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert "yupan topics apply" in err


def test_a_span_that_is_none_is_wrong_use(free_port: int) -> None:
    process = simulate(f"127.0.0.1:{free_port}", "--ago", "yesterday")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "--ago" in err
