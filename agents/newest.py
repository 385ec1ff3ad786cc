"""Fields of a thing that is told in parts: the newest of each by `occurred_at` wins, null says nothing.

{name: [value, occurred_at], ...}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fields = dict[str, list[Any]]


def merged(fields: Fields, told: Mapping[str, Any], at: int) -> Fields:
    """`fields` with what was `told` at `at` (ms); of two at the same time the later arrival wins."""
    newer = dict(fields)
    for name, value in told.items():
        if value is not None and (name not in newer or newer[name][1] <= at):
            newer[name] = [value, at]
    return newer


def values(fields: Fields) -> dict[str, Any]:
    """The values alone."""
    return {name: pair[0] for name, pair in fields.items()}


def bounded(items: Mapping[str, dict[str, Any]], keep: int) -> dict[str, dict[str, Any]]:
    """`items` without the surplus over `keep`: what is over goes first, then what moved longest ago."""
    if len(items) <= keep:
        return dict(items)
    ranked = sorted(items.items(), key=lambda item: (not item[1]["over"], item[1]["last"], item[0]), reverse=True)
    return dict(ranked[:keep])
