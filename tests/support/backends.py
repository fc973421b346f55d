"""Which backends this machine has."""

from __future__ import annotations

import pytest

from pydeeplab.backend import BACKENDS
from pydeeplab.backend.cuda.library import Unavailable, load_library


def _reason(name: str) -> str:
    library = load_library(name) if name.startswith("cuda") else None
    return library.reason if isinstance(library, Unavailable) else ""


USABLE = [name for name in BACKENDS if not _reason(name)]
"""The backends that can be used here. Why others cannot, the skip of tests/backend/test_backends.py says."""


def need_backend(name: str) -> None:
    """Skip the test where a backend cannot be used, with the reason."""
    if reason := _reason(name):
        pytest.skip(reason)
