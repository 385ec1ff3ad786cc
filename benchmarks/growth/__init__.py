"""What growth costs: customers, workers, armed deadlines."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.command import Say
from benchmarks.common.place import Place
from benchmarks.growth import customers, deadlines, workers

Sizes = Mapping[str, tuple[int, ...]]
QUICK: Sizes = {"memory": (), "rocksdb": (10_000,), "workers": (), "deadlines": ()}
MIDDLE: Sizes = {
    "memory": (10_000, 300_000),
    "rocksdb": (10_000, 1_000_000),
    "workers": (1, 2),
    "deadlines": (10_000, 100_000),
}
FULL: Sizes = {
    "memory": (10_000, 100_000, 1_000_000),
    "rocksdb": (10_000, 100_000, 1_000_000, 5_000_000),
    "workers": (1, 2),
    "deadlines": (10_000, 100_000, 1_000_000),
}
GOALS = {"rocksdb_memory_mb": 2_048}


def measure(quick: bool, place: Place, say: Say) -> dict[str, object]:
    """Some sizes; quick: the smallest, in RocksDB alone."""
    return grow(QUICK if quick else MIDDLE, 150_000 if quick else 400_000, place, say)


def full(quick: bool, place: Place, say: Say) -> dict[str, object]:
    """All sizes, up to 5,000,000 customers; there is no quick way."""
    return grow(FULL, 600_000, place, say)


def grow(sizes: Sizes, events: int, place: Place, say: Say) -> dict[str, object]:
    """All measurements of these sizes."""
    at, core = place.bootstrap, place.program_core
    found: dict[str, object] = {
        kind: [customers.measure(at, kind, size, events, core, say) for size in sizes[kind]]
        for kind in ("memory", "rocksdb")
    }
    both = place.broker_core, core
    found["workers"] = [workers.measure(at, count, 2 * events, both, say) for count in sizes["workers"]]
    found["deadlines"] = [deadlines.measure(at, size, core, say) for size in sizes["deadlines"]]
    return {"events": events, "goals": GOALS, **found}
