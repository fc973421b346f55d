"""What the cases of the table cannot say about the gradient as one product: scratch, threads, bad arguments."""

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
WINDOW = (1, 1, 2, 6, 3, 6)
"""Strides, pads and dilations."""


def arrays(few: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Few weights and many pixels, whose sums threads share; or many weights."""
    random = np.random.default_rng(0)
    channels, outputs, height = (5, 34, 41) if few else (300, 34, 17)
    shapes = (2, channels, height, 40), (2, outputs, height - 2, 40), (outputs, channels, 3, 3)
    x, dy, dw = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    return x, dy, dw


def run(
    work: np.ndarray, window: tuple[int, ...] = WINDOW, halves: bool = False, turned: bool = False, few: bool = False
) -> np.ndarray:
    x, dy, dw = arrays(few)
    KERNELS.product_backward_weights(x, dy, dw, work, *window, halves, turned)
    return dw


def scratch(count: int) -> np.ndarray:
    return np.full(count, np.nan, np.float32)


def least(**how: bool) -> int:
    with pytest.raises(ValueError, match="the scratch has 1 elements") as caught:
        run(scratch(1), **how)
    found = re.search(r"at least (\d+)", str(caught.value))
    assert found
    return int(found[1])


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_scratch_does_not_change_the_result(halves: bool, turned: bool) -> None:
    smallest = least(halves=halves, turned=turned)
    expected = run(scratch(2**24), halves=halves, turned=turned)
    assert np.isfinite(expected).all()
    memory = scratch(smallest + 1000)
    np.testing.assert_array_equal(run(memory[:smallest], halves=halves, turned=turned), expected)
    assert np.isnan(memory[smallest:]).all()
    with pytest.raises(ValueError, match=f"has {smallest - 1} elements"):
        run(scratch(smallest - 1), halves=halves, turned=turned)


SAVE = """
import sys
import numpy as np
from tests.backend.test_product import run, scratch
made = [run(scratch(2**25), halves=h, turned=t, few=f) for h in (0, 1) for t in (0, 1) for f in (0, 1)]
np.save(sys.argv[1], np.concatenate([m.ravel() for m in made]))
"""


def test_the_number_of_threads_does_not_change_the_result(tmp_path: Path) -> None:
    made = []
    for threads in (1, 3, 16):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
        file = tmp_path / f"{threads}.npy"
        subprocess.run([sys.executable, "-c", SAVE, str(file)], env=environment, check=True)
        made.append(np.load(file))
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("x", "dy", "pad"), [((1, 32, 4, 0), (1, 2, 6, 2), 2), ((1, 1, 2, 2), (1, 16, 0, 0), 0)])
def test_maps_and_images_without_pixels_add_nothing(
    x: tuple[int, ...], dy: tuple[int, ...], pad: int, turned: bool
) -> None:
    dw = np.ones((dy[1], x[1], 3, 3), np.float32)
    image, gradient = np.zeros(x, np.float32), np.zeros(dy, np.float32)
    KERNELS.product_backward_weights(image, gradient, dw, scratch(2**20), 1, 1, pad, pad, 1, 1, False, turned)
    assert (dw == 1).all()


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="positions of an axis: got 15, expected 13"):
        run(scratch(2**24), (1, 1, 1, 6, 3, 6))
    with pytest.raises(ValueError, match="must be positive"):
        run(scratch(2**24), (1, 1, 2, 6, 0, 6))
    with pytest.raises(ValueError, match="pad not negative"):
        run(scratch(2**24), (1, 1, 2, -6, 3, 6))


def test_windows_are_turned_at_stride_1_with_pads_within_them() -> None:
    x, dy, dw = (np.zeros(shape, np.float32) for shape in ((1, 2, 5, 5), (1, 3, 3, 3), (3, 2, 3, 3)))
    with pytest.raises(ValueError, match="need a stride of 1"):
        KERNELS.product_backward_weights(x, dy, dw, scratch(2**20), 2, 2, 1, 1, 1, 1, False, True)
    dy = np.zeros((1, 3, 9, 9), np.float32)
    with pytest.raises(ValueError, match="pads within the window"):
        KERNELS.product_backward_weights(x, dy, dw, scratch(2**20), 1, 1, 3, 3, 1, 1, False, True)
