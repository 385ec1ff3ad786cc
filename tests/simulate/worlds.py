"""What the tests of the simulated traffic share."""

from __future__ import annotations

from typing import Any

from streams.simulate.day import Day
from streams.simulate.stage import Happening
from streams.simulate.traffic import Traffic

START = 1_795_320_000_000  # 2026-11-22, noon in Shanghai
DEADLINE = 5000


def traffic(**changes: Any) -> Traffic:
    """A demo's traffic: short deadlines, hurried people, a flat day at its average."""
    settings: dict[str, Any] = {
        "seed": 7,
        "start": START,
        "rate": 60,
        "customers": 300,
        "drift": 0.2,
        "seconds": 60,
        "deadlines": {"activation": DEADLINE},
        "haste": 5,
    }
    return Traffic(**settings | changes)


def states(events: list[Happening]) -> list[Happening]:
    """The events of `yupan.state.v1` among `events`."""
    return [e for e in events if e.topic == "yupan.state.v1"]


def flat_day() -> Day:
    """A day that stands still at an hour that is about as busy as the average."""
    return Day(START, "Asia/Shanghai", speed_up=0, hour=21.45)
