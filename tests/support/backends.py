"""Which backends this machine has."""

from __future__ import annotations

import pytest

from pydeeplab.backend.cuda.library import Unavailable, load_library


def need_backend(name: str) -> None:
    """Skip the test where a backend cannot be used, with the reason."""
    if name.startswith("cuda"):
        library = load_library(name)
        if isinstance(library, Unavailable):
            pytest.skip(library.reason)
