"""What the cases of the table cannot say about Winograd's kernels: scratch of any size, threads, bad arguments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pydeeplab.backend import get_backend

KERNELS = get_backend("cpu").kernels
WINDOW = (2, 3, 2, 3)
"""Pads and dilations."""


def arrays(channels: int = 21, outputs: int = 130) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    size = (37, 40)
    shapes = {"x": (2, channels, *size), "w": (outputs, channels, 3, 3), "y": (2, outputs, *size)}
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def sizes(
    channels: int, outputs: int, shapes: tuple[tuple[int, ...], ...]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images (batch, rows, columns) and their maps, still empty."""
    random = np.random.default_rng(1)
    xs = [random.standard_normal((n, channels, *size)).astype(np.float32) for n, *size in shapes]
    return xs, [np.full((x.shape[0], outputs, *x.shape[2:]), np.nan, np.float32) for x in xs]


SIZES = ((1, 37, 40), (2, 25, 21), (1, 2, 3), (1, 60, 9))


def run(operation: str, work: np.ndarray, tile: int = 4) -> np.ndarray:
    a = arrays(850, 36) if operation.startswith("forward of many channels") else arrays()
    if operation.endswith("several sizes"):
        xs, ys = sizes(a["x"].shape[1], a["y"].shape[1], SIZES)
        KERNELS.winograd_forward(xs, a["w"], None, None, ys, work, tile, *WINDOW, False, 0.0)
        made = np.concatenate([y.ravel() for y in ys])
    elif operation.startswith("forward"):
        made = np.full_like(a["y"], np.nan)
        KERNELS.winograd_forward([a["x"]], a["w"], None, None, [made], work, tile, *WINDOW, False, 0.0)
    elif operation == "backward_data":
        made = np.full_like(a["x"], np.nan)
        KERNELS.winograd_backward_data(a["y"], a["w"], None, made, work, tile, *WINDOW)
    else:
        made = np.zeros_like(a["w"])
        KERNELS.winograd_backward_weights(a["x"], a["y"], made, work, tile, *WINDOW)
    return made


def scratch(count: int) -> np.ndarray:
    return np.full(count, np.nan, np.float32)


def least(operation: str, tile: int = 4) -> int:
    with pytest.raises(ValueError, match="the scratch has 1 elements") as caught:
        run(operation, scratch(1), tile)
    found = re.search(r"at least (\d+)", str(caught.value))
    assert found
    return int(found[1])


OPERATIONS = (
    "forward",
    "forward of many channels",
    "forward of several sizes",
    "forward of many channels and several sizes",
    "backward_data",
    "backward_weights",
)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_scratch_does_not_change_the_result(operation: str) -> None:
    smallest = least(operation)
    expected = run(operation, scratch(2**24))
    assert np.isfinite(expected).all()
    for count in (smallest, smallest + 1, smallest * 5 // 4, 2 * smallest, 3 * smallest, 8 * smallest):
        np.testing.assert_array_equal(run(operation, scratch(count)), expected)
    with pytest.raises(ValueError, match=f"has {smallest - 1} elements"):
        run(operation, scratch(smallest - 1))


def test_nothing_is_written_behind_the_scratch() -> None:
    for operation in OPERATIONS:
        for tile in (2, 3, 4, 6):
            size = least(operation, tile) + 2**18 + 5
            memory = scratch(size + 2**18)
            run(operation, memory[:size], tile)
            assert np.isnan(memory[size:]).all()


@given(
    shapes=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40), st.integers(1, 60)), min_size=1, max_size=4),
    tile=st.sampled_from((2, 3, 4, 6)),
    rate=st.integers(1, 8),
    channels=st.integers(1, 40),
    outputs=st.integers(1, 60),
    more=st.integers(0, 4000),
)
@example(shapes=[(1, 9, 25), (1, 6, 2), (1, 4, 33)], tile=2, rate=6, channels=8, outputs=8, more=0)
@settings(max_examples=60, deadline=None)
def test_pictures_of_any_widths_keep_to_the_scratch(
    shapes: list[tuple[int, int, int]], tile: int, rate: int, channels: int, outputs: int, more: int
) -> None:
    """The smallest that does, and some more: fewer tiles at once can be more rows of narrow pictures."""
    assume(any(batch for batch, *_ in shapes))
    xs, ys = sizes(channels, outputs, tuple(shapes))
    w = np.ones((outputs, channels, 3, 3), np.float32)

    def make(work: np.ndarray) -> None:
        KERNELS.winograd_forward(xs, w, None, None, ys, work, tile, rate, rate, rate, rate, False, 0.0)

    with pytest.raises(ValueError, match="the scratch has 1 elements") as caught:
        make(scratch(1))
    found = re.search(r"at least (\d+)", str(caught.value))
    assert found
    size = int(found[1]) + more
    memory = scratch(size + 2**16)
    make(memory[:size])
    assert np.isnan(memory[size:]).all()


@pytest.mark.parametrize(("channels", "outputs"), [(21, 130), (150, 130), (700, 21)])
@pytest.mark.parametrize("tile", [2, 3, 4, 6])
def test_a_picture_is_the_same_alone_and_with_others(channels: int, outputs: int, tile: int) -> None:
    w, work = arrays(channels, outputs)["w"], scratch(2**24)
    xs, ys = sizes(channels, outputs, SIZES)
    KERNELS.winograd_forward(xs, w, None, None, ys, work, tile, *WINDOW, True, 0.1)
    for x, y in zip(xs, ys, strict=True):
        alone = np.full_like(y, np.nan)
        KERNELS.winograd_forward([x], w, None, None, [alone], work, tile, *WINDOW, True, 0.1)
        np.testing.assert_array_equal(y, alone)


def test_scratch_for_the_smallest_of_several_does_not_do() -> None:
    w = arrays()["w"]
    xs, ys = sizes(21, 130, SIZES)
    small = least("forward")
    KERNELS.winograd_forward(xs[2:3], w, None, None, ys[2:3], scratch(small), 4, *WINDOW, False, 0.0)
    with pytest.raises(ValueError, match=f"has {small // 2} elements; at least"):
        KERNELS.winograd_forward(xs, w, None, None, ys, scratch(small // 2), 4, *WINDOW, False, 0.0)


SAVE = """
import sys
import numpy as np
from tests.backend.test_winograd import OPERATIONS, run, scratch
np.savez(sys.argv[1], *(run(operation, scratch(2**24)) for operation in OPERATIONS))
"""


@pytest.mark.parametrize("threads", [1, 3, 16])
def test_the_number_of_threads_does_not_change_the_result(threads: int, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    subprocess.run([sys.executable, "-c", SAVE, str(tmp_path / "found.npz")], env=environment, check=True)
    found = np.load(tmp_path / "found.npz")
    for operation, name in zip(OPERATIONS, found.files, strict=True):
        np.testing.assert_array_equal(found[name], run(operation, scratch(2**24)))


def test_sizes_that_do_not_fit_are_refused() -> None:
    a, work = arrays(), scratch(2**24)

    def forward(w: np.ndarray, tile: int, *window: int) -> None:
        KERNELS.winograd_forward([a["x"]], w, None, None, [a["y"]], work, tile, *window, False, 0.0)

    with pytest.raises(ValueError, match="a tile is 2, 3, 4 or 6 wide, got 5"):
        forward(a["w"], 5, *WINDOW)
    with pytest.raises(ValueError, match="positions of an axis: got 37, expected 35"):
        forward(a["w"], 4, 1, 3, 2, 3)
    xs, ys = [a["x"], a["x"]], [a["y"], np.zeros((2, 130, 36, 40), np.float32)]
    with pytest.raises(ValueError, match="positions of an axis: got 36, expected 37"):
        KERNELS.winograd_forward(xs, a["w"], None, None, ys, work, 4, *WINDOW, False, 0.0)
    with pytest.raises(ValueError, match="must be positive"):
        forward(a["w"], 4, 2, 3, 0, 3)
    with pytest.raises(ValueError, match="3 x 3 taps, got 3 x 1"):
        forward(np.ascontiguousarray(a["w"][..., :1]), 4, *WINDOW)
    with pytest.raises(ValueError, match="pad not negative"):
        KERNELS.winograd_backward_data(a["y"], a["w"], None, a["x"], work, 4, 5, 3, 2, 3)
