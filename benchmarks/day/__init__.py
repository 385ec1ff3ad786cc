"""One day of a province with known drifts at all nine stations, as a real worker decides it: `benchmarks.day`."""
