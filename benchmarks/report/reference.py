"""The section on the reference work: all systems beside each other, and the goals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.charts import Bar, bars
from benchmarks.report.markdown import table

TITLE = "The reference work"

SYSTEMS = {
    "yupan": ("Yupan", "exactly once", "memory"),
    "yupan_rocksdb": ("Yupan, RocksDB", "exactly once", "RocksDB"),
    "plain": ("plain loop", "at least once", "memory"),
    "plain_coalesced": ("plain loop, coalesced", "at least once", "memory"),
    "kafka_streams": ("Kafka Streams", "at least once", "RocksDB"),
    "kafka_streams_eos": ("Kafka Streams, EOS", "exactly once", "RocksDB"),
    "quix": ("Quix Streams", "at least once", "RocksDB"),
    "faust": ("stock Faust", "at least once", "memory"),
}
"""Name, guarantee and where the state is, in the order shown."""

GOALS = {
    "plain": ("Yupan ÷ plain loop", 1.1),
    "rocksdb_plain": ("Yupan, RocksDB ÷ plain loop", 1.0),
    "kafka_streams_eos": ("Yupan, RocksDB ÷ Kafka Streams, EOS", 2.0),
    "rocksdb_quix": ("Yupan, RocksDB ÷ Quix Streams", 4.0),
    "rocksdb_faust": ("Yupan, RocksDB ÷ stock Faust", 40.0),
}

TEXT = """\
State events of 20,000 customers are decoded from Avro, update one record each, and every tenth is told; changelog
and outputs are acknowledged by all replicas, everything is committed every 50 ms. The program has one core, the
broker another. Each figure is {rounds}; each run's result was compared with the known answer.

![Events a second on one core](performance/reference.svg)

{systems}

The µs are CPU time of a whole run with its start, divided by its events. A thin line in the chart is the range of
the rounds.

{goals}{steps}"""

STEPS = """

Where the time goes, CPU µs an event. The first three were measured alone, on the same core (`reference/steps.py`):
they are what the plain loop and Yupan do alike. The rest is a system's own: writing, acknowledging and committing;
ours besides keeps partitions apart, isolates each event, and runs transactions.

{rows}

So {shared:.1f} µs are common to both, {decoding:.1f} of them Avro's decoding by `fastavro`. To be 1.1 times as fast as
the plain loop, Yupan would have to do all of its own in {left:.1f} µs."""


OWN = ("plain", "yupan", "yupan_rocksdb")
"""Whose time is split."""
HEAD = ("system", "guarantee", "state", "events/s", "program, µs an event", "broker, µs an event", "steady state")


def text(found: Mapping[str, Any]) -> str:
    """Both tables and what they mean."""
    count = max(len(runs["events_per_s"]) for runs in found["runs"].values())
    rounds = "that of one round" if count == 1 else f"the median of {count} interleaved rounds"
    systems = (_system(name, found) for name in SYSTEMS if name in found["reference_work"])
    goals = (_goal(name, found["ratios"][name]) for name in GOALS if name in found["ratios"])
    return TEXT.format(
        rounds=rounds,
        systems=table(HEAD, systems),
        goals=table(("goal", "wanted", "found", "met"), goals),
        steps=_steps(found["steps_us"], found["runs"]),
    )


def _steps(steps: Mapping[str, float], runs: Mapping[str, Any]) -> str:
    shared = sum(steps.values())
    rows = [(name, *[f"{us:.1f}"] * len(OWN)) for name, us in steps.items()]
    rows.append(("its own", *(f"{runs[system]['program_us'] - shared:.1f}" for system in OWN)))
    rows.append(("together", *(f"{runs[system]['program_us']:.1f}" for system in OWN)))
    left = max(runs["plain"]["program_us"] / GOALS["plain"][1] - shared, 0.0)
    head = ("step", *(SYSTEMS[system][0] for system in OWN))
    return STEPS.format(rows=table(head, rows), shared=shared, decoding=steps["decoding"], left=left)


def _system(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    runs = found["runs"][name]
    costs = f"{runs['program_us']:.1f}", f"{runs['broker_us']:.1f}"
    return *SYSTEMS[name], f"{found['reference_work'][name]:,}", *costs, f"{runs['steady_s']:.1f} s"


def _goal(name: str, ratio: float) -> tuple[str, ...]:
    what, wanted = GOALS[name]
    return what, f"≥ {wanted:g}", f"{ratio:.2f}", "yes" if ratio >= wanted else "**no**"


def charts(found: Mapping[str, Any]) -> dict[str, str]:
    """Bars of events a second."""
    work, runs = found["reference_work"], found["runs"]
    drawn = [
        Bar(
            label,
            work[name],
            f"{work[name]:,}",
            name.startswith("yupan"),
            min(runs[name]["events_per_s"]),
            max(runs[name]["events_per_s"]),
        )
        for name, (label, _, _) in SYSTEMS.items()
        if name in work
    ]
    return {"reference.svg": bars("Events a second on one core", drawn)}
