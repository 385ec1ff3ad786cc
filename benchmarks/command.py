"""What every part of the benchmark is as a command: `python -m benchmarks.PART [--quick] [--keep]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common.place import Place, opened
from benchmarks.results import store

Say = Callable[[str], None]
Measure = Callable[[bool, Place, Say], dict[str, Any]]
STARTED = time.monotonic()


def say(line: str) -> None:
    """Tell the person at the terminal how far we are, and since when we run."""
    print(f"{time.monotonic() - STARTED:5.0f} s  {line}", file=sys.stderr, flush=True)


def parser(module: str, about: str | None) -> argparse.ArgumentParser:
    """The options of every part."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    made.add_argument("--quick", action="store_true", help="in short: for a look rather than for figures")
    made.add_argument("--keep", action="store_true", help="keep the figures of a quick run, too")
    return made


def run(name: str, about: str | None, measure: Measure) -> None:
    """The whole command of one part."""
    tell(name, measure, parser(f"benchmarks.{name}", about).parse_args())


def tell(name: str, measure: Measure, options: argparse.Namespace) -> None:
    """Measure one part on a broker of its own, keep what it found, print it as the last line."""
    with opened() as place:
        found = measured(name, lambda: measure(options.quick, place, say), quick=options.quick, keep=options.keep)
    print(json.dumps(found, ensure_ascii=False))


def measured(name: str, measure: Callable[[], dict[str, Any]], *, quick: bool, keep: bool) -> dict[str, Any]:
    """What a part found. A quick run is kept only if that is asked for."""
    started = time.monotonic()
    found = measure()
    seconds = round(time.monotonic() - started)
    say(f"{name}: measured in {seconds} s")
    if keep or not quick:
        store(name, found, quick=quick, seconds=seconds)
    return found
