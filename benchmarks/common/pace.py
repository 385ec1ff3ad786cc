"""How fast this machine is beside the one that the numbers of events were fit to.

Each run is to have its seconds of steady state, and all of them together their half hour, on a slow machine, too.
"""

from __future__ import annotations

import time
from functools import cache

from benchmarks.reference.work import decoder, records

EVENTS = 20_000
TRIES = 9
FIT_US = 4.0
"""What decoding one event of the reference work took there."""
LEAST, MOST = 0.25, 1.5


@cache
def pace() -> float:
    """1.0: as fast as there; 0.5: half as fast, so half of the events make a run as long. Takes about a second."""
    decode, framed = decoder(), [value for _, value in records(EVENTS)]
    best = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        for value in framed:
            decode(value)
        best = min(best, time.process_time() - began)
    return min(max(FIT_US * EVENTS / 1e6 / best, LEAST), MOST)


def paced(events: int) -> int:
    """So many of `events`, in ten thousands, as take as long here as these did there."""
    return max(round(events * pace() / 10_000) * 10_000, 10_000)
