"""Refusing what does not fit into memory, before the system ends the process for taking it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["available_bytes", "check_room"]

LARGE = 2**28
"""Bytes up to which allocations are not looked at."""

_CONTROL_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Folder, limit, use, and the part of the use that is given up on demand, of both versions of Linux's containers."""


def _fields(path: str) -> dict[str, int]:
    """The numbers of a file of lines ``name value``."""
    rows = (line.replace(":", " ").split() for line in Path(path).read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}


def _left_in_container() -> int | None:
    for folder, limit, used, spare in _CONTROL_GROUPS:
        try:
            most, taken = Path(folder, limit).read_text().strip(), int(Path(folder, used).read_text())
            if most.isdecimal():
                return int(most) - taken + _fields(f"{folder}/memory.stat").get(spare, 0)
        except (OSError, ValueError):
            continue
    return None


def available_bytes(*, swap: bool = True) -> int | None:
    """Bytes that can be allocated at present, or None where the system does not tell; without ``swap``, in RAM."""
    try:
        memory = _fields("/proc/meminfo")
        free = 1024 * (memory["MemAvailable"] + (memory.get("SwapFree", 0) if swap else 0))
    except (OSError, KeyError):
        return None
    left = _left_in_container()
    return free if left is None else min(free, max(left, 0))


def check_room(nbytes: int) -> None:
    """Raise MemoryError if so many bytes are not available."""
    if nbytes <= LARGE:
        return
    available = available_bytes()
    if available is not None and nbytes > available:
        raise MemoryError(f"{nbytes / 2**30:.1f} GiB at once, {available / 2**30:.1f} GiB are free")
