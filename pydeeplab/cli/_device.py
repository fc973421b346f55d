"""What commands say about the memory of a device."""

from __future__ import annotations

from pydeeplab.backend import Backend

__all__ = ["memory_line"]


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
