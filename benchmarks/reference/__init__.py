"""The reference work of issue 4, written for each system: `python -m benchmarks.reference`."""
