"""Measure what checks cost; the last line on stdout is JSON. With `--profile NAME` of one set: where its time goes."""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import tempfile
from pathlib import Path

from benchmarks.checks import audit, batches, measure, variants
from benchmarks.command import say


def main() -> None:
    """Measure, or profile."""
    reading = argparse.ArgumentParser(prog="python -m benchmarks.checks", description=__doc__)
    reading.add_argument("--quick", action="store_true", help="in short: for a look rather than for figures")
    reading.add_argument("--profile", metavar="NAME", help="of this set of checks: shipped, activation, ...")
    options = reading.parse_args()
    if options.profile:
        profile(options.profile)
        return
    print(json.dumps(measure(options.quick, say)))


def profile(name: str) -> None:
    """Where the time of one set goes, on stderr."""
    day = batches(40_000, customers=10_000)
    with tempfile.TemporaryDirectory() as directory:
        checks = variants(Path(directory))[name]
    profiler = cProfile.Profile()
    profiler.runcall(audit, day, checks)
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
