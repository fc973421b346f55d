"""The backend under test: the real one where there is a GPU, else the emulation."""

from __future__ import annotations

import pytest

from pydeeplab.backend import get_backend
from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.backend.cuda.library import Unavailable, load_library
from tests.support.backends import need_backend


@pytest.fixture
def name() -> str:
    """The name of the best backend there is."""
    if not isinstance(load_library("cuda"), Unavailable):
        return "cuda"
    need_backend("cuda-emulation")
    return "cuda-emulation"


@pytest.fixture
def backend(name: str) -> CudaBackend:
    """That backend."""
    found = get_backend(name)
    assert isinstance(found, CudaBackend)
    return found
