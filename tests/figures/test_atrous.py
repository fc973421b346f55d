"""Sparse and dense feature extraction: what is drawn is what the definition says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from pydeeplab.data.synthetic import scene
from pydeeplab.errors import UsageError
from pydeeplab.figures.atrous import atrous_figure, gaussian_derivative, responses
from pydeeplab.figures.atrous_line import line_figure
from pydeeplab.plotting.layout import Bitmap, Dot, Line, Text


@pytest.mark.parametrize("rate", [2, 3])
def test_dense_responses_hold_the_sparse_ones(rate: int) -> None:
    gray = np.random.default_rng(1).normal(0, 50, (45, 61)).astype(np.float32)
    sparse, dense = responses(gray, rate)
    assert dense.shape == gray.shape
    np.testing.assert_allclose(dense[::rate, ::rate], sparse, atol=1e-4)
    kernel = gaussian_derivative()
    holes = np.zeros((6 * rate + 1,) * 2)
    holes[::rate, ::rate] = kernel
    np.testing.assert_allclose(dense, signal.correlate2d(gray, holes, "same"), atol=1e-3)


def test_the_kernel_answers_to_rows_that_change() -> None:
    kernel = gaussian_derivative()
    np.testing.assert_allclose(kernel, -kernel[::-1], atol=1e-8)
    np.testing.assert_allclose(kernel, kernel[:, ::-1], atol=1e-8)
    assert np.abs(kernel).sum() == pytest.approx(1, rel=1e-6)


def test_the_figure_says_what_it_shows() -> None:
    image, _ = scene(5, 90, 110)
    figure = atrous_figure(image, "a scene", rate=3)
    texts = [part.text for part in figure.picture.parts if isinstance(part, Text)]
    assert "at 11 % of the positions" in texts
    assert "at 100 % of the positions" in texts
    assert "30 x 37" in texts
    assert "every third pixel" in figure.caption
    assert "1 of 9 positions" in figure.caption
    assert sum(isinstance(part, Bitmap) for part in figure.picture.parts) == 6


def test_the_diagram_has_a_line_for_each_weight() -> None:
    figure = line_figure(2, 3, 17)
    marked = [p for p in figure.picture.parts if isinstance(p, Line) and p.width > 1]
    assert len(marked) == 6  # three taps of the marked output, above and below
    reach = [abs(p.points[1, 0] - p.points[0, 0]) for p in marked]
    assert sorted(reach)[:2] == [0, 0]
    assert sorted(reach)[2] == pytest.approx(68)  # the outer taps lie two elements away in both
    circles = {(p.x, p.y) for p in figure.picture.parts if isinstance(p, Dot)}
    assert len(circles) == 2 * 9 + 2 * 17


def test_rates_that_are_none() -> None:
    with pytest.raises(UsageError, match="both extractions are the same"):
        line_figure(1)
    with pytest.raises(UsageError, match="both extractions are the same"):
        atrous_figure(np.zeros((90, 90, 3), np.uint8), "x", rate=1)
    with pytest.raises(UsageError, match="20 x 20 is too small for rate 2"):
        atrous_figure(np.zeros((20, 20, 3), np.uint8), "x")
