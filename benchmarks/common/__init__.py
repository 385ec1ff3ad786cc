"""What several parts of the benchmark share."""
