"""The section on restoring a large ledger, and on moving it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.report.markdown import table

TITLE = "Restoring the ledger"

WAYS = {
    "memory": "from the changelog into memory",
    "rocksdb": "from the changelog into RocksDB",
    "local": "from a valid local RocksDB",
}
LEDGERS = {"memory": "memory", "rocksdb": "RocksDB"}

TEXT = """\
{records:,} records of {size} bytes in 12 partitions, restored by one worker on one core as the engine does it; medians
of {rounds} rounds.

{ways}
{moves}"""
MOVES = """
The same ledger moves under load (see the hand-over): a second worker joins and takes half of it, then leaves. With
RocksDB the first worker still has on its disk what it gave away. Longest pauses, in seconds:

{moves}"""


def text(found: Mapping[str, Any]) -> str:
    """Both tables."""
    head = ("restored", "seconds", "goal", "CPU seconds", "memory, MB", "met")
    ways = (_way(name, found[name], found["goals_s"][name]) for name in WAYS)
    moves = ""
    if found["moves"]:
        columns = ("ledger", "what happens", "partitions that move", "those that stay")
        moves = MOVES.format(moves=table(columns, _moves(found["moves"])))
    rounds = len(found["memory"]["rounds"])
    size = found["bytes_a_record"]
    return TEXT.format(records=found["records"], size=size, rounds=rounds, ways=table(head, ways), moves=moves)


def _way(name: str, one: Mapping[str, Any], goal: float) -> tuple[str, ...]:
    met = "yes" if one["seconds"] <= goal else "**no**"
    memory = f"{one['memory_mb']:,.0f}"
    return WAYS[name], f"{one['seconds']:.2f}", f"≤ {goal:g}", f"{one['cpu_s']:.2f}", memory, met


def _moves(moves: Mapping[str, Mapping[str, float | None]]) -> Iterator[tuple[str, ...]]:
    for ledger, found in moves.items():
        for scene, what in (("join", "a worker joins"), ("leave", "it leaves")):
            pauses = (found[f"{scene}_moved_s"], found[f"{scene}_stayed_s"])
            yield LEDGERS[ledger], what, *("–" if pause is None else f"{pause:.2f}" for pause in pauses)


def charts(found: Mapping[str, Any]) -> dict[str, str]:
    """None: the tables say it."""
    return {}
