"""Ticks, limits, and what charts look like as SVG, PNG and CSV."""

from __future__ import annotations

import base64
import csv
import io
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pydeeplab.errors import DataError, UsageError
from pydeeplab.plotting import Chart, Series, to_csv, to_png, to_svg, write_chart
from pydeeplab.plotting.layout import Bitmap, Box, Dot, Line, Picture, Text, lay_out
from pydeeplab.plotting.ticks import format_tick, linear_ticks, log_ticks
from pydeeplab.plotting.write import encoded, picture_png, picture_svg

SVG = "{http://www.w3.org/2000/svg}"


def lines(chart: Chart) -> list[Line]:
    return [p for p in lay_out(chart).parts if isinstance(p, Line) and p.colour in ("#0072b2", "#d55e00")]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_and_inside(low: float, span: float) -> None:
    high = low + span
    ticks = linear_ticks(low, high)
    assert 2 <= len(ticks) <= 13
    slack = 1e-6 * span + 1e-9
    assert all(low - slack <= t <= high + slack for t in ticks)
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3, atol=1e-9)
    mantissa = float(f"{steps[0]:.1e}".partition("e")[0])
    assert mantissa in (1.0, 2.0, 5.0)


@given(st.floats(-8, 8), st.floats(0.1, 10))
def test_log_ticks_are_inside(low: float, decades: float) -> None:
    ends = 10**low, 10 ** (low + decades)
    ticks = log_ticks(*ends)
    assert 2 <= len(ticks) <= 12
    assert all(ends[0] * (1 - 1e-6) <= t <= ends[1] * (1 + 1e-6) for t in ticks)
    assert ticks == sorted(ticks)


@pytest.mark.parametrize(
    ("iterations", "shown"),
    [
        ([0], ["0", "1"]),
        ([3], ["2", "3", "4"]),
        ([0, 1], ["0", "1"]),
        ([1, 2, 3, 4, 5], ["1", "2", "3", "4", "5"]),
        ([0, 40], ["0", "5", "10", "15", "20", "25", "30", "35", "40"]),
        ([0.5, 3], ["0.5", "1", "1.5", "2", "2.5", "3"]),
    ],
)
def test_counts_have_whole_ticks(iterations: list[float], shown: list[str]) -> None:
    texts = [p for p in lay_out(Chart("", "", "", [Series("", iterations, iterations)])).parts if isinstance(p, Text)]
    assert [p.text for p in texts if p.anchor == "middle"] == shown


def test_tick_texts() -> None:
    assert [format_tick(v) for v in (-0.5, 1, 1234, 12500, 3e6, 2.5e-4)] == [
        "-0.5", "1", "1234", "12.5k", "3M", "2.5e-4",
    ]  # fmt: skip


def test_points_lie_where_they_should() -> None:
    chart = Chart("t", "x", "y", [Series("a", [0, 5, 10], [0, 50, 100])], y_low=0, y_high=100)
    left, top, right, bottom = lay_out(chart).frame
    (line,) = lines(chart)
    middle = ((left + right) / 2, (top + bottom) / 2)
    np.testing.assert_allclose(line.points, [(left, bottom), middle, (right, top)])


def test_logarithmic_axes_space_powers_evenly_and_drop_zero() -> None:
    chart = Chart(series=[Series("a", [0, 1, 2, 3], [0, 0.1, 1, 10])], log_y=True)
    (line,) = lines(chart)
    assert len(line.points) == 3
    heights = np.diff(line.points[:, 1])
    assert heights[0] == pytest.approx(heights[1])
    assert heights[0] < 0


def test_gaps_split_a_line_and_lone_points_are_dots() -> None:
    chart = Chart(series=[Series("a", range(6), [1, 2, math.nan, 3, math.inf, 2])])
    parts = lay_out(chart).parts
    assert len(lines(chart)) == 1
    assert sum(isinstance(p, Dot) for p in parts) == 2


def test_very_long_series_keep_their_extremes() -> None:
    y = np.zeros(100_000)
    y[31_234], y[77_777] = 5, -5
    chart = Chart(series=[Series("a", np.arange(len(y)), y)], y_low=-5, y_high=5)
    (line,) = lines(chart)
    assert len(line.points) <= 4100
    _, top, _, bottom = lay_out(chart).frame
    assert line.points[:, 1].min() == pytest.approx(top)
    assert line.points[:, 1].max() == pytest.approx(bottom)
    assert (np.diff(line.points[:, 0]) >= 0).all()


@pytest.mark.parametrize("y", [[], [3.0], [3.0, 3.0], [math.nan]])
def test_charts_of_next_to_nothing(y: list[float]) -> None:
    chart = Chart("title", "x", "y", [Series("a", range(len(y)), y)])
    ElementTree.fromstring(to_svg(chart))
    assert to_png(chart).startswith(b"\x89PNG")


def test_legend_titles_and_escaping() -> None:
    chart = Chart("a < b", "x & y", "", [Series("one", [0, 1], [0, 1]), Series("<two>", [0, 1], [1, 0])])
    root = ElementTree.fromstring(to_svg(chart))
    texts = [t.text for t in root.iter(f"{SVG}text")]
    for expected in ("a < b", "x & y", "one", "<two>"):
        assert expected in texts
    alone = Chart("", "x", "", [Series("one", [0, 1], [0, 1])])
    assert "one" not in [p.text for p in lay_out(alone).parts if isinstance(p, Text)]


def test_many_legend_entries_wrap_within_the_picture() -> None:
    chart = Chart(series=[Series(f"a rather long name {i}", [0, 1], [0, i]) for i in range(9)])
    picture = lay_out(chart)
    names = [p for p in picture.parts if isinstance(p, Text) and p.text.startswith("a rather")]
    assert len({p.y for p in names}) > 1
    assert max(p.x for p in names) < picture.width
    assert picture.frame[1] > max(p.y for p in names)


def test_png_is_drawn() -> None:
    chart = Chart("", "", "", [Series("a", [0, 1], [0, 0.5], colour="#ff0000")], y_low=0, y_high=1)
    left, _, right, bottom = lay_out(chart, 400, 300).frame
    image = np.asarray(Image.open(io.BytesIO(to_png(chart, 400, 300, scale=1))).convert("RGB")).astype(int)
    assert image.shape == (300, 400, 3)
    red = (image[..., 0] > 200) & (image[..., 1] < 120)
    rows, columns = np.nonzero(red)
    assert abs(columns.min() - left) < 3
    assert abs(columns.max() - right) < 3
    assert abs(rows.max() - bottom) < 4


def test_csv_joins_series_by_position() -> None:
    chart = Chart("", "it", "", [Series("a", [0, 2], [1, 2.5]), Series("b, c", [2, 3], [7, math.nan])])
    rows = list(csv.reader(io.StringIO(to_csv(chart))))
    assert rows == [["it", "a", "b, c"], ["0", "1", ""], ["2", "2.5", "7"], ["3", "", "nan"]]


def test_smoothing_by_hand() -> None:
    smooth = Series("a", range(5), [1, 3, math.nan, 5, 8]).smoothed(2)
    np.testing.assert_allclose(smooth.y, [1, 2, math.nan, 5, 6.5])


def test_files_by_suffix(tmp_path: Path) -> None:
    chart = Chart(series=[Series("a", [0, 1], [0, 1])])
    for suffix, begin in ((".svg", b"<svg"), (".PNG", b"\x89PNG"), (".csv", b"x,a")):
        write_chart(tmp_path / f"c{suffix}", chart)
        assert (tmp_path / f"c{suffix}").read_bytes().startswith(begin)
    with pytest.raises(UsageError, match=r"ends with \.csv, \.png, \.svg"):
        write_chart(tmp_path / "c.pdf", chart)
    with pytest.raises(DataError, match="2 positions and 3 values"):
        Series("a", [0, 1], [0, 1, 2])


def test_boxes_and_bitmaps_in_pictures() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0] = (200, 10, 20)
    parts = [
        Box(2, 3, 10, 6, fill="#00ff00", opacity=0.5),
        Box(20, 3, 10, 6, line="#0000ff", line_width=2),
        Bitmap(40, 2, 8, 8, pixels),
    ]
    picture = Picture(60, 20, (0, 0, 60, 20), parts)
    with Image.open(io.BytesIO(picture_png(picture, scale=1))) as drawn:
        shown = np.asarray(drawn).astype(int)
    np.testing.assert_allclose(shown[5, 6], (127, 255, 127), atol=2)
    assert shown[1, 6].tolist() == [255, 255, 255]
    assert shown[3, 25].tolist() == [0, 0, 255]
    assert shown[6, 25].tolist() == [255, 255, 255]
    assert shown[3, 42].tolist() == [200, 10, 20]
    assert shown[8, 46].tolist() == [0, 0, 0]
    root = ElementTree.fromstring(picture_svg(picture, "a <title>"))
    assert [e.get("fill") for e in root.findall(f"{SVG}rect")][1:] == ["#00ff00", "none"]
    (image,) = root.findall(f"{SVG}image")
    uri = image.get("href") or ""
    with Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))) as held:
        np.testing.assert_array_equal(np.asarray(held), pixels)
    assert encoded(pixels, photo=True).startswith("data:image/jpeg")
    with Image.open(io.BytesIO(picture_png(picture, scale=1, colours=16))) as small:
        assert small.mode == "P"
        reduced = np.asarray(small.convert("RGB"))
    assert reduced[15, 30].tolist() == [255, 255, 255]
    assert reduced[3, 25].tolist() == [0, 0, 255]
