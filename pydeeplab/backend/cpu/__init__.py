"""Native kernels for the CPU, compiled from kernels/cpu."""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")
"""Threads that wait for others give the core away soon. By default GNU OpenMP's wait for milliseconds in a loop, which
on a machine with other work makes short parallel regions take tens of times longer. Read when the first kernel loads."""
