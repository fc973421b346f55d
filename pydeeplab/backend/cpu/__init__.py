"""Native kernels for the CPU, compiled from kernels/cpu.

Threads that wait for others give their core away soon: by default those of GNU OpenMP wait for milliseconds in a loop,
which on a machine with other work makes short parallel regions take many times longer.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")
