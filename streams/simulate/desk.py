"""The seats of the hotline, taken in turn."""

from __future__ import annotations

import heapq


class Desk:
    """The seats of the call centre; each is free from some time (ms) on."""

    def __init__(self, seats: int) -> None:
        self._free = [(0.0, seat) for seat in range(seats)]

    def first_free(self) -> float:
        """When the next seat is free (ms)."""
        return self._free[0][0]

    def take(self, until: float) -> tuple[str, str]:
        """(seat, staff) of the seat that is free first, taken until `until` (ms)."""
        _, seat = heapq.heappop(self._free)
        heapq.heappush(self._free, (until, seat))
        return seat_name(seat), staff_name(seat)

    def __len__(self) -> int:
        return len(self._free)


def seat_name(seat: int) -> str:
    """The seat's name at the desk."""
    return f"S{seat + 1:04d}"


def staff_name(seat: int) -> str:
    """Who sits there."""
    return f"GZ{1001 + seat * 7}"
