from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

from streams.simulate.drive import drive
from streams.simulate.stage import Happening
from tests.simulate.worlds import START, traffic


class Watch(threading.Event):
    """A clock that moves only when somebody waits; it can stop the drive at a time."""

    def __init__(self, stop_at: float = float("inf"), begin: int = START) -> None:
        super().__init__()
        self.now = float(begin)
        self.stop_at = stop_at

    def wait(self, timeout: float | None = None) -> bool:
        self.now += (timeout or 0) * 1000
        if self.now >= self.stop_at:
            self.set()
        return self.is_set()

    def clock(self) -> int:
        return round(self.now)


def driven(watch: Watch, **changes: Any) -> tuple[list[tuple[int, Happening]], int, list[int]]:
    """(when each event went out and what it was, the count, the ticks)."""
    out: list[tuple[int, Happening]] = []
    ticks: list[int] = []
    count = drive(
        traffic(**changes), lambda e: out.append((watch.clock(), e)), watch, clock=watch.clock, tick=ticks.append
    )
    return out, count, ticks


def test_each_event_goes_out_at_its_time_and_the_end_is_waited_for() -> None:
    watch = Watch()
    out, count, ticks = driven(watch, seconds=10)
    assert [e for _, e in out] == list(traffic(seconds=10))
    assert count == len(out)
    assert max(abs(at - e.occurred_at) for at, e in out) <= 1
    assert watch.now >= START + 10_000
    assert max(b - a for a, b in pairwise(ticks)) <= 210


def test_what_lies_in_the_past_goes_out_at_once() -> None:
    watch = Watch(begin=START + 60_000)
    out, _, _ = driven(watch, seconds=60)
    assert [e for _, e in out] == list(traffic(seconds=60))
    assert watch.now == START + 60_000


def test_stopped_it_sends_what_is_on_its_way_and_ends() -> None:
    stop = START + 20_000
    out, count, _ = driven(Watch(stop_at=stop), seconds=None, rate=300)
    before = [e for at, e in out if at < stop]
    rest = out[len(before) :]
    assert count == len(out)
    assert rest
    assert {e.topic for _, e in rest} == {"yupan.state.v1"}
    assert all(e.occurred_at <= at for at, e in rest)
