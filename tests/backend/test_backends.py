"""Every backend computes, or says in a skip why it cannot be used here."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.backend import BACKENDS, get_backend
from tests.support.backends import need_backend


@pytest.mark.parametrize("name", BACKENDS)
def test_computes(name: str) -> None:
    need_backend(name)
    y = np.empty(2, np.float32)
    get_backend(name).kernels.relu_forward(np.array([-2, 3], np.float32), y, 0.5)
    np.testing.assert_array_equal(y, [-1, 3])
