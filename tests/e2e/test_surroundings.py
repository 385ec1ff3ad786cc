"""Bad surroundings: every command ends with one clear line and the right code; a worker waits and goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams.parts.clickhouse_server import ClickHouseServer
from streams.parts.kafka import Kafka
from tests.e2e.kit import ROOT, Answer, yupan

NOWHERE = "127.0.0.1:1"
NO_BROKER = {"YUPAN_KAFKA": NOWHERE}
NO_CLICKHOUSE = {"YUPAN_CLICKHOUSE": f"clickhouse://default:@{NOWHERE}/yupan"}
NUMBER = "8613912345678"
LINE = (
    f'{{"msisdn": "{NUMBER}", "system": "crm", "attribute": "status", "value": "active", "occurred_at": 1795320000000}}'
)

OF_KAFKA: Mapping[str, Sequence[str]] = {
    "decide": ("worker", "--role", "decide"),
    "publish": ("publish", "yupan.state.v1", "-"),
    "publish strict": ("publish", "yupan.state.v1", "-", "--strict"),
    "import": ("import", "list", "LIST", "--list", "campus"),
    "topics apply": ("topics", "apply"),
    "topics diff": ("topics", "diff"),
    "topics list": ("topics", "list"),
    "dead letters": ("dead-letters", "list"),
    "dead letter": ("dead-letters", "show", "0:0"),
    "simulate": ("simulate", "--seconds", "10"),
}
OF_CLICKHOUSE: Mapping[str, Sequence[str]] = {
    "history": ("worker", "--role", "history"),
    "customer": ("customer", NUMBER),
    "customer json": ("customer", NUMBER, "--json"),
    "report": ("report", "calls"),
    "migrate": ("migrate",),
    "migrate dry": ("migrate", "--dry-run"),
}
OF_BOTH: Mapping[str, Sequence[str]] = {"all roles": ("worker",), "doctor": ("doctor",)}
ALL = {**OF_KAFKA, **OF_CLICKHOUSE, **OF_BOTH, "checks": ("checks", "list")}
READERS = ("history", "customer", "report")
Run = Callable[[Mapping[str, Sequence[str]], Mapping[str, str]], Mapping[str, Answer]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run commands side by side (most of them wait for an answer) and tell how each ended."""
    file = tmp_path_factory.mktemp("import") / "list.csv"
    file.write_text("msisdn,name\n13711110001,A\n")

    def one(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
        told = [str(file) if word == "LIST" else word for word in words]
        environ = {"YUPAN_DEADLINES": "activation=1s", **environ}  # else simulate says that no drift can fall due
        return yupan(*told, environ=environ, stdin=LINE.encode(), seconds=90)

    def together(commands: Mapping[str, Sequence[str]], environ: Mapping[str, str]) -> Mapping[str, Answer]:
        with ThreadPoolExecutor(12) as pool:
            return dict(zip(commands, pool.map(lambda words: one(words, environ), commands.values()), strict=True))

    return together


def check(answers: Mapping[str, Answer], code: int, *texts: str) -> None:
    """Each ended with `code`, and a last line of ours that holds the texts; only what starts may be told before it."""
    for name, answer in answers.items():
        assert answer.code == code, (name, answer)
        lines = answer.err.splitlines()
        assert lines[-1].startswith("yupan: "), (name, answer.err)
        assert all(" INFO yupan.worker " in line or " starts; " in line for line in lines[:-1]), (name, answer.err)
        assert not [text for text in texts if text not in lines[-1]], (name, lines[-1])
        assert NUMBER not in answer.err


# --- settings


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("YUPAN_PARTITIONS", "many", "a whole number"),
        ("YUPAN_KAFFKA", "x:1", "no such setting"),
        ("YUPAN_CLICKHOUSE", "mysql://x", "clickhouse://"),
        ("YUPAN_CONFIG", "/nowhere.toml", "no file"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(run: Run, setting: str, value: str, wanted: str) -> None:
    commands = ALL if setting == "YUPAN_PARTITIONS" else {name: ALL[name] for name in ("decide", "customer", "doctor")}
    check(run(commands, {setting: value}), 2, setting, wanted)


def test_metrics_that_cannot_be_served_name_the_setting(run: Run) -> None:
    check(run({"decide": ALL["decide"]}, {"YUPAN_METRICS": "192.0.2.1:9999"}), 3, "YUPAN_METRICS=192.0.2.1:9999")


# --- parts that are not there


def test_a_broker_that_does_not_answer(run: Run) -> None:
    answers = dict(run({**OF_KAFKA, **OF_BOTH}, {**NO_BROKER, **NO_CLICKHOUSE}))
    doctor, workers = answers.pop("doctor"), answers.pop("all roles")
    check(answers, 3, f"YUPAN_KAFKA={NOWHERE}")
    check({"all roles": workers}, 3, "yupan: worker-", "YUPAN_")
    assert (doctor.code, doctor.err) == (3, "")
    assert doctor.out.count("no answer from Kafka") == 1
    assert doctor.out.count("cannot be reached") == 1


def test_a_clickhouse_that_does_not_answer(run: Run) -> None:
    check(run(OF_CLICKHOUSE, NO_CLICKHOUSE), 3, "YUPAN_CLICKHOUSE", NOWHERE, "cannot be reached")


def test_a_schema_registry_that_does_not_answer(run: Run) -> None:
    commands = {name: ALL[name] for name in ("decide", "publish")}
    check(run(commands, {"YUPAN_SCHEMA_REGISTRY": f"http://{NOWHERE}"}), 3, f"YUPAN_SCHEMA_REGISTRY=http://{NOWHERE}")


def test_topics_that_are_missing(run: Run, start_part: Callable[[Kafka], Kafka]) -> None:
    broker = start_part(Kafka(heap="256m"))
    commands = {name: words for name, words in OF_KAFKA.items() if not name.startswith("topics")}
    check(run(commands, {"YUPAN_KAFKA": broker.bootstrap}), 3, broker.bootstrap, "YUPAN_KAFKA", "`yupan topics apply`")


def test_tables_that_are_missing(run: Run, clickhouse_server: ClickHouseServer, prefix: str) -> None:
    commands = {name: ALL[name] for name in READERS}
    for dsn in (clickhouse_server.database(prefix + "empty"), clickhouse_server.dsn.replace("/yupan", "/nowhere")):
        check(run(commands, {"YUPAN_CLICKHOUSE": dsn}), 3, "YUPAN_CLICKHOUSE", "`yupan migrate`")


def test_a_password_that_is_wrong(run: Run, clickhouse_server: ClickHouseServer) -> None:
    dsn = clickhouse_server.dsn.replace("default:@", "default:wrong@")
    answers = run(OF_CLICKHOUSE, {"YUPAN_CLICKHOUSE": dsn})
    check(answers, 3, "YUPAN_CLICKHOUSE", "password")
    assert not [answer for answer in answers.values() if "wrong@" in answer.err]


# --- chDB


@pytest.fixture(scope="module")
def chdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """chDB's directory, in use by another process."""
    pytest.importorskip("chdb", reason="chDB is not installed (yupan[embedded])")
    directory = tmp_path_factory.mktemp("used") / "chdb"
    assert yupan("migrate", environ={"YUPAN_CLICKHOUSE": f"chdb://{directory}"}).code == 0
    program = f"from sinks.embedded import Embedded; Embedded('{directory}'); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        yield directory
        holder.kill()


def test_a_chdb_directory_in_use(run: Run, chdb: Path) -> None:
    check(run(OF_CLICKHOUSE, {"YUPAN_CLICKHOUSE": f"chdb://{chdb}"}), 3, "YUPAN_CLICKHOUSE", str(chdb), "in use")


# --- a full disk


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system without a free byte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a full disk needs the right to mount one")
    try:
        with pytest.raises(OSError, match="No space left"):
            (disk / "fill").write_bytes(bytes(1 << 21))
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_under_the_ledger(run: Run, full: Path) -> None:
    answers = run({"decide": ALL["decide"]}, {"YUPAN_LEDGER": f"rocksdb://{full}/ledger"})
    check(answers, 3, f"YUPAN_LEDGER=rocksdb://{full}/ledger", "free space")


def test_a_full_disk_under_chdb(run: Run, full: Path) -> None:
    pytest.importorskip("chdb", reason="chDB is not installed (yupan[embedded])")
    answers = run({"migrate": ALL["migrate"]}, {"YUPAN_CLICKHOUSE": f"chdb://{full}/chdb"})
    check(answers, 3, "YUPAN_CLICKHOUSE", f"{full}/chdb", "free space")


def test_a_full_disk_under_the_output() -> None:
    done = subprocess.run(
        f"exec {sys.executable} -m streams checks list >/dev/full",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == b"yupan: No space left on device; free space there, or write elsewhere\n"
