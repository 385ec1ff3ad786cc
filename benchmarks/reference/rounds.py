"""All systems in interleaved rounds: the medians, and ours divided by the others'."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.command import Say
from benchmarks.reference.bench import Bench, Run, cores
from benchmarks.reference.program import EVENTS, make_ready
from schemas.errors import PartError
from streams.parts.kafka import Kafka

ROUNDS, QUICK_ROUNDS = 5, 1
STEADY_S = 5.0
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


def run(systems: Sequence[str], rounds: int, say: Say, scale: float = 1.0) -> dict[str, list[Run]]:
    """All rounds of these systems. `scale`: more or fewer events than fit the systems."""
    systems = [system for system in systems if _is_ready(system, say)]
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("two cores are needed: one for the broker, one for the program")
    kafka = Kafka()
    with cores(usable[0]):
        kafka.start()
    runs: dict[str, list[Run]] = {system: [] for system in systems}
    try:
        bench = Bench(kafka, usable[0], usable[1], say)
        bench.warm_up("yupan", int(EVENTS["yupan"] * scale))
        for number in range(1, rounds + 1):
            for system in systems:
                found = bench.measure(system, number, int(EVENTS[system] * scale))
                runs[system].append(found)
                _tell(number, system, found, say)
    finally:
        kafka.stop()
    return runs


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


def summary(runs: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Medians, ours divided by the others', and what the medians are of."""
    medians = {system: statistics.median(one.events_per_s for one in found) for system, found in runs.items()}
    ratios = {
        name: round(medians[ours] / medians[other], 3)
        for name, (ours, other) in RATIOS.items()
        if ours in medians and other in medians
    }
    return {
        "reference_work": {system: round(rate) for system, rate in medians.items()},
        "ratios": ratios,
        "runs": {system: _runs(found) for system, found in runs.items()},
    }


def _runs(found: Sequence[Run]) -> dict[str, Any]:
    return {
        "events_per_s": [round(one.events_per_s) for one in found],
        "steady_s": round(min(one.steady_s for one in found), 1),
        "program_us": round(statistics.median(one.program_us for one in found), 1),
        "broker_us": round(statistics.median(one.broker_us for one in found), 1),
    }
