"""The device that commands compute on: the option that names it, and what they say about its memory."""

from __future__ import annotations

import argparse
import sys

from pydeeplab.backend import Backend
from pydeeplab.backend.cuda.library import Unavailable, load_library
from pydeeplab.errors import UsageError
from pydeeplab.process import default_backend, set_device, set_mode_gpu

__all__ = ["add_gpu_argument", "memory_line", "processes_at_once", "use_gpu"]


def add_gpu_argument(parser: argparse._ActionsContainer) -> None:
    """Add --gpu, which Caffe's command lines carry."""
    parser.add_argument("-gpu", "--gpu", metavar="ID", help="compute on this GPU; of several, or 'all', on the first")


def use_gpu(gpu: str | None) -> None:
    """Compute on the GPU that --gpu names, if it was given; where there is none, say so on stderr and use the CPU."""
    if not gpu:
        return
    first = gpu.split(",")[0]
    if first != "all" and not first.isdecimal():
        raise UsageError(f"--gpu takes a number such as 0, or all; got '{gpu}'")
    library = load_library("cuda")
    if isinstance(library, Unavailable):
        print(f"note: -gpu {gpu} has no effect, computing on the CPU: {library.reason}", file=sys.stderr)
        return
    set_device(0 if first == "all" else int(first))
    set_mode_gpu()
    if gpu != first or first == "all":
        print("note: one GPU computes; of those that were named the first is used", file=sys.stderr)


def processes_at_once(jobs: int | None) -> int | None:
    """The --jobs that were asked for (None: what is fastest); one where a GPU computes, for it is busy with one."""
    if not default_backend().startswith("cuda"):
        return jobs
    if (jobs or 1) > 1:
        raise UsageError(f"one process computes on a GPU; leave out --jobs {jobs}")
    return 1


def memory_line(backend: Backend) -> str:
    """A line on the memory that a run took on the device and on copies; empty where there is none."""
    use = backend.memory_use()
    if not use:
        return ""
    mib = {name: value / 2**20 for name, value in use.items()}
    return (
        f"device memory: peak {mib['peak_bytes']:.0f} MiB, in use {mib['in_use_bytes']:.0f} MiB, kept for reuse "
        f"{mib['kept_bytes']:.0f} MiB; {use['uploads']} copies there ({mib['uploaded_bytes']:.0f} MiB), "
        f"{use['downloads']} back ({mib['downloaded_bytes']:.0f} MiB)"
    )
