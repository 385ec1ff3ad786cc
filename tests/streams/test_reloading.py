"""Checks are read anew between two batches, and what cannot be used changes nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.conclude import Conclusions
from agents.intake import Intake
from agents.rules import SHIPPED
from agents.shell import Shell
from schemas.codec import codecs
from streams import reloading
from streams.metrics import Metrics
from streams.reloading import Reloading, read_checks
from streams.settings import Settings

BROKEN = Path(__file__).parents[1] / "agents" / "broken_checks"


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


class Worker:
    """What holds the checks, without a broker."""

    def __init__(self, directory: Path) -> None:
        self.settings = Settings().with_(checks=(str(directory),))
        self.metrics = Metrics()
        self.conclusions = Conclusions(Shell(Intake(codecs(), 1), {}), read_checks(self.settings))
        self.reloading = Reloading(self.metrics, lambda: self.settings)
        self.reloading.bind(self.conclusions)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def during(self, do: Callable[[], Any], early: Callable[[], Any] = lambda: None) -> None:
        """Run a loop that heeds signals, `do` something in it, and wait until all is read."""

        async def running() -> None:
            early()
            self.reloading.heed(asyncio.get_running_loop())
            do()
            until = time.monotonic() + 60
            await asyncio.sleep(0.05)  # the signal arrives
            while (task := self.reloading._task) is None or not task.done():
                assert time.monotonic() < until
                await asyncio.sleep(0.01)

        asyncio.run(running())

    def hang_up(self) -> None:
        self.during(lambda: os.kill(os.getpid(), signal.SIGHUP))


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


def own(directory: Path, mode: str = "on") -> None:
    text = (SHIPPED / "activation.yaml").read_text("utf-8").replace("id: activation", "id: activation.mine")
    (directory / "mine.yaml").write_text(f"mode: {mode}\n{text}", "utf-8")


def test_a_hang_up_brings_the_new_checks_and_says_which(
    worker: Worker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before, was_on = worker.conclusions.checks, worker.metric("yupan_checks_loaded", mode="on")
    own(tmp_path, "shadow")
    worker.hang_up()
    assert worker.conclusions.checks is not before
    assert "activation.mine" in worker.conclusions.checks.by_id
    assert caplog.messages == ["the checks were read anew: added activation.mine"]
    assert worker.metric("yupan_checks_reloads_total", outcome="loaded") == 1
    assert worker.metric("yupan_checks_loaded", mode="shadow") == 1
    own(tmp_path)
    worker.hang_up()
    assert caplog.messages[1:] == ["the checks were read anew: changed activation.mine"]
    assert worker.metric("yupan_checks_loaded", mode="shadow") == 0
    assert worker.metric("yupan_checks_loaded", mode="on") == (was_on or 0) + 1
    (tmp_path / "mine.yaml").unlink()
    worker.hang_up()
    assert caplog.messages[2:] == ["the checks were read anew: removed activation.mine"]


@pytest.mark.parametrize("name", ["unknown-kind", "not-yaml", "empty", "mode-unknown", "watch-bad-name"])
def test_a_broken_file_leaves_all_as_it_was_and_one_line_says_why(
    worker: Worker, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    before = worker.conclusions.checks
    text = (BROKEN / f"{name}.yaml").read_text("utf-8")
    (tmp_path / "bad.yaml").write_text(text, "utf-8")
    worker.hang_up()
    assert worker.conclusions.checks is before
    wrong = text.splitlines()[0].removeprefix("# ")
    assert caplog.messages == [f"the checks stay as they were: {tmp_path}/bad.yaml:{wrong}"]
    assert worker.metric("yupan_checks_reloads_total", outcome="refused") == 1
    (tmp_path / "bad.yaml").unlink()
    worker.hang_up()
    assert worker.metric("yupan_checks_reloads_total", outcome="loaded") == 1


def test_settings_are_read_anew_too_and_may_be_wrong(
    worker: Worker, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.settings = worker.settings.with_(deadlines={"activation": 5_000})
    worker.hang_up()
    assert worker.conclusions.checks.by_id["activation"].rule.within == 5_000
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yupan.toml").write_text('repairs = "activation=often"\n', "utf-8")
    worker.reloading = Reloading(worker.metrics)
    worker.reloading.bind(worker.conclusions)
    worker.hang_up()
    assert caplog.messages[-1].startswith("the checks stay as they were: YUPAN_REPAIRS (in yupan.toml): ")


def test_whatever_goes_wrong_the_worker_goes_on(
    worker: Worker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Settings) -> Any:
        raise RecursionError("too\ndeep")

    monkeypatch.setattr(reloading, "read_checks", fails)
    before = worker.conclusions.checks
    worker.hang_up()
    assert worker.conclusions.checks is before
    assert caplog.messages == ["the checks stay as they were: RecursionError: too deep"]


def test_files_are_read_beside_the_loop_and_exchanged_in_it(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    where: dict[str, Any] = {}
    read, exchange = reloading.read_checks, Reloading._exchange

    def reading(settings: Settings) -> Any:
        where["read"] = threading.current_thread()
        return read(settings)

    def exchanging(self: Reloading, checks: Any) -> None:
        where["exchange"] = threading.current_thread()
        exchange(self, checks)

    monkeypatch.setattr(reloading, "read_checks", reading)
    monkeypatch.setattr(Reloading, "_exchange", exchanging)
    worker.hang_up()
    assert where["read"] is not threading.main_thread()
    assert where["exchange"] is threading.main_thread()


def test_a_hang_up_before_the_loop_runs_is_kept(worker: Worker, tmp_path: Path) -> None:
    own(tmp_path)
    worker.during(lambda: None, early=lambda: os.kill(os.getpid(), signal.SIGHUP))
    assert "activation.mine" in worker.conclusions.checks.by_id


def test_a_hang_up_while_files_are_read_has_them_read_once_more(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, read = [], reloading.read_checks

    def reading(settings: Settings) -> Any:
        found = read(settings)
        if not times:  # the file changes when it was read already
            own(tmp_path)
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.2)
        times.append(found)
        return found

    monkeypatch.setattr(reloading, "read_checks", reading)
    worker.hang_up()
    assert len(times) == 2
    assert "activation.mine" in worker.conclusions.checks.by_id
