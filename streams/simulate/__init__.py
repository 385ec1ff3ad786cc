"""The traffic of a simulated province."""
