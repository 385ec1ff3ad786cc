"""Run the property: `python -m tests.model --runs N --seed S [--mutation NAME]`; `--script HEX` replays one.

What runs is a function of the seed alone: the process starts itself anew with its hash seed, since the engine
keeps partitions in sets.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from contextlib import nullcontext

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.model.fakes import installed
from tests.model.mutations import MUTATIONS
from tests.model.simulation import BrokenError, Simulation

SCRIPT_BYTES = 120


class Runs:
    """Counts interleavings, and keeps the smallest script that broke something."""

    def __init__(self) -> None:
        self.count = 0
        self.steps = 0
        self.script = b""

    def one(self, script: bytes) -> None:
        """One interleaving."""
        simulation = Simulation(script)
        self.count += 1
        try:
            simulation.run()
        except BaseException:
            self.script = script
            raise
        finally:
            self.steps += simulation.steps


def explore(runs: Runs, most: int, start: int, shrink: bool) -> None:
    """Raise `BrokenError` with the smallest interleaving found."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]

    @seed(start)
    @settings(
        max_examples=most, database=None, deadline=None, phases=phases, suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )  # fmt: skip
    @given(st.binary(min_size=30, max_size=SCRIPT_BYTES))
    def holds(script: bytes) -> None:
        runs.one(script)

    holds()


def main() -> int:
    """Exit code 0: all held; 1: an invariant is broken, its interleaving is printed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutation", choices=sorted(MUTATIONS))
    parser.add_argument("--script", type=bytes.fromhex)
    parser.add_argument("--no-shrink", action="store_true")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != str(options.seed):
        os.environ["PYTHONHASHSEED"] = str(options.seed)
        os.execv(sys.executable, [sys.executable, "-m", "tests.model", *sys.argv[1:]])
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None  # coroutines of killed workers
    runs, started = Runs(), time.monotonic()
    try:
        with installed(), MUTATIONS[options.mutation].made() if options.mutation else nullcontext():
            if options.script is not None:
                runs.one(options.script)
            else:
                explore(runs, options.runs, options.seed, not options.no_shrink)
    except BrokenError as broken:
        print(f"{broken}\nagain: --seed {options.seed} --script {runs.script.hex()}")
        return 1
    finally:
        passed = time.monotonic() - started
        print(
            f"seed {options.seed}: {runs.count} interleavings, {runs.steps / max(runs.count, 1):.0f} steps each, "
            f"{runs.count / passed:.0f} a second"
        )
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # parked threads do not end
