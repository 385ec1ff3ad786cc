"""Rates from what was counted while something ran."""

from __future__ import annotations

from collections.abc import Sequence

FROM, TO = 0.2, 0.95
"""The steady part: these shares of all that is counted. Start and end lie outside."""
Counted = tuple[float, float]
"""When (seconds), and how many by then."""


def steady_rate(counted: Sequence[Counted], total: float) -> float:
    """How many a second in the steady part. Raises `RuntimeError` when it was looked at too seldom."""
    steady = [one for one in counted if FROM * total <= one[1] <= TO * total]
    if len(steady) < 2:
        raise RuntimeError(f"{total:,.0f} are too few for a rate")
    (since, first), (until, last) = steady[0], steady[-1]
    return round((last - first) / (until - since))
