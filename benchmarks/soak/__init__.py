"""A whole Yupan under a share of what this machine can do: memory, lag, pops and reminders over time.

What is taken away meanwhile (ClickHouse, the broker) shows what waits for it, and what does not.
"""

from __future__ import annotations

from typing import Any

from benchmarks.command import Say
from benchmarks.soak.run import Plan, Soak

QUICK = Plan(seconds=120, customers=50_000, backlog=700_000, clickhouse_away=20, broker_away=10)
LONG = Plan(seconds=1_800)


def soak(plan: Plan, say: Say) -> dict[str, object]:
    """Run `plan`."""
    with Soak(plan, say) as running:
        capacity = running.capacity()
        rate = capacity["all"] * plan.share
        say(f"capacity {capacity}; {plan.share:.0%} of all: {rate:,.0f} events/s, for {plan.seconds:.0f} s")
        found = running.run(rate)
        bands = running.bands
    away = [band._asdict() for band in bands]
    done: dict[str, Any] = {"seconds": plan.seconds, "seed": plan.seed, "customers": plan.customers}
    return {**done, "capacity": capacity, "rate": round(rate), "away": away, **found}
