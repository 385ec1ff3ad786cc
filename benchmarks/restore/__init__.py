"""How long 1,000,000 ledger records take to be restored: from the changelog, from a valid local store."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.command import Say
from benchmarks.common import ledger
from benchmarks.common.place import Place
from benchmarks.restore.moving import moved
from benchmarks.restore.program import Options, restored
from benchmarks.slice.site import Site

CHANGELOG = "restore-ledger"
GOALS = {"memory": 5.0, "rocksdb": 5.0, "local": 0.5}


def measure(quick: bool, place: Place, say: Say) -> dict[str, object]:
    """Each way of restoring, in rounds, then the hand-over; quick: fewer records, one round, no hand-over."""
    count, rounds = (100_000, 1) if quick else (1_000_000, 3)
    at, core = place.bootstrap, place.program_core
    ledger.create(at, CHANGELOG)
    say(f"writing {count:,} records")
    size = ledger.fill(at, CHANGELOG, count)
    found = _rounds(at, count, rounds, core, say)
    moves = {}
    if not quick:
        Site(place).fresh()
        moves = {kind: moved(at, kind, count, place.broker_core, core, say) for kind in ("memory", "rocksdb")}
    figures = {name: _summary(each) for name, each in found.items()}
    return {"records": count, "bytes_a_record": size, "goals_s": GOALS, **figures, "moves": moves}


def _rounds(bootstrap: str, count: int, rounds: int, core: int, say: Say) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in GOALS}
    with TemporaryDirectory(prefix="yupan-restore-") as directory:
        for number in range(1, rounds + 1):
            disk = f"rocksdb://{Path(directory) / str(number)}"
            for name, where in (("memory", "memory"), ("rocksdb", disk), ("local", disk)):
                one = restored(Options(bootstrap, CHANGELOG, where, core))
                if one["held"] != count or one["restored"] != (0 if name == "local" else count):
                    raise RuntimeError(f"{name}: of {count} records {one}")
                found[name].append(one)
                say(f"round {number}: {name:8} {one['seconds']:.2f} s, CPU {one['cpu_s']:.2f} s, {one['memory_mb']} MB")
    return found


def _summary(each: list[dict[str, Any]]) -> dict[str, Any]:
    medians = {key: statistics.median(one[key] for one in each) for key in ("seconds", "cpu_s", "memory_mb")}
    return {**medians, "rounds": [one["seconds"] for one in each]}
