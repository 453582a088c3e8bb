"""Measurements; `python -m benchmarks` prints them all. Nothing here is asserted in a test."""
