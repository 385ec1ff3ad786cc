"""What a hand-over costs, from what the reader saw. Pure.

The pause of a partition is the longest delay of one of its events, from the broker's append of the event to the moment
at which a read_committed reader had its output, less the median delay of the same run while nothing happened.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.handover.load import Seen


class Pauses(NamedTuple):
    """Longest pauses, in seconds; None where there was no such partition."""

    moved: float | None
    """Of partitions that another process decides afterwards."""
    stayed: float | None
    moved_partitions: int


class WrongResultError(Exception):
    """Something was lost or doubled: its speed is worth nothing."""


def steady(seen: Iterable[Seen]) -> float:
    """The median delay, ms."""
    return statistics.median(one.delay for one in seen)


def owners(seen: Iterable[Seen]) -> dict[int, int]:
    """By partition: who decided its last event."""
    return {one.partition: one.worker for one in seen}


def pauses(before: Sequence[Seen], during: Sequence[Seen]) -> Pauses:
    """`before`: outputs of the steady seconds before it happened; `during`: of events appended since."""
    usual, old, new = steady(before), owners(before), owners(during)
    longest = dict.fromkeys(new, 0.0)
    for one in during:
        longest[one.partition] = max(longest[one.partition], (one.delay - usual) / 1000)
    moved = [partition for partition in new if new[partition] != old[partition]]
    stayed = [partition for partition in new if new[partition] == old[partition]]
    return Pauses(_longest(longest, moved), _longest(longest, stayed), len(moved))


def _longest(found: dict[int, float], partitions: Iterable[int]) -> float | None:
    chosen = [found[partition] for partition in partitions]
    return round(max(chosen), 3) if chosen else None


def check(sent: Sequence[int], seen: Iterable[Seen]) -> None:
    """Every event's output once, in order. Raises `WrongResultError`."""
    told: list[list[int]] = [[] for _ in sent]
    for one in seen:
        told[one.partition].append(one.sequence)
    for partition, (events, sequences) in enumerate(zip(sent, told, strict=True)):
        if sequences != list(range(events)):
            lost, doubled = events - len(set(sequences)), len(sequences) - len(set(sequences))
            raise WrongResultError(f"partition {partition}: of {events} outputs {lost=} {doubled=}, or out of order")
