"""Writes docs/performance.md and its charts from benchmarks/results: `python -m benchmarks.report`."""
