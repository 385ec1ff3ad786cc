"""How many fetched records may wait for a decision. Counted by two threads, without a lock."""

from __future__ import annotations

from collections.abc import Callable


class Room:
    """`take` is called by the consumer's thread only, `give` by the event loop only: each counts alone."""

    def __init__(self, limit: int, wake: Callable[[], None]) -> None:
        """`wake` is called in the event loop when there is room again."""
        self._limit = limit
        self._wake = wake
        self._taken = 0
        self._given = 0

    @property
    def full(self) -> bool:
        """Whether to fetch no more for now."""
        return self._taken - self._given >= self._limit

    def take(self, records: int) -> None:
        """Records were handed over."""
        self._taken += records

    def give(self, records: int) -> None:
        """Records were decided, or dropped."""
        was_full = self.full
        self._given += records
        if was_full and not self.full:
            self._wake()
