"""Run all parts of the benchmark one after the other; the last line on stdout is one JSON object.

A part is a package here with `measure(quick, place, say) -> dict`. What it returns is kept in `results/PART.json` (not
of a quick run, unless `--keep` is given) and becomes a piece of the last line. Each part has a broker of its own; in a
quick run they share one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks.command import STARTED, Measure, measured, parser, say
from benchmarks.common.place import Place, opened
from benchmarks.results import line

ORDER = ("reference", "slice", "latency", "growth", "handover", "restore")
"""The parts that `make bench` runs, of these those that exist. `soak` takes longer than all together: alone."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the parts. One that fails does not take the others' figures away; the exit code tells."""
    parts = [name for name in ORDER if find_spec(f"benchmarks.{name}") is not None]
    reading = parser("benchmarks", "All parts of the benchmark, one after the other.")
    reading.add_argument("--parts", nargs="+", choices=parts, default=parts, metavar="NAME")
    options = reading.parse_args(words)
    found: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    with opened() if options.quick else nullcontext() as shared:
        for name in options.parts:
            try:
                found[name] = _part(name, shared, quick=options.quick, keep=options.keep)
            except Exception as error:
                say(f"{name} failed: {type(error).__name__}: {error}")
                failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    told = {**line(found), "seconds": round(time.monotonic() - STARTED), **({"failed": failed} if failed else {})}
    print(json.dumps(told, ensure_ascii=False))
    return 1 if failed else 0


def _part(name: str, shared: Place | None, *, quick: bool, keep: bool) -> dict[str, Any]:
    measure: Measure = import_module(f"benchmarks.{name}").measure
    with opened() if shared is None else nullcontext(shared) as place:
        return measured(name, lambda: measure(quick, place, say), quick=quick, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
