"""Where NVIDIA's libraries and compiler are."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["nvidia_packages", "shared_libraries"]


def nvidia_packages() -> list[Path]:
    """The folders that NVIDIA's packages from pip are in: ``nvidia/cu13``, ``nvidia/cublas``, ..."""
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec("nvidia")
        return [f for root in (spec and spec.submodule_search_locations) or () for f in sorted(Path(root).glob("*"))]
    return []


def shared_libraries(stem: str, versions: Sequence[int]) -> Iterator[str]:
    """Where NVIDIA's library may be found: as ``PYDEEPLAB_<STEM>`` says, from pip, in a toolkit, by the loader."""
    if named := os.environ.get(f"PYDEEPLAB_{stem.upper()}"):
        yield named
    for folder in nvidia_packages():
        yield from map(str, sorted(folder.glob(f"lib/lib{stem}.so*")))
    for root in filter(None, (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda")):
        yield from map(str, sorted(Path(root, "lib64").glob(f"lib{stem}.so*")))
    yield from (f"lib{stem}.so.{version}" for version in versions)
    yield f"lib{stem}.so"
