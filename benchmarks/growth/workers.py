"""From one worker to two, on one machine: the broker has a core, the workers have both."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.command import Say
from benchmarks.common import ledger
from benchmarks.common.rates import steady_rate
from benchmarks.growth import input as given
from benchmarks.growth.program import Options, Program
from benchmarks.reference import broker

CUSTOMERS = 20_000
Found = dict[str, float]


def measure(bootstrap: str, workers: int, events: int, cores: tuple[int, ...], say: Say) -> Found:
    """So many workers of one group work off a backlog."""
    name = f"workers-{workers}"
    source, out, changelog = f"{name}-in", f"{name}-out", f"{name}-ledger"
    broker.create(bootstrap, source, out)
    ledger.create(bootstrap, changelog)
    given.publish(bootstrap, source, given.states(CUSTOMERS, events))
    with ExitStack() as stack:
        programs = [
            Program(Options("states", bootstrap, name, source, out, changelog, "memory", f"w{number}", cores))
            for number in range(workers)
        ]
        for program in programs:
            stack.callback(program.stop)
            program.launch()
        rate = steady_rate(given.watch(bootstrap, name, source, events, *programs), events)
    broker.delete(bootstrap, source, out, changelog)
    say(f"{workers} workers: {rate:,.0f} events/s")
    return {"workers": workers, "events_per_s": rate}
