"""Restores the ledger of all partitions in a process of its own, as the engine does when they are assigned.

Options as one JSON argument; the last line of its output is one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.reference.work import PARTITIONS
from streams.engine.clock import SystemClock
from streams.engine.config import EngineConfig
from streams.engine.deadlines import PREFIX
from streams.engine.engine import RESTORERS
from streams.engine.restore import Restorer
from streams.engine.shelf import Shelf
from streams.engine.store import Store

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 300.0
OWN = "\0"
"""How keys begin that a store keeps for itself."""


class Options(NamedTuple):
    """What to restore, into what (`ledger` as in `EngineConfig`), on which core."""

    bootstrap: str
    changelog: str
    ledger: str
    core: int


def restored(options: Options) -> dict[str, Any]:
    """Run this program. Raises `RuntimeError` with what it wrote when it fails."""
    command = [sys.executable, "-m", "benchmarks.restore.program", json.dumps(options)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    if done.returncode:
        raise RuntimeError(done.stderr[-3_000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(options: Options) -> dict[str, Any]:
    """Restore all partitions; `restored` counts what was read from the changelog, `held` what is there then."""
    config = EngineConfig(
        bootstrap=options.bootstrap,
        group="restore",
        topics=("none",),
        changelog=options.changelog,
        ledger=options.ledger,
        instance="worker",
    )
    clock = SystemClock()
    restorer, shelf = Restorer(config, clock), Shelf(config, clock)
    with ThreadPoolExecutor(RESTORERS) as executor:
        for warm in [executor.submit(restorer.warm_up) for _ in range(RESTORERS)]:
            warm.result()
        before, cpu, started = memory(), time.process_time(), time.monotonic()

        def bring_up(number: int) -> tuple[Store, int]:
            store = shelf.open(number)
            records, _ = restorer.restore(number, store)
            list(store.scan(PREFIX))  # the armed deadlines
            return store, records

        stores = list(executor.map(bring_up, range(PARTITIONS)))
        seconds, used, after = time.monotonic() - started, time.process_time() - cpu, memory()
    held = sum(not key.startswith(OWN) for store, _ in stores for key, _ in store.scan(""))
    for store, _ in stores:
        position = store.position()
        if position is not None:
            store.restored(position.offset - 1)  # as a worker leaves it: before the marker of its last commit
        store.close()
    return {
        "seconds": round(seconds, 3),
        "cpu_s": round(used, 3),
        "restored": sum(records for _, records in stores),
        "held": held,
        "memory_mb": round((after - before) / 2**20),
    }


def memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    given = Options(*json.loads(sys.argv[1]))
    os.sched_setaffinity(0, {given.core})
    print(json.dumps(run(given)))
