"""Simulate a day of so many customers, compare what was found with what was put in; the last line is JSON."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.command import say
from benchmarks.common.place import opened
from benchmarks.day.program import Day, run


def main() -> int:
    """Exit code 1 when a check was not as right as it must be, or alerts were too many."""
    reading = argparse.ArgumentParser(prog="python -m benchmarks.day", description=__doc__)
    reading.add_argument("--customers", type=int, default=20_000)
    reading.add_argument("--seed", type=int, default=1)
    reading.add_argument("--json", action="store_true", help="the JSON line alone on stdout, without the table")
    options = reading.parse_args()
    say(f"seed {options.seed}")
    with opened() as place:
        day = run(place, options.customers, options.seed, say)
    for line in day.verdict.wrong:
        say(line)
    if not options.json:
        print(table(day))
    print(json.dumps(day.line()))
    missed = day.verdict.missed_goals()
    for line in missed:
        say(f"missed: {line}")
    return 1 if missed else 0


def table(day: Day) -> str:
    """The scores for people."""
    rows = [f"{'check':22} {'precision':>9} {'recall':>9} {'delay':>9}"]
    rows += [
        f"{check:22} {score.precision:9.5f} {score.recall:9.5f} {score.delay_s:7.1f} s"
        for check, score in day.verdict.scores.items()
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
