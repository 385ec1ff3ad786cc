"""The clocks that the engine can be given."""

from __future__ import annotations

import time


class SystemClock:
    """The wall clock of this machine."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch (UTC)."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved, for tests and replays."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now = now_ms

    def now_ms(self) -> int:
        """Milliseconds since the epoch (UTC), as set."""
        return self._now

    def set(self, now_ms: int) -> None:
        """Move the clock to `now_ms`, forwards or back."""
        self._now = now_ms

    def advance(self, ms: int) -> None:
        """Move the clock on by `ms` milliseconds."""
        self._now += ms
