"""Ending well: SIGINT, SIGTERM and SIGHUP become an event that loops wait on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def until_signalled() -> Iterator[threading.Event]:
    """An event that is set by the first SIGINT, SIGTERM or SIGHUP (the terminal was closed; not under nohup).

    A signal during start-up must end that, too: it raises `KeyboardInterrupt` there, like Ctrl-C always
    does, until the loop that waits on the event has begun.
    """
    stopped = _Stop()

    def stop(number: int, frame: object) -> None:
        stopped.set()
        if not stopped.awaited:
            raise KeyboardInterrupt

    under_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heeded = [number for number in ENDING if not (under_nohup and number == signal.SIGHUP)]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stop(threading.Event):
    """An event that knows whether somebody waits on it."""

    awaited = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, from now on without being interrupted."""
        self.awaited = True
        return super().wait(timeout)
