"""Reading pictures and labels, against what OpenCV 4.6 read from the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab.data import read_image, read_label, voc_palette, write_label_png
from pydeeplab.data.images import image_size
from pydeeplab.errors import DataError
from tests.support.external import DATA

with np.load(DATA / "imread_opencv.npz") as archive:
    RECORDED = {name: archive[name] for name in archive.files}
FILES = sorted(name.partition("/")[2] for name in RECORDED if name.startswith("file/"))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("gray", [False, True], ids=["rgb", "gray"])
def test_pixels_are_those_that_opencv_reads(tmp_path: Path, name: str, gray: bool) -> None:
    path = tmp_path / name
    path.write_bytes(RECORDED[f"file/{name}"].tobytes())
    got = read_image(path, gray)
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, RECORDED[f"{'gray' if gray else 'rgb'}/{name}"])


def test_orientation_can_be_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rotated.jpg"
    path.write_bytes(RECORDED["file/rotated.jpg"].tobytes())
    assert read_image(path).shape == (23, 17, 3)
    assert read_image(path, upright=False).shape == (17, 23, 3)
    assert image_size(path) == (17, 23)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "is empty"),
        (b"no picture", "no known picture format"),
        (b"\xff\xd8\xff\xe0 jpeg?", "cannot be read|damaged"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, contents: bytes, message: str) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(contents)
    with pytest.raises(DataError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_a_truncated_file_is_an_error_and_not_half_a_picture(tmp_path: Path) -> None:
    for name in ("420.jpg", "rgb.png"):
        path = tmp_path / name
        path.write_bytes(RECORDED[f"file/{name}"].tobytes()[:-60])
        with pytest.raises(DataError, match=f"{name}' is damaged"):
            read_image(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.png' does not exist"):
        read_image(tmp_path / "absent.png")
    with pytest.raises(DataError, match="is a folder"):
        read_image(tmp_path)


LABELS = np.array([[0, 1, 2], [20, 255, 7]], np.uint8)


@pytest.mark.parametrize("form", ["grey", "palette", "grey in RGB"])
def test_labels_of_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "label.png"
    if form == "grey in RGB":
        Image.fromarray(np.repeat(LABELS[:, :, None], 3, axis=2)).save(path)
    else:
        write_label_png(path, LABELS, voc_palette() if form == "palette" else None)
    np.testing.assert_array_equal(read_label(path), LABELS)


def test_coloured_labels_need_their_palette(tmp_path: Path) -> None:
    path = tmp_path / "label.png"
    Image.fromarray(voc_palette()[LABELS]).save(path)
    np.testing.assert_array_equal(read_label(path, voc_palette()), LABELS)
    with pytest.raises(DataError, match=r"holds colours, not classes: \(128, 0, 0\) at row 0, column 1"):
        read_label(path)
    with pytest.raises(
        DataError, match=r"label\.png': colour \(128, 128, 128\) at row 1, column 2 is not in the palette"
    ):
        read_label(path, np.delete(voc_palette(), 7, axis=0))
    expected = np.where(LABELS == 7, 255, LABELS)
    palette = voc_palette()
    palette[7] = 1, 2, 3
    np.testing.assert_array_equal(read_label(path, palette, unknown=255), expected)


def test_labels_of_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "label.png"
    labels = LABELS.astype(np.int32) * 100
    write_label_png(path, labels)
    got = read_label(path)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, labels)


def test_jpeg_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "label.jpg"
    Image.fromarray(LABELS).save(path)
    with pytest.raises(DataError, match="Store labels as PNG"):
        read_label(path)
