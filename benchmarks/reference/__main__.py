"""Chosen systems at the reference work. Nothing is kept: `python -m benchmarks --parts reference` does that."""

from __future__ import annotations

import argparse
import json

from benchmarks.command import say
from benchmarks.common.place import opened
from benchmarks.reference.program import EVENTS, events
from benchmarks.reference.rounds import ROUNDS, run, summary


def main() -> None:
    """Read the options, measure, print the summary."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many events as fit (default %(default)s)")
    parser.add_argument("--systems", nargs="+", choices=EVENTS, default=list(EVENTS), metavar="NAME")
    options = parser.parse_args()
    fit = events(quick=False)
    counts = {system: int(fit[system] * options.scale) for system in options.systems}
    with opened() as place:
        print(json.dumps(summary(run(place, counts, options.rounds, say))))


if __name__ == "__main__":
    main()
