"""Compares what a run left behind with the answer: both are multisets, so what is lost and doubled are differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

Findings = Mapping[str, Counter[Any]]
"""By room (`anomaly`, `pop`, `ledger`, …): how often each thing is there."""


class Verdict(NamedTuple):
    """The differences by room; empty counters are left out."""

    lost: dict[str, Counter[Any]]
    """What the answer has and the run has not: a record of another value is lost, too."""
    doubled: dict[str, Counter[Any]]
    """What the run has more often than the answer, or at all though the answer has it not."""

    @property
    def losses(self) -> int:
        """How many things are lost."""
        return sum(found.total() for found in self.lost.values())

    @property
    def doubles(self) -> int:
        """How many things are there once too often."""
        return sum(found.total() for found in self.doubled.values())

    def told(self, most: int = 2) -> str:
        """The first differences of each room, for a person."""
        lines = []
        for word, rooms in (("lost", self.lost), ("doubled", self.doubled)):
            for room, found in rooms.items():
                shown = "; ".join(f"{thing!r:.300}" for thing, _ in found.most_common(most))
                lines.append(f"{word} {found.total()} of {room}: {shown}")
        return "\n".join(lines)


def judge(answer: Findings, seen: Findings) -> Verdict:
    """What is lost and what is doubled in each room."""
    rooms = sorted({*answer, *seen})
    none: Counter[Any] = Counter()
    lost = {room: answer.get(room, none) - seen.get(room, none) for room in rooms}
    doubled = {room: seen.get(room, none) - answer.get(room, none) for room in rooms}
    return Verdict({r: c for r, c in lost.items() if c}, {r: c for r, c in doubled.items() if c})
