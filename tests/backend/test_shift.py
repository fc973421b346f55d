"""What the cases of the table cannot say about the shift engine: scratch of any size, threads, bad arguments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.backend import get_backend

KERNELS = get_backend("cpu").kernels
WINDOW = (2, 6, 3, 6)
"""Pads and dilations."""


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {"x": (2, 300, 17, 40), "w": (34, 300, 3, 3), "y": (2, 34, 15, 40)}
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def run(work: np.ndarray, window: tuple[int, ...] = WINDOW) -> np.ndarray:
    a = arrays()
    made = np.full_like(a["y"], np.nan)
    KERNELS.shift_forward(a["x"], a["w"], None, None, made, work, *window, False, 0.0)
    return made


def scratch(count: int) -> np.ndarray:
    return np.full(count, np.nan, np.float32)


def least() -> int:
    with pytest.raises(ValueError, match="the scratch has 1 elements") as caught:
        run(scratch(1))
    found = re.search(r"at least (\d+)", str(caught.value))
    assert found
    return int(found[1])


def test_the_scratch_does_not_change_the_result() -> None:
    smallest = least()
    expected = run(scratch(2**23))
    assert np.isfinite(expected).all()
    for count in (smallest, smallest + 1, smallest * 5 // 4, 2 * smallest, 3 * smallest, 8 * smallest):
        memory = scratch(count + 1000)
        np.testing.assert_array_equal(run(memory[:count]), expected)
        assert np.isnan(memory[count:]).all()
    with pytest.raises(ValueError, match=f"has {smallest - 1} elements"):
        run(scratch(smallest - 1))


SAVE = """
import sys
import numpy as np
from tests.backend.test_shift import run, scratch
np.save(sys.argv[1], run(scratch(2**23)))
"""


@pytest.mark.parametrize("threads", [1, 3, 16])
def test_the_number_of_threads_does_not_change_the_result(threads: int, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    subprocess.run([sys.executable, "-c", SAVE, str(tmp_path / "found.npy")], env=environment, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), run(scratch(2**23)))


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="positions of an axis: got 15, expected 13"):
        run(scratch(2**23), (1, 6, 3, 6))
    with pytest.raises(ValueError, match="must be positive"):
        run(scratch(2**23), (2, 6, 0, 6))
    with pytest.raises(ValueError, match="pad not negative"):
        run(scratch(2**23), (2, -6, 3, 6))
