"""show what this machine computes with, as `caffe device_query` does

Shows the processor, its threads and instruction sets, the memory and the BLAS library, and the GPUs that the CUDA
backend can use, or why there is none.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydeeplab.backend.cuda.library import Unavailable, load_library
from pydeeplab.cli._options import add_json_argument, write_json
from pydeeplab.errors import UsageError
from pydeeplab.threads import get_num_threads, usable_cores

EXAMPLES = """\
  pydeeplab device_query
  pydeeplab device_query -gpu all
  pydeeplab device_query --json | jq .cpu.threads
"""

_INSTRUCTION_SETS = (
    "sse4_2 avx avx2 fma f16c avx512f avx512bw avx512dq avx512vl avx512_vnni avx512_bf16 amx_tile neon sve"
)
_V3 = {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
_V4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-gpu", "--gpu", metavar="ID", default="all", help="show these GPUs only: 0, 0,1 or all")
    add_json_argument(parser)


def _fields(path: str) -> dict[str, str]:
    """``name : value`` lines of a file, the first of each name; empty where there is no such file."""
    found: dict[str, str] = {}
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), value.strip())
    return found


def _cpu() -> dict[str, Any]:
    info = _fields("/proc/cpuinfo")
    flags = set((info.get("flags") or info.get("Features") or "").split())
    level = "x86-64-v4 (AVX-512)" if flags >= _V3 | _V4 else "x86-64-v3 (AVX2)" if flags >= _V3 else "baseline"
    kib = _fields("/proc/meminfo").get("MemTotal", "").split()
    return {
        "name": info.get("model name") or platform.processor() or "unknown",
        "architecture": platform.machine(),
        "processors": os.cpu_count(),
        "available": usable_cores(),
        "threads": get_num_threads(),
        "instruction_sets": [name for name in _INSTRUCTION_SETS.split() if name in flags],
        "kernels": level,
        "memory_bytes": int(kib[0]) * 1024 if kib else None,
    }


def _blas() -> dict[str, str]:
    import scipy

    built = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "name": str(built.get("name", "unknown")),
        "version": str(built.get("version", "unknown")),
        "configuration": str(built.get("openblas configuration", "")),
    }


def _driver() -> bool:
    """Whether an NVIDIA driver is installed."""
    name = ctypes.util.find_library("cuda") or "libcuda.so.1"
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _numbers(text: str) -> set[int] | None:
    """The numbers of GPUs; None for all."""
    if text == "all":
        return None
    words = text.split(",")
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"--gpu takes numbers such as 0 or 0,1, or all; got '{text}'")
    return {int(word) for word in words}


def _gpu(numbers: set[int] | None) -> dict[str, Any]:
    """Those GPUs of ``numbers`` that the CUDA backend can use, or why there is none."""
    library = load_library("cuda")
    if isinstance(library, Unavailable):
        driver = "an NVIDIA driver is installed" if _driver() else "no NVIDIA driver is installed"
        return {"backend": False, "reason": f"{library.reason} ({driver})", "devices": []}
    devices = library.devices()
    shown = [asdict(device) for device in devices if numbers is None or device.index in numbers]
    reason = "" if shown else f"no GPU has this number; there are {len(devices)}, counted from 0"
    return {"backend": True, "reason": reason, "devices": shown}


def _row(title: str, value: object) -> None:
    print(f"{title + ':':<31}{value}")


def run(args: argparse.Namespace) -> int:
    """Query and print."""
    cpu, blas, gpu = _cpu(), _blas(), _gpu(_numbers(args.gpu))
    if write_json(args, {"cpu": cpu, "blas": blas, "gpu": gpu}):
        return 0
    _row("Device", "CPU")
    _row("Name", f"{cpu['name']} ({cpu['architecture']})")
    _row("Number of processors", f"{cpu['processors']}, of which this process may use {cpu['available']}")
    _row("Number of threads", cpu["threads"])
    _row("Instruction sets", " ".join(cpu["instruction_sets"]) or "unknown")
    _row("Kernels chosen", cpu["kernels"])
    if cpu["memory_bytes"]:
        _row("Total memory", f"{cpu['memory_bytes']} ({cpu['memory_bytes'] / 2**30:.1f} GiB)")
    _row(
        "BLAS", " ".join([blas["name"], blas["version"], f"({blas['configuration']})" if blas["configuration"] else ""])
    )
    if gpu["reason"]:
        _row("GPU", f"none: {gpu['reason']}")
    for device in gpu["devices"]:
        _row("Device id", device["index"])
        _row("Name", device["name"])
        _row("Major.minor revision number", ".".join(map(str, device["capability"])))
        _row("Total global memory", f"{device['memory']} ({device['memory'] / 2**30:.1f} GiB)")
        _row("Number of multiprocessors", device["multiprocessors"])
        _row("CUDA of driver, of library", "{}.{}, {}.{}".format(*device["driver"], *device["runtime"]))
    return 0
