"""What is tried."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydeeplab.crf_search.grid import PAPER_GRID, neighbours, parse_values
from pydeeplab.errors import UsageError


def test_the_papers_grid() -> None:
    assert len(PAPER_GRID.points()) == 4 * 8 * 4
    assert PAPER_GRID.steps() == (1, 10, 1)
    assert (min(PAPER_GRID.xy), max(PAPER_GRID.xy)) == (30, 100)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3:6", (3, 4, 5, 6)),
        ("30:10:50", (30, 40, 50)),
        ("4", (4,)),
        ("5,3,5", (3, 5)),
        ("1:0.1:1.3", (1, 1.1, 1.2, 1.3)),
    ],
)
def test_values(text: str, values: tuple[float, ...]) -> None:
    assert parse_values(text, "w") == values


@pytest.mark.parametrize("text", ["", "a", "3:", "6:3", "1:0:5", "0:3", "-1", "nan", "inf", "1:1e-9:5", "1:2:3:4"])
def test_wrong_values(text: str) -> None:
    with pytest.raises(UsageError, match="w wants positive numbers"):
        parse_values(text, "w")


@given(
    st.tuples(*[st.floats(0.01, 100)] * 3),
    st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 10.0])] * 3),
)
def test_neighbours_are_positive_and_close(centre: tuple, steps: tuple) -> None:
    points = neighbours(centre, steps)
    assert len(points) == len(set(points)) <= 27
    assert any(np.allclose(p, centre, atol=1e-6) for p in points)
    for point in points:
        assert min(point) > 0
        assert all(abs(a - b) <= step + 1e-6 for a, b, step in zip(point, centre, steps, strict=True))
