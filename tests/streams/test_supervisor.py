"""Workers are started again when they end, the later the more often they end by our own fault."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from schemas.errors import PartError, UsageError
from streams import supervisor
from streams.parts.ports import HOST, free_port
from streams.supervisor import PATIENCE_S, Supervisor, Worker


class Ending(Worker):
    """A worker that says a line and ends with a code."""

    line, code = "yupan: no such thing", 4

    def command(self) -> list[str]:
        return [sys.executable, "-c", f"import sys; print({self.line!r}); sys.exit({self.code})"]


def ended(worker: Worker, within: float = 20) -> Worker:
    until = time.monotonic() + within
    while worker.alive and time.monotonic() < until:
        time.sleep(0.01)
    assert not worker.alive
    return worker


@pytest.fixture
def worker(tmp_path: Path) -> Ending:
    return Ending("decide", 1, {}, tmp_path)


def test_who_ends_by_our_fault_again_and_again_is_started_ever_later(worker: Ending) -> None:
    worker.launch()
    waits = []
    for _ in range(8):
        assert ended(worker).restart() == "ended with code 4"
        waits.append(worker.patience_s)
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    ended(worker)
    worker.code = 3
    worker.restart()
    ended(worker).restart()
    assert worker.patience_s == PATIENCE_S
    worker.stop()


def test_a_worker_that_lasted_is_started_again_at_once(worker: Ending) -> None:
    worker.launch()
    ended(worker)
    worker.started_at -= 3_600
    worker.restart()
    assert worker.patience_s == PATIENCE_S
    worker.stop()


def test_watch_waits_for_its_patience(tmp_path: Path, worker: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "say", lambda _: None)
    watched = Supervisor((), 0, {}, tmp_path)
    watched.workers.append(worker)
    worker.launch()
    worker.patience_s = 1_000
    ended(worker)
    watched.watch()
    assert watched.restarts == 0
    worker.patience_s = 0
    watched.watch()
    assert watched.restarts == 1
    watched.stop()


def test_only_those_that_decide_are_told_to_read_their_checks_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(supervisor, "say", said.append)

    class Waiting(Worker):
        def command(self) -> list[str]:
            told = "import signal; signal.sigwait([signal.SIGHUP]); print('INFO x the checks are told')"
            return [
                sys.executable,
                "-c",
                f"import signal; signal.pthread_sigmask(0, [signal.SIGHUP]); print(1); {told}",
            ]

    watched = Supervisor((), 0, {}, tmp_path)
    watched.workers += [Waiting(role, 1, {}, tmp_path / role) for role in ("decide", "history")]
    watched.launch()
    decide, history = watched.workers
    time.sleep(1)
    watched.reload()
    assert ended(decide).exit_code == 0
    assert said == ["worker-decide-1: the checks are told"]
    assert history.alive
    watched.stop()


def test_a_hang_up_does_not_end_a_worker_that_is_only_starting(tmp_path: Path) -> None:
    starting = Worker("decide", 1, {"YUPAN_KAFKA": f"{HOST}:{free_port()}"}, tmp_path)
    starting.launch()
    starting.send(signal.SIGHUP)
    assert ended(starting, 60).exit_code == PartError.exit_code  # it ends for want of a broker
    assert "Traceback" not in starting.log.read_text()


@pytest.mark.parametrize(("code", "error"), [(2, UsageError), (3, PartError)])
def test_why_a_worker_does_not_start_is_told_in_its_words(worker: Ending, code: int, error: type[Exception]) -> None:
    worker.code = code
    with pytest.raises(error, match=r"^worker-decide-1: no such thing$"):
        worker.start()


def test_a_worker_that_never_reached_its_broker_is_not_started_again(worker: Ending) -> None:
    worker.code = 3
    worker.launch()
    ended(worker)
    with pytest.raises(PartError, match=r"^worker-decide-1: no such thing$"):
        worker.require_start()


def test_without_words_the_end_of_its_log_is_told(worker: Ending) -> None:
    worker.line = "Segmentation fault"
    with pytest.raises(PartError, match=r"ended with code 4 before it was ready(.|\n)*Segmentation fault"):
        worker.start()
