"""The section on hand-overs: how long partitions pause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.report.markdown import table

TITLE = "Hand-over: how long a partition pauses"

SCENES = {
    "nothing": ("nothing happens", ""),
    "join": ("a worker joins", "join"),
    "leave": ("a worker leaves (SIGTERM)", "leave"),
    "join_again": ("a worker joins again", "join"),
    "die": ("a worker is killed (-9)", "die"),
    "restart": ("a named worker starts again (SIGTERM)", "restart"),
    "killed_and_restarted": ("a named worker is killed and starts again", "restart"),
}
"""In the order shown: what happens, and whose goal holds for the partitions that move."""
PROTOCOLS = {"classic": "classic (the default)", "consumer": "KIP-848"}

TEXT = """\
Two workers with all agents and topics of `decide` share 12 partitions under {rate:,} events a second. The pause of a
partition is the longest delay of one of its events, from the broker's append to the moment at which a read_committed
reader has its output, less the median delay while nothing happens. All workers share one core, the broker has
another; sessions time out after {session:g} s. The figure is the longest pause of all partitions and rounds, in
seconds; every output was there once and in order.

{scenes}

A named worker (`YUPAN_INSTANCE`) is a static member: its partitions wait for it, and its pause is the time that a
Python process needs to end and to start. With the classic protocol a rebalance takes all partitions away for a
moment. With KIP-848 (`YUPAN_GROUP_PROTOCOL=consumer`) it takes only those that move, but members hear of it with
their next heartbeat, whose interval the broker sets (here 0.5 s)."""


def text(found: Mapping[str, Any]) -> str:
    """The table of scenes."""
    head = ("what happens", "protocol", "partitions that move", "goal", "those that stay", "goal", "met")
    rows = (row for protocol, scenes in found["pauses_s"].items() for row in _rows(protocol, scenes, found["goals_s"]))
    return TEXT.format(rate=found["events_per_s"], session=found["session_s"], scenes=table(head, rows))


def _rows(protocol: str, scenes: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, ...]]:
    for name, (what, goal) in SCENES.items():
        if name in scenes:
            longest = {kind: each["longest"] for kind, each in scenes[name].items()}
            wanted = {"moved": goals.get(goal), "stayed": goals["stayed"]}
            met = all(limit is None or longest.get(kind, 0) <= limit for kind, limit in wanted.items())
            cells = (cell for kind in wanted for cell in (_seconds(longest.get(kind)), _limit(wanted[kind])))
            yield what, PROTOCOLS[protocol], *cells, "yes" if met else "**no**"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _limit(value: float | None) -> str:
    return "" if value is None else f"≤ {value:g}"


def charts(found: Mapping[str, Any]) -> dict[str, str]:
    """None: the table says it."""
    return {}
