"""All systems in interleaved rounds: the medians, and ours divided by the others'."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.command import Say
from benchmarks.common.place import Place
from benchmarks.reference.bench import Bench, Run
from benchmarks.reference.program import make_ready
from schemas.errors import PartError

ROUNDS = 5
STEADY_S = 5.0
STEPS_EVENTS = 300_000
RATIOS = {
    "plain": ("yupan", "plain"),
    "plain_coalesced": ("yupan", "plain_coalesced"),
    "faust": ("yupan", "faust"),
    "quix": ("yupan", "quix"),
    "kafka_streams": ("yupan_rocksdb", "kafka_streams"),
    "kafka_streams_eos": ("yupan_rocksdb", "kafka_streams_eos"),
    "rocksdb_plain": ("yupan_rocksdb", "plain"),
    "rocksdb_faust": ("yupan_rocksdb", "faust"),
    "rocksdb_quix": ("yupan_rocksdb", "quix"),
}
"""Whose figure is divided by whose."""


class Found(NamedTuple):
    """What was measured."""

    runs: dict[str, list[Run]]
    """By system."""
    steps_us: dict[str, float]
    """What every system does to an event (`steps`)."""


def run(place: Place, events: Mapping[str, int], rounds: int, say: Say) -> Found:
    """All rounds of systems, each with so many events."""
    events = {system: count for system, count in events.items() if _is_ready(system, say)}
    runs: dict[str, list[Run]] = {system: [] for system in events}
    bench, first = Bench(place, say), next(iter(events))
    bench.write(*events.values())
    bench.warm_up(first, events[first])
    for number in range(1, rounds + 1):
        for system, count in events.items():
            found = bench.measure(system, number, count)
            runs[system].append(found)
            _tell(number, system, found, say)
    common = bench.steps(max(events.values()), STEPS_EVENTS)
    say(f"of this, µs an event: {common}")
    return Found(runs, common)


def _is_ready(system: str, say: Say) -> bool:
    try:
        make_ready(system)
    except PartError as error:
        say(f"without {system}: {error}")
        return False
    return True


def _tell(number: int, system: str, found: Run, say: Say) -> None:
    short = "" if found.steady_s >= STEADY_S else f", less than {STEADY_S:.0f} s: give it more events"
    say(
        f"round {number}: {system:18} {found.events_per_s:9,.0f} events/s over {found.steady_s:.1f} s; "
        f"{found.program_us:.1f} µs an event, the broker {found.broker_us:.1f}{short}"
    )


def summary(found: Found) -> dict[str, Any]:
    """Medians, ours divided by the others', and what the medians are of."""
    runs = found.runs
    medians = {system: statistics.median(one.events_per_s for one in own) for system, own in runs.items()}
    ratios = {
        name: round(medians[ours] / medians[other], 3)
        for name, (ours, other) in RATIOS.items()
        if ours in medians and other in medians
    }
    return {
        "reference_work": {system: round(rate) for system, rate in medians.items()},
        "ratios": ratios,
        "runs": {system: _runs(own) for system, own in runs.items()},
        "steps_us": found.steps_us,
    }


def _runs(found: Sequence[Run]) -> dict[str, Any]:
    return {
        "events_per_s": [round(one.events_per_s) for one in found],
        "steady_s": round(min(one.steady_s for one in found), 1),
        "program_us": round(statistics.median(one.program_us for one in found), 1),
        "broker_us": round(statistics.median(one.broker_us for one in found), 1),
    }
