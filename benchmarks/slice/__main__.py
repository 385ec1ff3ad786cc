"""Measure the slice; results also go to benchmarks/results/slice.json."""

from benchmarks.command import run
from benchmarks.slice import measure

if __name__ == "__main__":
    run("slice", __doc__, measure)
