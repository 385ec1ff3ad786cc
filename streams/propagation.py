"""Learned propagation (#48): how long systems take to agree, from the history, and what deadline that suggests."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from agents.replay import Replay
from agents.rules import Check, Checks
from agents.shadow import ON
from agents.verdicts import AreaRule
from schemas.errors import UsageError
from sinks import queries
from sinks.clickhouse import ClickHouse
from streams.explaining import STATE, events_of, feed_as_it_came
from streams.settings import Settings

MOST_ROWS = 200_000
"""States that are looked at, the newest."""
FEW = 20
"""Of fewer times nothing is suggested."""
ROOM = 1.5
"""The suggested deadline, in p99s."""


class _Times:
    """Takes what an agent observes."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Nothing is counted here."""

    def set(self, name: str, value: float, **labels: str) -> None:
        """Nothing is shown here."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """A system has come to agree."""
        if name == "yupan_propagation_seconds":
            self.seconds[labels["system"]].append(value)


def learned(db: ClickHouse, settings: Settings, check: Check) -> dict[str, dict[str, Any]]:
    """Of each system: how often it came to agree, and too late; p50, p95, p99 in seconds; a deadline if it tells one.

    The deadline is as a file says it (`90 s`). Whatever the check's mode, it is asked what it would wait for.
    Raises `UsageError` for a check that waits for no system, `PartError`.
    """
    rule = check.rule
    if isinstance(rule, AreaRule) or not rule.propagates:
        raise UsageError(f"--learned: {check.id} is of kind {check.kind}; only agree and follow wait for other systems")
    times = _Times()
    replay = Replay(Checks([replace(check, mode=ON)]), settings.country_code, settings.timezone, told=(), counts=times)
    arrived = events_of(STATE, queries.told_of(db, rule.watches, MOST_ROWS))
    feed_as_it_came(replay, arrived, None)
    return {system: _shares(sorted(found), rule.within / 1000) for system, found in sorted(times.seconds.items())}


def _shares(seconds: Sequence[float], within_s: float) -> dict[str, Any]:
    """What took longer than the deadline was an anomaly: how long a fault lasts says nothing of how long to wait."""
    in_time = seconds[: bisect_right(seconds, within_s)]
    found: dict[str, Any] = {"times": len(seconds), "late": len(seconds) - len(in_time)}
    found |= {f"p{share}_s": round(quantile(seconds, share / 100), 3) for share in (50, 95, 99)}
    return {**found, "suggested": suggested(quantile(in_time, 0.99)) if len(in_time) >= FEW else None}


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share does not exceed."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def suggested(p99_s: float) -> str:
    """A deadline with room above the slowest of a hundred, as a check's file says it."""
    seconds = max(1, ceil(p99_s * ROOM))
    return f"{seconds} s" if seconds < 120 else f"{ceil(seconds / 60)} min"
