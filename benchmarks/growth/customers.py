"""From few customers to many: how fast events are decided, what memory and recovery cost."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.command import Say
from benchmarks.common import ledger
from benchmarks.common.rates import steady_rate
from benchmarks.growth import input as given
from benchmarks.growth.program import Options, Program
from benchmarks.reference import broker

Found = dict[str, float]


def measure(bootstrap: str, kind: str, customers: int, events: int, core: int, say: Say) -> Found:
    """One size: a worker takes over the ledger of so many customers, then decides events of all of them."""
    name = f"customers-{kind}-{customers}"
    source, out, changelog = f"{name}-in", f"{name}-out", f"{name}-ledger"
    broker.create(bootstrap, source, out)
    ledger.create(bootstrap, changelog)
    ledger.fill(bootstrap, changelog, customers)
    given.publish(bootstrap, source, given.states(customers, events))
    with TemporaryDirectory(prefix="yupan-growth-") as text:
        directory = Path(text)
        where = "memory" if kind == "memory" else f"rocksdb://{directory}/ledger"
        options = Options("states", bootstrap, name, source, out, changelog, where, "growth", (core,))
        with Program(options, directory) as program:
            recovered = program.recovered()
            rate = steady_rate(given.watch(bootstrap, name, source, events, program), events)
            most, memory = program.most_memory_mb(), program.memory_mb()
        with Program(options, directory) as program:
            again = program.recovered()
    broker.delete(bootstrap, source, out, changelog)
    if recovered["records"] < customers:
        raise RuntimeError(f"{name}: only {recovered} of {customers} customers were restored")
    found = {
        "customers": customers,
        "events_per_s": rate,
        "memory_mb": memory,
        "most_memory_mb": most,
        "recovery_s": recovered["seconds"],
        "second_start_s": again["seconds"],
    }
    say(f"{kind:8} {customers:9,} customers: " + ", ".join(f"{key} {value:,}" for key, value in found.items()))
    return found
