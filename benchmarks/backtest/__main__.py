"""Replay a day of states through `yupan checks backtest`, and look for traces; the last line on stdout is JSON."""

from __future__ import annotations

import argparse
import json
import sys

from agents.differences import KINDS
from benchmarks.backtest import measure
from benchmarks.command import say
from benchmarks.common.place import opened


def main() -> int:
    """Exit code 1 when it left a trace, or decided otherwise than the worker had."""
    reading = argparse.ArgumentParser(prog="python -m benchmarks.backtest", description=__doc__)
    reading.add_argument("--events", type=int, default=1_150_000, help="the check reads seven eighths of them")
    options = reading.parse_args()
    with opened() as place:
        found = measure(options.events, place, say)
    print(json.dumps(found))
    return 1 if found["traces"] or any(found[kind] for kind in KINDS) else 0


if __name__ == "__main__":
    sys.exit(main())
