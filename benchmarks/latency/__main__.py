"""Measure latencies; results also go to benchmarks/results/latency.json."""

from benchmarks.command import run
from benchmarks.latency import measure

if __name__ == "__main__":
    run("latency", __doc__, measure)
