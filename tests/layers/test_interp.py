"""Interp."""

import warnings

import numpy as np
import pytest

from pydeeplab.backend import get_backend
from pydeeplab.errors import LayerError, ShapeError, UnsupportedError
from tests.layers.nets import net_text, run
from tests.support.gradient import check_gradient
from tests.support.threads import num_threads

RANDOM = np.random.default_rng(2)


def interp(param: str, x: np.ndarray) -> np.ndarray:
    return run(f'type: "Interp" top: "y" interp_param {{ {param} }}', {"x": x}).blobs["y"].data


def by_formula(x: np.ndarray, out: tuple[int, int]) -> np.ndarray:
    """The four-point formula, pixel by pixel, in double, but for the coordinates, which Caffe has in single."""
    height, width = x.shape[2:]
    y = np.empty((*x.shape[:2], *out))
    for i in range(out[0]):
        for j in range(out[1]):
            v = float(np.float32(height - 1) / np.float32(out[0] - 1) * np.float32(i)) if out[0] > 1 else 0
            u = float(np.float32(width - 1) / np.float32(out[1] - 1) * np.float32(j)) if out[1] > 1 else 0
            a, b = min(int(v), height - 1), min(int(u), width - 1)
            c, d = min(a + 1, height - 1), min(b + 1, width - 1)
            p, q = v - a, u - b
            y[:, :, i, j] = (1 - p) * ((1 - q) * x[:, :, a, b] + q * x[:, :, a, d]) + p * (
                (1 - q) * x[:, :, c, b] + q * x[:, :, c, d]
            )
    return y


@pytest.mark.parametrize(
    ("param", "size", "expected"),
    [
        ("shrink_factor: 8", (321, 17), (41, 3)),
        ("shrink_factor: 8", (320, 16), (40, 2)),
        ("zoom_factor: 8", (41, 5), (321, 33)),
        ("shrink_factor: 4 zoom_factor: 3", (321, 9), (241, 7)),
        ("shrink_factor: 3 zoom_factor: 4", (31, 11), (41, 13)),
        ("height: 7 width: 12", (5, 5), (7, 12)),
        ("height: 7 width: 12 zoom_factor: 2", (5, 5), (9, 9)),
        ("height: 7 width: 12 shrink_factor: 2", (5, 5), (3, 3)),
        ("height: 7 width: 12 shrink_factor: 2 zoom_factor: 2", (5, 5), (7, 12)),
        ("height: 7 zoom_factor: 2 shrink_factor: 4", (9, 9), (5, 5)),
        ("shrink_factor: 8 pad_beg: -1", (306, 10), (39, 2)),
        ("zoom_factor: 2 pad_beg: -2 pad_end: -1", (9, 8), (11, 9)),
        ("zoom_factor: 1", (4, 5), (4, 5)),
        ("shrink_factor: 1", (1, 1), (1, 1)),
    ],
)
def test_size_and_values(param: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    x = RANDOM.standard_normal((1, 2, *size)).astype(np.float32)
    y = interp(param, x)
    assert y.shape == (1, 2, *expected)
    begin = 1 if "pad_beg: -1" in param else 2 if "pad_beg: -2" in param else 0
    end = 1 if "pad_end: -1" in param else 0
    window = x[:, :, begin : size[0] - end, begin : size[1] - end]
    np.testing.assert_allclose(y, by_formula(window, expected), atol=1e-6)


def test_zoom_keeps_the_source_pixels() -> None:
    x = RANDOM.standard_normal((2, 3, 6, 5)).astype(np.float32)
    np.testing.assert_array_equal(interp("zoom_factor: 8", x)[:, :, ::8, ::8], x)


@pytest.mark.parametrize(
    "param",
    [
        "zoom_factor: 3",
        "shrink_factor: 2",
        "height: 3 width: 8",
        "height: 1 width: 1",
        "zoom_factor: 2 pad_beg: -1 pad_end: -2",
        "zoom_factor: 1 pad_beg: -1",
        "shrink_factor: 3 zoom_factor: 4",
    ],
)
def test_gradient(param: str) -> None:
    check_gradient(net_text(f'type: "Interp" top: "y" interp_param {{ {param} }}', x=(2, 2, 7, 6)))


@pytest.mark.parametrize(
    ("param", "error", "message"),
    [
        ("", LayerError, "needs shrink_factor, zoom_factor"),
        ("height: 5", LayerError, "needs shrink_factor, zoom_factor"),
        ("zoom_factor: 0", LayerError, "zoom_factor must be at least 1, got 0"),
        ("shrink_factor: -2", LayerError, "shrink_factor must be at least 1"),
        ("zoom_factor: 2 pad_beg: 1", LayerError, "only crop.*Padding"),
        ("zoom_factor: 2 pad_beg: -3 pad_end: -3", ShapeError, "leave nothing of height 6"),
        ("height: 0 width: 4", ShapeError, "output's height must be at least 1, got 0"),
    ],
)
def test_wrong_parameters(param: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        interp(param, np.zeros((1, 1, 6, 6), np.float32))


def test_wrong_number_of_axes() -> None:
    with pytest.raises(ShapeError, match="4 axes"):
        interp("zoom_factor: 2", np.zeros((3, 4), np.float32))


def as_labels(param: str, x: np.ndarray):
    net = run(f'type: "Interp" top: "y" interp_param {{ {param} }}', {"x": x})
    net.layers[-1].is_label = True
    net.forward()
    return net


def test_labels_of_even_sizes_are_sampled() -> None:
    labels = RANDOM.integers(0, 21, (1, 1, 33, 17)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = as_labels("shrink_factor: 8", labels).blobs["y"].data
    np.testing.assert_array_equal(y, labels[:, :, ::8, ::8])
    np.testing.assert_array_equal(interp("shrink_factor: 8", labels), y)


def test_labels_of_odd_sizes_are_not_blended() -> None:
    labels = np.where(RANDOM.random((1, 1, 32, 32)) < 0.5, 0, 255).astype(np.float32)
    assert not np.isin(interp("shrink_factor: 8", labels), (0, 255)).all()
    with pytest.warns(UserWarning, match=r"size 32 do not shrink evenly by 8.*25 or 33"):
        net = as_labels("shrink_factor: 8", labels)
    nearest = np.floor(np.arange(4) * (31 / 3) + 0.5).astype(int)
    np.testing.assert_array_equal(net.blobs["y"].data, labels[:, :, nearest[:, None], nearest])
    with pytest.raises(UnsupportedError, match="no gradient"):
        net.layers[-1].backward([net.blobs["y"]], [True], [net.blobs["x"]])


def test_native_results_do_not_depend_on_the_number_of_threads() -> None:
    x = RANDOM.standard_normal((5, 41, 43)).astype(np.float32)
    kernels = get_backend("cpu").kernels
    results = []
    for threads in (1, 2, 3):
        y, dx = np.empty((5, 161, 169), np.float32), np.empty_like(x)
        with num_threads(threads):
            kernels.interp_forward(x, y, 0, 0, 41, 43)
            kernels.interp_backward(y, dx, 0, 0, 41, 43)
        results.append((y.tobytes(), dx.tobytes()))
    assert results[0] == results[1] == results[2]


def test_window_outside_is_refused() -> None:
    x, y = np.zeros((1, 4, 4), np.float32), np.zeros((1, 4, 4), np.float32)
    with pytest.raises(ValueError, match="outside"):
        get_backend("cpu").kernels.interp_forward(x, y, 2, 0, 3, 4)
