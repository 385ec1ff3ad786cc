"""The fault harness: `python -m tests.faults --runs N --seed S`; `make faults ARGS="…"` does the same."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
from collections.abc import Iterator
from typing import Any

from schemas.errors import PartError
from tests.faults.faults import FAULTS, Fault
from tests.faults.ground import Ground
from tests.faults.results import keep, line, totals
from tests.faults.run import CUSTOMERS, Result, play

RUNS_A_GROUND = 20
"""Then broker and ClickHouse are started anew: calls of the first runs would soon be forgotten, which is no news."""


def say(line: str) -> None:
    """Tell the person at the terminal."""
    print(line, file=sys.stderr, flush=True)


class Grounds:
    """The ground in use; a context manager."""

    def __init__(self) -> None:
        self._ground: Ground | None = None
        self._runs = 0

    def __enter__(self) -> Grounds:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def of(self, brokers: int) -> Ground:
        """One with so many brokers, for one more run."""
        ground = self._ground
        if ground is None or len(ground.kafka.nodes) != brokers or self._runs >= RUNS_A_GROUND:
            self.leave()
            say(f"starting {brokers} broker{'s' * (brokers > 1)} and ClickHouse")
            ground = self._ground = Ground(brokers).__enter__()
            self._runs = 0
        self._runs += 1
        return ground

    def leave(self) -> None:
        """Stop it, for instance because a run on it was broken off."""
        if self._ground is not None:
            self._ground.__exit__()
            self._ground = None


def chosen(names: list[str] | None, seed: int) -> Fault:
    """The fault of a run, by its seed. Neighbouring seeds have different ones, on the same ground where they can."""
    wanted = sorted(names or FAULTS)
    order = random.Random(0).sample(wanted, len(wanted))
    order.sort(key=lambda name: FAULTS[name].brokers)
    return FAULTS[order[seed % len(order)]]


def one(grounds: Grounds, fault: Fault, seed: int, customers: int) -> Result:
    """A run. One that is broken off counts as lost: its answer never came."""
    say(f"seed {seed}: {fault.name} ({fault.what})")
    ground = grounds.of(fault.brokers)  # a part that is not installed is nobody's loss
    try:
        return play(ground, fault, seed, customers)
    except Exception as error:
        grounds.leave()
        return Result(fault.name, seed, 0, 1, 0, 0.0, 0.0, 0, f"broken off: {type(error).__name__}: {error}")


def summary(results: list[Result]) -> dict[str, Any]:
    """What the last line says."""
    lines = [line(result) for result in results]
    total = totals(lines, by="").get("all", {"runs": 0, "lost": 0, "doubled": 0})
    total.pop("seeds", None)
    return {**total, "by_fault": totals(lines)}


def options() -> argparse.Namespace:
    """The command line."""
    told = "\n".join(f"  {name:30} {fault.what}" for name, fault in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=(
            "Runs a workload with a known answer on Apache Kafka and ClickHouse while faults happen, and compares what "
            "is left with the answer. Exit code 0: nothing lost, nothing doubled; 1: something."
        ),
        epilog=f"faults:\n{told}\n\nexample: python -m tests.faults --runs 2 --seed 7 --fault kill_broker --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=len(FAULTS), help="how many runs (default: one of each fault)")
    parser.add_argument("--seed", type=int, help="the first run's seed; each further run's is one more (default: any)")
    parser.add_argument("--fault", action="append", choices=sorted(FAULTS), help="this fault only; may be repeated")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="customers a run, about 12 events each")
    parser.add_argument("--record", action="store_true", help="add the runs to tests/faults/results.jsonl")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser.parse_args()


def runs(wanted: argparse.Namespace, seed: int) -> Iterator[Result]:
    """One after the other, told as they end. Ctrl-C ends them early."""
    with contextlib.suppress(KeyboardInterrupt), Grounds() as grounds:
        for number in range(wanted.runs):
            result = one(grounds, chosen(wanted.fault, seed + number), seed + number, wanted.customers)
            say(
                f"  {number + 1}/{wanted.runs}: {result.events} events, {result.lost} lost, {result.doubled} doubled, "
                f"longest pause {result.pause_s} s, {result.restarts} restarts, {result.seconds:.0f} s"
            )
            if result.told:
                say(result.told)
            if wanted.record:
                keep(result)
            yield result


def main() -> int:
    """Run it."""
    wanted = options()
    seed = random.SystemRandom().randrange(10**6) if wanted.seed is None else wanted.seed
    say(f"seed {seed}")
    try:
        total = summary(list(runs(wanted, seed)))
    except PartError as error:
        say(f"faults: {error}")
        return error.exit_code
    print(json.dumps(total) if wanted.json else "\n".join(f"{k}: {v}" for k, v in total.items() if k != "by_fault"))
    return 1 if total["lost"] or total["doubled"] or not total["runs"] else 0


if __name__ == "__main__":
    sys.exit(main())
