"""Finding data that lies outside the repository; tests that need it skip when it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "tests" / "data"


def shared_root() -> Path | None:
    """The folder of external data: $PYDEEPLAB_DATA, or ``shared`` beside the checkout; None when there is none."""
    candidates = [os.environ.get("PYDEEPLAB_DATA"), REPOSITORY.parent / "shared"]
    return next((Path(c) for c in candidates if c and Path(c).is_dir()), None)


def shared(relative: str) -> Path:
    """A file or folder below the external data; skips the test (or module) when it is absent."""
    root = shared_root()
    if root is None or not (root / relative).exists():
        pytest.skip(f"external data not found: {relative} (set PYDEEPLAB_DATA to its folder)", allow_module_level=True)
    return root / relative


def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY
