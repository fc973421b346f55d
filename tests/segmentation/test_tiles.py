"""Cutting and merging: what tiles cover, where they begin, and that strips put together give the whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydeeplab.errors import UsageError
from pydeeplab.segmentation.tiles import MERGES, Span, spans, strips

RANDOM = np.random.default_rng(2)


@given(st.integers(1, 400), st.integers(1, 120), st.integers(0, 119), st.sampled_from([1, 2, 8, 32]))
@settings(deadline=None)
def test_spans_cover_everything_on_the_grid(size: int, tile: int, overlap: int, step: int) -> None:
    if overlap >= tile or (size > tile and overlap > tile - step):
        with pytest.raises(UsageError, match="cannot overlap"):
            spans(size, tile, overlap, step)
        return
    parts = spans(size, tile, overlap, step)
    assert parts[0].start == parts[0].own_start == 0
    assert parts[-1].stop == parts[-1].own_stop == size
    for part in parts:
        assert part.start % step == 0
        assert part.start <= part.own_start < part.own_stop <= part.stop
    for part in parts[:-1]:
        assert part.stop - part.start == min(tile, size)
    for left, right in itertools.pairwise(parts):
        assert left.stop - right.start >= overlap
        assert left.own_stop == right.own_start
    if step == 1 and len(parts) > 1:
        assert parts[-1].stop - parts[-1].start == tile
        assert (len(parts) - 1) * (tile - overlap) < size - overlap


@given(
    st.integers(20, 70), st.integers(20, 70), st.integers(9, 30), st.integers(0, 8), st.sampled_from(MERGES), st.data()
)
@settings(deadline=None, max_examples=60)
def test_strips_give_back_what_the_tiles_agree_on(
    height: int, width: int, tile: int, overlap: int, merge: str, data: st.DataObject
) -> None:
    step = data.draw(st.sampled_from([1, 4] if tile - overlap > 4 else [1]))
    whole = np.random.default_rng(height).standard_normal((3, height, width), np.float32)
    parts = list(
        strips(
            spans(height, tile, overlap, step),
            spans(width, tile, overlap, step),
            merge,
            lambda r, c: whole[:, r.start : r.stop, c.start : c.stop],
        )
    )
    assert [part.start for part in parts] == [0, *itertools.accumulate(p.scores.shape[1] for p in parts)][:-1]
    merged = np.concatenate([part.scores for part in parts], axis=1)
    if merge == "centre":
        np.testing.assert_array_equal(merged, whole)
    else:
        np.testing.assert_allclose(merged, whole, rtol=1e-5, atol=1e-6)


def numbered(row: Span, column: Span) -> np.ndarray:
    """Scores of a tile that tell which tile it is."""
    value = 10 * row.start + column.start
    return np.full((1, row.stop - row.start, column.stop - column.start), value, np.float32)


def test_the_centre_merge_takes_the_nearest_tile() -> None:
    rows, columns = spans(7, 5, 3), spans(12, 8, 4)
    (first, second) = strips(rows, columns, "centre", numbered)
    assert first.scores[0, 0].tolist() == [0] * 6 + [4] * 6
    assert (first.scores.shape[1], second.rows) == (3, slice(3, 7))
    assert second.scores[0, 0].tolist() == [20] * 6 + [24] * 6


def test_averages_trust_a_tiles_middle_more_than_its_edge() -> None:
    columns = spans(15, 10, 5)

    def of_the_second(row: Span, column: Span) -> np.ndarray:
        return np.full((1, 1, 10), column == columns[1], np.float32)

    (strip,) = strips(spans(1, 1, 0), columns, "average", of_the_second)
    scores = strip.scores[0, 0]
    assert (scores[:5] == 0).all()
    assert (scores[10:] == 1).all()
    assert (np.diff(scores[4:11]) > 0).all()


def test_only_a_row_of_tiles_is_held() -> None:
    rows, columns = spans(1000, 50, 10), spans(60, 50, 10)
    for merge in MERGES:
        tallest = max(strip.scores.shape[1] for strip in strips(rows, columns, merge, numbered))
        assert tallest <= 50


def test_an_unknown_merge() -> None:
    with pytest.raises(UsageError, match="unknown merge 'max'"):
        next(strips(spans(9, 5, 1), spans(5, 5, 1), "max", numbered))
