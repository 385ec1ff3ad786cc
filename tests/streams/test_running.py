"""What ends `dev`, `demo` and `simulate` well."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from streams.running import ENDING, until_signalled


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite itself may run under nohup
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_loop_that_waits(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with until_signalled() as stopped:
        assert not stopped.wait(0)
        os.kill(os.getpid(), number)
        assert stopped.wait(10)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_start(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), until_signalled():
        os.kill(os.getpid(), number)


def test_nohup_is_heeded() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with until_signalled() as stopped:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stopped.is_set()
