"""Checks are changed under a running worker, by SIGHUP: a new one fires, a broken one is refused, one is in shadow."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agents.rules import SHIPPED
from streams.supervisor import Worker
from tests.e2e.kit import Live, Seen, msisdn, state, wait_for

STATE, ANOMALY, REMINDER = "yupan.state.v1", "yupan.anomaly.v1", "yupan.reminder.v1"
NAME = "activation.mine"
COMMAND = """
import signal, sys
from streams.cli import main
signal.signal(signal.SIGHUP, signal.{})
sys.argv[1:] = ["worker", "--role", "history"]
main()
"""
BROKEN = Path(__file__).parents[1] / "agents" / "broken_checks" / "unknown-kind.yaml"


@pytest.fixture
def stack(stack: Live) -> Iterator[Live]:
    """Afterwards only ours are in force again."""
    yield stack
    for file in stack.own_checks.iterdir():
        file.unlink()
    stack.reload()


def own(stack: Live, mode: str = "on", within: str = "1 s") -> None:
    """A check beside ours about the same systems."""
    text = (SHIPPED / "activation.yaml").read_text("utf-8")
    text = text.replace("id: activation", f"id: {NAME}\nmode: {mode}", 1).replace("within: 10 min", f"within: {within}")
    (stack.own_checks / "mine.yaml").write_text(text, "utf-8")


def of(seen: list[Seen], number: str, check: str = NAME) -> list[str]:
    """The statuses of a customer's anomaly of a check, in order."""
    found = (one.record for one in seen if (one.key or b"") == number.encode())
    return [record["status"] for record in found if record["check"] == check]


def test_a_new_check_fires_a_broken_file_changes_nothing_and_shadow_tells_nobody(stack: Live) -> None:
    pid = stack.worker("decide").pid
    before, first = stack.mark(ANOMALY), msisdn()
    own(stack)
    stack.reload()
    stack.publish(STATE, state(first, "crm", "status", "active"))
    stack.read(ANOMALY, before, lambda seen: of(seen, first) == ["OPEN"])

    (stack.own_checks / "broken.yaml").write_text(BROKEN.read_text("utf-8"), "utf-8")
    loaded = stack.metric("decide", "yupan_checks_loaded", mode="on")
    stack.reload("refused")
    reason = BROKEN.read_text("utf-8").splitlines()[0].removeprefix("# ")
    lines = stack.log("decide").splitlines()
    assert [line for line in lines if f"the checks stay as they were: {stack.own_checks}/broken.yaml:{reason}" in line]
    assert stack.metric("decide", "yupan_checks_loaded", mode="on") == loaded
    assert stack.metric("decide", "yupan_checks_refused") == 1
    second = msisdn()
    stack.publish(STATE, state(second, "crm", "status", "active"))
    stack.read(ANOMALY, before, lambda seen: of(seen, second) == ["OPEN"])

    (stack.own_checks / "broken.yaml").unlink()
    own(stack, "shadow")
    stack.reload()
    assert stack.metric("decide", "yupan_checks_refused") == 0
    assert any(f"the checks were read anew: changed {NAME}" in line for line in stack.log("decide").splitlines())
    third = msisdn()
    stack.publish(STATE, state(third, "crm", "status", "active"))
    count = "yupan_shadowed_total"
    wait_for(lambda: stack.metric("decide", count, check=NAME, would="OPEN") == 1, what="a decision in shadow")
    stack.publish(STATE, state(first, "hlr", "status", "active"), state(third, "hlr", "status", "active"))
    wait_for(lambda: stack.metric("decide", count, check=NAME, would="RESOLVED") == 1, what="its end")
    stack.settle()
    told = stack.read(ANOMALY, before)
    assert of(told, first) == ["OPEN", "RESOLVED"]  # it was announced before
    assert of(told, third) == []
    assert of(told, third, "activation")[-1:] == ["RESOLVED"]  # ours has spoken
    assert stack.worker("decide").pid == pid


class History(Worker):
    """A worker that a shell starts: with SIGHUP as it is (`SIG_DFL`), or under nohup (`SIG_IGN`)."""

    def __init__(self, settings: Mapping[str, str], directory: Path, hang_up: str) -> None:
        super().__init__("history", 2, settings, directory)
        self._hang_up = hang_up

    def command(self) -> list[str]:
        return [sys.executable, "-c", COMMAND.format(self._hang_up)]

    def status(self, name: str) -> int:
        """A set of signals, as the kernel keeps it for the process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1], 16) for line in lines if line.startswith(f"{name}:"))


@pytest.mark.parametrize("hang_up", ["SIG_DFL", "SIG_IGN"])
def test_a_worker_that_writes_the_history_ends_on_a_hang_up_but_not_under_nohup(
    stack: Live, tmp_path: Path, hang_up: str
) -> None:
    worker = History(stack.settings.environ(), tmp_path, hang_up)
    with worker:
        assert worker.status("SigBlk") & 1 == 0
        worker.send(signal.SIGHUP)
        if hang_up == "SIG_IGN":
            assert worker.status("SigIgn") & 1 == 1
            assert worker.alive
            worker.send(signal.SIGTERM)
        wait_for(lambda: not worker.alive, 20, what="the end of the worker")
        assert worker.exit_code == 0
        assert "Traceback" not in worker.log.read_text()
    wait_for(lambda: stack.worker("history").assigned() == stack.settings.partitions, what="the usual worker alone")
