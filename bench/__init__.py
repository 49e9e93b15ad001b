"""Measurements; their figures are kept in docs/benchmarks.md."""
