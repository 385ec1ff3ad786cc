"""SIGHUP from a terminal that was closed ends `dev`; any other is an order to read checks anew."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOOP = """
import fcntl, os, sys, termios
if sys.argv[1] == "terminal":
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from streams.running import until_signalled
with until_signalled(reloads=True) as stopped:
    os.write(OUT, b"ready\\n")
    while not stopped.wait(0.05):
        if stopped.take_hang_up():
            os.write(OUT, b"reload\\n")
os.write(OUT, b"ended\\n")
"""


DEFAULT = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
"""These tests may run under nohup themselves."""


class Looping:
    """A process like `yupan dev`, with or without a terminal of its own."""

    def __init__(self, *, terminal: bool, before: str = "") -> None:
        self.master, slave = pty.openpty()
        self.out, into = os.pipe()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                DEFAULT + before + LOOP.replace("OUT", str(into)),
                "terminal" if terminal else "none",
            ],
            stdin=slave if terminal else subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=(into,),
            start_new_session=True,
        )
        os.close(slave)
        os.close(into)
        assert self.said("ready")

    def said(self, word: str, seconds: float = 20) -> bool:
        """Whether the next line is this one."""
        asked = select.poll()  # select() knows only the first 1,024 descriptors, and a long test run has more
        asked.register(self.out, select.POLLIN)
        return bool(asked.poll(seconds * 1000)) and os.read(self.out, len(word) + 1) == f"{word}\n".encode()

    def close_terminal(self) -> None:
        os.close(self.master)
        self.master = -1

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        if self.master >= 0:
            os.close(self.master)


@pytest.fixture
def start() -> Iterator[Callable[..., Looping]]:
    made: list[Looping] = []

    def run(**how: object) -> Looping:
        made.append(Looping(**how))  # type: ignore[arg-type]
        return made[-1]

    yield run
    for one in made:
        one.end()


@pytest.mark.parametrize("terminal", [True, False])
def test_an_order_is_left_to_the_loop(start: Callable[..., Looping], terminal: bool) -> None:
    looping = start(terminal=terminal)
    for _ in range(2):
        looping.process.send_signal(signal.SIGHUP)
        assert looping.said("reload")
    looping.process.send_signal(signal.SIGTERM)
    assert looping.said("ended")
    assert looping.process.wait(10) == 0


def test_a_terminal_that_is_closed_ends_it(start: Callable[..., Looping]) -> None:
    looping = start(terminal=True)
    looping.process.send_signal(signal.SIGHUP)
    assert looping.said("reload")
    looping.close_terminal()
    assert looping.said("ended")
    assert looping.process.wait(10) == 0


def test_under_nohup_it_outlives_the_terminal_and_still_takes_orders(start: Callable[..., Looping]) -> None:
    nohup = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    looping = start(terminal=True, before=nohup)
    looping.close_terminal()
    assert looping.said("reload")  # there is no telling it apart
    looping.process.send_signal(signal.SIGHUP)
    assert looping.said("reload")
    assert looping.process.poll() is None
