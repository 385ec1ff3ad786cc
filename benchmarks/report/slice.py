"""The section on the whole slice: its rate, its share of the reference work, its mix of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.charts import Bar, bars
from benchmarks.report.markdown import table
from schemas.catalogue import EVENTS

TITLE = "The whole slice"
SHARE, RATE = 0.3, 25_000

TEXT = """\
A real `yupan worker --role decide` catches up a day of a province, written beforehand: all shipped checks and watch
lists, segments, tags, pops, reminders, with the ledger of the day before. Anomalies, reminders, tagged phases and pops
were compared with the known answer. Each figure is the median of {rounds} round(s); the reference work ran in the
same rounds.

![Events a second on one core](performance/slice.svg)

{rates}

{goals}

The events, by topic: {mix}."""


def text(found: Mapping[str, Any]) -> str:
    """Rates, goals, mix."""
    own = found["slice"]
    rates = [(name, f"{own[key]:,}", f"{own[cost]:.1f}") for name, key, cost in _ROWS if key in own]
    goals = [
        ("slice ÷ reference work", f"≥ {SHARE}", f"{own['reference_ratio']:.2f}", _met(own["reference_ratio"], SHARE)),
        ("slice, events/s", f"≥ {RATE:,}", f"{own['events_per_s']:,}", _met(own["events_per_s"], RATE)),
    ]
    mix = ", ".join(f"{EVENTS[topic].name} {part:.1%}" for topic, part in own["mix"].items())
    return TEXT.format(
        rounds=own["rounds"],
        rates=table(("work", "events/s", "CPU, µs an event"), rates),
        goals=table(("goal", "wanted", "found", "met"), goals),
        mix=mix,
    )


def charts(found: Mapping[str, Any]) -> dict[str, str]:
    """Bars of events a second."""
    own = found["slice"]
    drawn = [Bar(name, own[key], f"{own[key]:,}", ours="slice" in name) for name, key, _ in _ROWS if key in own]
    return {"slice.svg": bars("Events a second on one core", drawn)}


_ROWS = (
    ("whole slice", "events_per_s", "cpu_us_per_event"),
    ("whole slice, RocksDB", "rocksdb_events_per_s", "rocksdb_cpu_us_per_event"),
    ("reference work", "reference_events_per_s", "reference_cpu_us_per_event"),
)


def _met(found: float, wanted: float) -> str:
    return "yes" if found >= wanted else "**no**"
