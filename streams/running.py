"""Ending well: SIGINT, SIGTERM and SIGHUP become an event that loops wait on.

SIGHUP says two things: the terminal was closed, or, where checks are decided, read their files anew. The terminal tells
which: one that this process was started from and that is gone was closed. Under nohup it is never closed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LINGERS_S = 0.1
"""A shell that ends sends SIGHUP just before it takes the terminal away."""


class Terminal:
    """The terminal that this process was started from, if any."""

    def __init__(self) -> None:
        self._heeded = not _is_under_nohup() and _has_terminal()

    def is_closed(self) -> bool:
        """Whether a SIGHUP that has just come says that it was closed. Waits for a moment."""
        if not self._heeded:
            return False
        time.sleep(LINGERS_S)
        return not _has_terminal()


def _is_under_nohup() -> bool:
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def hold_hang_ups() -> None:
    """Keep SIGHUP for later: it would end a process that is only starting."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def take_hang_ups() -> None:
    """Take SIGHUP from now on, and what has come meanwhile: who does it, has its handler."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def end_on_hang_up() -> None:
    """SIGHUP ends this process as SIGTERM does, also one that has come meanwhile. Not under nohup."""
    if not _is_under_nohup():
        signal.signal(signal.SIGHUP, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    take_hang_ups()


class Stop(threading.Event):
    """An event that knows whether somebody waits on it, and whether checks are to be read anew."""

    awaited = False

    def __init__(self) -> None:
        super().__init__()
        self._hung_up = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, from now on without being interrupted."""
        self.awaited = True
        return super().wait(timeout)

    def hang_up(self) -> None:
        """SIGHUP has come, and the terminal is still there."""
        self._hung_up = True

    def take_hang_up(self) -> bool:
        """Whether that has happened since this was asked last."""
        hung_up, self._hung_up = self._hung_up, False
        return hung_up


@contextmanager
def until_signalled(*, reloads: bool = False) -> Iterator[Stop]:
    """An event that is set by the first SIGINT, SIGTERM or SIGHUP (the terminal was closed; not under nohup).

    A signal during start-up must end that, too: it raises `KeyboardInterrupt` there, like Ctrl-C always
    does, until the loop that waits on the event has begun.

    With `reloads` a SIGHUP ends only what has lost its terminal; any other is left to the loop, `Stop.take_hang_up`.
    """
    stopped, terminal = Stop(), Terminal()

    def stop(number: int, frame: object) -> None:
        if reloads and number == signal.SIGHUP and not terminal.is_closed():
            stopped.hang_up()
            return
        stopped.set()
        if not stopped.awaited:
            raise KeyboardInterrupt

    ignored = _is_under_nohup() and not reloads
    heeded = [number for number in ENDING if not (ignored and number == signal.SIGHUP)]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        take_hang_ups()
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
