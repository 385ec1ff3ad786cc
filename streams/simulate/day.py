"""The shape of a day: how much busier or quieter a call centre is at an hour than on the day's average."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

# fmt: off
_HOURS = (
    22, 13, 9, 7, 8, 14, 32, 66, 128, 186, 196, 170,  # midnight to noon: the morning's peak at ten
    122, 132, 168, 180, 172, 152, 130, 136, 142, 120, 78, 42,  # a dip at lunch, a second peak at three, the evening
)
# fmt: on
_MEAN = sum(_HOURS) / 24


def busyness(hour: float) -> float:
    """The factor at `hour` (0 to 24, fractions between two hours); its mean over a day is 1."""
    whole = int(hour) % 24
    share = hour - int(hour)
    return (_HOURS[whole] * (1 - share) + _HOURS[(whole + 1) % 24] * share) / _MEAN


class Day:
    """The simulated time of day: begins at `start` (ms), runs `speed_up` times as fast as the clock.

    `hour` is the time of day at the start; without one it is that of `start` in `timezone`.
    """

    def __init__(self, start: int, timezone: str, speed_up: float = 1.0, hour: float | None = None) -> None:
        local = datetime.fromtimestamp(start / 1000, ZoneInfo(timezone))
        self._start = start
        self._hour = local.hour + local.minute / 60 + local.second / 3600 if hour is None else hour
        self._speed_up = speed_up

    def hour(self, at: int) -> float:
        """The simulated hour of the day, 0 ≤ hour < 24, at `at` (ms)."""
        return (self._hour + (at - self._start) / 3_600_000 * self._speed_up) % 24

    def busyness(self, at: int) -> float:
        """The factor on the average rate at `at` (ms)."""
        return busyness(self.hour(at))
