"""Class sets, colours to labels and back, overlays, legends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pydeeplab.data import class_set, colorize, decolorize, overlay, read_label, voc_palette, write_label_png
from pydeeplab.data.classes import CLASS_SETS, read_palette
from pydeeplab.data.drawing import add_legend
from pydeeplab.errors import DataError, UsageError

KNOWN = {
    0: (0, 0, 0),
    1: (128, 0, 0),
    8: (64, 0, 0),
    11: (192, 128, 0),
    15: (192, 128, 128),
    20: (0, 64, 128),
    255: (224, 224, 192),
}


def test_voc_colours() -> None:
    palette = voc_palette()
    assert {index: tuple(palette[index].tolist()) for index in KNOWN} == KNOWN
    assert len(np.unique(palette, axis=0)) == 256


@pytest.mark.parametrize(("name", "count"), [*zip(CLASS_SETS, (21, 60, 7, 19, 12), strict=True)])
def test_class_sets_have_distinct_names_and_colours(name: str, count: int) -> None:
    classes = class_set(name)
    assert len(classes) == len(set(classes.names)) == count
    assert len(np.unique(classes.palette[:count], axis=0)) == count
    assert (classes.label(255), classes.label(254)) == ("void", "class 254")


def test_class_file_with_and_without_colours(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("background\ntraffic light 250 170 30\n\nstreet 7\n")
    classes = class_set(path)
    assert classes.names == ("background", "traffic light", "street 7")
    assert classes.background == 0
    assert classes.palette[1].tolist() == [250, 170, 30]
    assert classes.palette[2].tolist() == voc_palette()[2].tolist()
    for content, message in ((b"\n", "is empty"), (b"\xff\xfe", "is no UTF-8 text"), (b"a\n" * 257, "has 257 classes")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            class_set(path)
    path.write_text("lane ² ² ²\n")
    assert class_set(path).names == ("lane ² ² ²",)
    with pytest.raises(UsageError, match="Did you mean 'voc12'"):
        class_set("voc11")


def test_palette_file(tmp_path: Path) -> None:
    path = tmp_path / "colours.txt"
    path.write_text("1 2 3\n4, 5, 6\n")
    assert read_palette(path)[:3].tolist() == [[1, 2, 3], [4, 5, 6], [0, 128, 0]]
    for line in ("4 5", "4 5 ²", "4 5 256"):
        path.write_text(f"1 2 3\n{line}\n")
        with pytest.raises(DataError, match=r"colours\.txt:2: expected three numbers"):
            read_palette(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is no UTF-8 text"):
        read_palette(path)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(deadline=None, max_examples=20)
def test_colours_and_back(labels: np.ndarray) -> None:
    np.testing.assert_array_equal(decolorize(colorize(labels, voc_palette()), voc_palette()), labels)


def test_equal_colours_mean_the_first_class() -> None:
    palette = np.array([[1, 1, 1], [2, 2, 2], [1, 1, 1]], np.uint8)
    assert decolorize(palette[None], palette).tolist() == [[0, 1, 0]]


def test_written_label_maps_show_their_colours(tmp_path: Path) -> None:
    labels = np.array([[0, 15, 255]], np.uint8)
    path = tmp_path / "label.png"
    write_label_png(path, labels.astype(np.int64), voc_palette())
    with Image.open(path) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.array(picture.convert("RGB")), voc_palette()[labels])
    np.testing.assert_array_equal(read_label(path), labels)
    assert [f.name for f in tmp_path.iterdir()] == ["label.png"]


@pytest.mark.parametrize("labels", [np.zeros((2, 2)), np.zeros(4, int), np.full((1, 1), -1), np.full((1, 1), 65536)])
def test_what_is_no_label_map(tmp_path: Path, labels: np.ndarray) -> None:
    with pytest.raises(DataError):
        write_label_png(tmp_path / "x.png", labels)
    assert not list(tmp_path.iterdir())


def test_overlay_mixes_outlines_and_leaves_clear() -> None:
    image = np.full((6, 8, 3), 100, np.uint8)
    labels = np.zeros((6, 8), int)
    labels[:, 4:] = 1
    palette = np.array([[0, 0, 0], [200, 0, 50]], np.uint8)
    mixed = overlay(image, labels, palette, 0.5, clear=[0])
    assert (mixed[:, :4] == 100).all()
    assert (mixed[:, 4] == [200, 0, 50]).all()
    assert (mixed[:, 5:] == [150, 50, 75]).all()
    np.testing.assert_array_equal(overlay(image, labels, palette, 0, outline=True), image)
    np.testing.assert_array_equal(overlay(image, labels, palette, 1), palette[labels])
    np.testing.assert_array_equal(overlay(image[:, :, 0], labels, palette, 0.5, clear=[0]), mixed)
    with pytest.raises(UsageError, match="alpha"):
        overlay(image, labels, palette, 1.5)
    with pytest.raises(DataError, match="6 x 8"):
        overlay(image, labels[:5], palette)


def test_legend_shows_every_colour_below_the_untouched_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 200, (90, 200, 3), dtype=np.uint8)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (250, 120, 3)]
    entries = [(f"class number {i}", "12 %", c) for i, c in enumerate(colours)]
    drawn = add_legend(picture, entries)
    np.testing.assert_array_equal(drawn[:90, :200], picture)
    below = drawn[90:].reshape(-1, 3)
    for colour in colours:
        assert (below == colour).all(axis=1).sum() > 50
    assert (below == 255).all(axis=1).mean() > 0.5
    assert add_legend(picture, []) is picture


def test_legend_of_a_tiny_picture_widens_it() -> None:
    drawn = add_legend(np.zeros((5, 5, 3), np.uint8), [("a rather long name", "3 %", (9, 9, 9))])
    assert drawn.shape[1] > 100
