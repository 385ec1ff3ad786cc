"""The section on growth: customers, workers, armed deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.charts import Axis, lines
from benchmarks.report.markdown import table

TITLE = "Growth"

LEDGERS = {"memory": "memory", "rocksdb": "RocksDB"}
TEXT = """\
**Customers.** A worker takes over the ledger of so many customers (a record of 300 bytes each), then decides state
events of all of them, equally likely, each of which rewrites one record. One core; memory is what the process has
resident after it, and at most. A second start finds RocksDB on its disk.

![Events a second by customers](performance/growth-customers.svg)

{customers}

{goal}

**Workers.** The same with 20,000 customers and one or two workers on this machine. The broker keeps one core, the
workers share both: two workers need two cores of their own to double the rate.

{workers}

**Deadlines.** Each customer arms one. *Late* is from the due time to the broker's append of what fired, for 500
deadlines that fall due evenly over 5 s while all the others are armed; topics get an event a partition every 50 ms
meanwhile. Then all others fall due at one moment.

{deadlines}"""


GOAL_CUSTOMERS = 5_000_000
CUSTOMERS = ("ledger", "customers", "events/s", "memory, MB", "at most", "recovery, s", "second start, s")
WORKERS = ("workers", "events/s")
DEADLINES = (
    *("armed", "memory, MB", "recovery, s"),
    *("late p50, ms", "late p99, ms", "all at once, s", "fired a second"),
)


def text(found: Mapping[str, Any]) -> str:
    """The three tables."""
    customers = (_customers(kind, one) for kind in LEDGERS for one in found[kind])
    workers = (_cells(one, "workers", "events_per_s") for one in found["workers"])
    deadlines = (_deadlines(one) for one in found["deadlines"])
    return TEXT.format(
        customers=table(CUSTOMERS, customers),
        goal=_goal(found["rocksdb"][-1], found["goals"]["rocksdb_memory_mb"]),
        workers=table(WORKERS, workers),
        deadlines=table(DEADLINES, deadlines),
    )


def _goal(most: Mapping[str, float], wanted: float) -> str:
    """Fewer customers than the goal speaks of prove nothing but its failure."""
    if most["customers"] >= GOAL_CUSTOMERS or most["most_memory_mb"] > wanted:
        met = "yes" if most["most_memory_mb"] <= wanted else "**no**"
    else:
        met = f"not measured: {GOAL_CUSTOMERS:,} take `python -m benchmarks.growth --full`"
    row = (f"{GOAL_CUSTOMERS:,} customers in RocksDB", f"≤ {wanted:,} MB", f"{most['most_memory_mb']:,.0f} MB", met)
    return table(("goal", "wanted", f"found with {most['customers']:,.0f}", "met"), [row])


def _customers(kind: str, one: Mapping[str, float]) -> tuple[str, ...]:
    counted = _cells(one, "customers", "events_per_s", "memory_mb", "most_memory_mb")
    return LEDGERS[kind], *counted, f"{one['recovery_s']:.2f}", f"{one['second_start_s']:.2f}"


def _cells(one: Mapping[str, float], *names: str) -> tuple[str, ...]:
    return tuple(f"{one[name]:,.0f}" for name in names)


def _deadlines(one: Mapping[str, float]) -> tuple[str, ...]:
    late = _cells(one, "late_p50_ms", "late_p99_ms")
    storm = (f"{one['all_at_once_s']:.1f}", *_cells(one, "fired_per_s"))
    return *_cells(one, "armed", "memory_mb"), f"{one['recovery_s']:.2f}", *late, *storm


def charts(found: Mapping[str, Any]) -> dict[str, str]:
    """Events a second by customers."""
    series = {LEDGERS[kind]: [(one["customers"], one["events_per_s"]) for one in found[kind]] for kind in LEDGERS}
    drawn = lines("Events a second by customers", Axis("customers", log=True), Axis("events a second"), series)
    return {"growth-customers.svg": drawn}
