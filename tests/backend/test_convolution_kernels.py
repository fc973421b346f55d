"""What the cases of the table cannot say about the convolution kernels: scratch of any size, threads, bad arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.backend import get_backend
from pydeeplab.backend.cpu.blas_threads import thread_controls

KERNELS = get_backend("cpu").kernels
WINDOW = (1, 1, 2, 2, 2, 2)


def arrays(group: int = 2) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {"x": (2, 6, 19, 19), "w": (4, 6 // group, 3, 3), "y": (2, 4, 19, 19)}
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def results(suffix: str, scratch: int, group: int = 2) -> list[np.ndarray]:
    a = arrays(group=group)
    y, dx, dw = np.full_like(a["y"], np.nan), np.full_like(a["x"], np.nan), a["w"].copy()
    columns = np.full(scratch, np.nan, np.float32)
    getattr(KERNELS, f"conv_forward{suffix}")(a["x"], a["w"], None, y, columns, *WINDOW, group)
    getattr(KERNELS, f"conv_backward_data{suffix}")(a["y"], a["w"], None, dx, columns, *WINDOW, group)
    getattr(KERNELS, f"conv_backward_weights{suffix}")(a["x"], a["y"], dw, columns, *WINDOW, group)
    return [y, dx, dw]


@pytest.mark.parametrize("scratch", [16 * 27, 16 * 27 + 1, 1000, 5000, 12345, 10**5, 10**6])
def test_strips_of_any_size_agree(scratch: int) -> None:
    for got, expected in zip(results("_strips", scratch), results("", 6 * 9 * 19 * 19), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-4)


@pytest.mark.parametrize(("suffix", "scratch"), [("_strips", 16 * 27 - 1), ("", 6 * 9 * 19 * 19 - 1)])
def test_too_little_scratch_is_refused(suffix: str, scratch: int) -> None:
    with pytest.raises(ValueError, match=f"has {scratch} elements; at least {scratch + 1}"):
        results(suffix, scratch)


def test_sizes_that_do_not_fit_are_refused() -> None:
    a = arrays()
    columns = np.empty(10**6, np.float32)
    with pytest.raises(ValueError, match="positions of an axis: got 19, expected 17"):
        KERNELS.conv_forward(a["x"], a["w"], None, a["y"], columns, 1, 1, 1, 1, 2, 2, 2)
    with pytest.raises(ValueError, match="channels: got 3, expected 6"):
        KERNELS.conv_forward(a["x"], a["w"], None, a["y"], columns, *WINDOW, 1)
    with pytest.raises(ValueError, match="must be positive"):
        KERNELS.conv_forward(a["x"], a["w"], None, a["y"], columns, 0, 1, 2, 2, 2, 2, 2)
    with pytest.raises(ValueError, match="depthwise"):
        KERNELS.depthwise_forward(a["x"], a["w"], None, a["y"], *WINDOW)


@pytest.mark.skipif(thread_controls() == (0, 0), reason="SciPy's BLAS is not OpenBLAS")
def test_blas_keeps_its_threads_for_others() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def scipy_threads() -> list[int]:
        return [p["num_threads"] for p in threadpoolctl.threadpool_info() if "scipy.libs" in p["filepath"]]

    before = scipy_threads()
    results("_strips", 10**5)
    assert scipy_threads() == before


FUSED = ("packed", "strassen")


def fused(name: str) -> np.ndarray:
    """A pass of two pictures that sums in several parts, with several strips per image whatever the threads."""
    random = np.random.default_rng(0)
    x, w, other = (
        random.standard_normal(s).astype(np.float32) for s in ((2, 1030, 23, 29), (40, 1030), (2, 40, 23, 29))
    )
    forward = getattr(KERNELS, f"conv_forward_{name}")
    work = np.full(2**22, np.nan, np.float32)
    pictures, maps = [x, x[:1, :, :9, :11].copy()], [other, other[:1, :, :9, :11].copy()]
    forward(pictures, w.reshape(40, 1030, 1, 1), None, None, maps, maps, work, 1, 1, 0, 0, 1, 1, 1, True, 0.0)
    return np.concatenate([y.ravel() for y in maps])


def gradient(name: str) -> np.ndarray:
    """A gradient of images that sums in several parts."""
    random = np.random.default_rng(0)
    dy, w = (random.standard_normal(s).astype(np.float32) for s in ((2, 210, 23, 29), (210, 40, 3, 2)))
    dx, work = np.full((2, 40, 21, 30), np.nan, np.float32), np.full(2**23, np.nan, np.float32)
    getattr(KERNELS, f"conv_backward_data_{name}")(dy, w, None, dx, work, 1, 1, 2, 0, 1, 1, 1)
    return dx


@pytest.mark.parametrize("name", FUSED)
def test_gradients_of_strided_windows_are_refused(name: str) -> None:
    backward, w, work = getattr(KERNELS, f"conv_backward_data_{name}"), np.ones((6, 4, 1, 1), np.float32), np.ones(9999)
    dy, dx = np.ones((1, 6, 5, 5), np.float32), np.ones((1, 4, 5, 5), np.float32)
    for window in ((2, 1, 0, 0), (1, 1, 1, 1)):
        with pytest.raises(ValueError, match="stride must be 1 and pad within the window"):
            backward(dy, w, None, dx, work.astype(np.float32), *window, 1, 1, 1)
    with pytest.raises(ValueError, match="positions of an axis: got 5, expected 4"):
        backward(dy[:, :, :4].copy(), w, None, dx, work.astype(np.float32), 1, 1, 0, 0, 1, 1, 1)
    with pytest.raises(ValueError, match="has 3 elements; at least"):
        backward(dy, w, None, dx, np.ones(3, np.float32), 1, 1, 0, 0, 1, 1, 1)


SAVE = """
import sys
import numpy as np
from tests.backend.test_convolution_kernels import FUSED, fused, gradient, results
columns = [*results("_strips", 20000), *results("", 6 * 9 * 19 * 19)]
np.savez(sys.argv[1], *columns, *map(fused, FUSED), *map(gradient, FUSED))
"""


@pytest.mark.parametrize("threads", [1, 3, 16])
def test_any_number_of_threads(threads: int, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    subprocess.run([sys.executable, "-c", SAVE, str(tmp_path / "found.npz")], env=environment, check=True)
    found = list(np.load(tmp_path / "found.npz").values())
    for got, values in zip(found, results("", 6 * 9 * 19 * 19) * 2, strict=False):
        np.testing.assert_allclose(got, values, atol=2e-4)
    expected = [*map(fused, FUSED), *map(gradient, FUSED)]
    for got, values in zip(found[-4:], expected, strict=True):
        np.testing.assert_array_equal(got, values)


def test_seven_products_of_ranges_of_outputs() -> None:
    random = np.random.default_rng(0)
    x, w = (random.standard_normal(s).astype(np.float32) for s in ((2, 1030, 5, 3), (2400, 1030, 1, 1)))
    y = np.full((2, 2400, 5, 3), np.nan, np.float32)
    work = np.full(2**22, np.nan, np.float32)
    KERNELS.conv_forward_strassen([x], w, None, None, None, [y], work, 1, 1, 0, 0, 1, 1, 1, False, 0.0)
    expected = np.einsum("oc,nchw->nohw", w[:, :, 0, 0], x)
    np.testing.assert_allclose(y, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("outputs", [30, 2400])
def test_pictures_are_the_same_alone_and_together(name: str, outputs: int) -> None:
    random = np.random.default_rng(0)
    shapes = [(1, 1030, 21, 19), (2, 1030, 7, 5), (0, 1030, 4, 4), (1, 1030, 1, 1)]
    xs = [random.standard_normal(s).astype(np.float32) for s in shapes]
    w = random.standard_normal((outputs, 1030, 1, 1)).astype(np.float32)
    forward, work = getattr(KERNELS, f"conv_forward_{name}"), np.full(2**23, np.nan, np.float32)

    def maps(pictures: list[np.ndarray]) -> list[np.ndarray]:
        ys = [np.full((len(x), outputs, *x.shape[2:]), np.nan, np.float32) for x in pictures]
        forward(pictures, w, None, None, None, ys, work, 1, 1, 0, 0, 1, 1, 1, True, 0.1)
        return ys

    for x, y, backwards in zip(xs, maps(xs), maps(xs[::-1])[::-1], strict=True):
        np.testing.assert_array_equal(y, maps([x])[0])
        np.testing.assert_array_equal(y, backwards)


@pytest.mark.parametrize("name", FUSED)
def test_scratch_too_small_for_the_largest_picture_is_refused(name: str) -> None:
    xs, ys = ([np.ones((1, c, n, n), np.float32) for n in (2, 9)] for c in (4, 6))
    w, forward = np.ones((6, 4, 1, 1), np.float32), getattr(KERNELS, f"conv_forward_{name}")

    def run(size: int) -> None:
        forward(xs, w, None, None, None, ys, np.empty(size, np.float32), 1, 1, 0, 0, 1, 1, 1, False, 0.0)

    with pytest.raises(ValueError, match="at least") as error:
        run(0)
    needed = int(str(error.value).split("at least ")[1].split()[0])
    with pytest.raises(ValueError, match=f"has {needed - 1} elements; at least {needed}"):
        run(needed - 1)
    run(needed)
    for y in ys:
        np.testing.assert_array_equal(y, 4)


def test_seven_products_agree_with_one() -> None:
    expected = fused("packed")
    np.testing.assert_allclose(fused("strassen"), expected, atol=1e-5 * np.abs(expected).max())
