"""Measurements: `python -m benchmarks` beside other runtimes; the scripts here measure single things."""
