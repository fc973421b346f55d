"""Pictures and masks of one's own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab.data import class_set, colorize, read_label, voc_palette, write_label_png
from pydeeplab.data.palette import write_png
from pydeeplab.errors import DataError, UsageError
from pydeeplab.prepare import Prepared, prepare
from tests.prepare.devkits import SIZE, labels_of, write_ids, write_image

NAMES = [f"photo{i}" for i in range(10)]


def make(root: Path, names: list[str] = NAMES, classes: int = 3, suffix: str = "") -> Path:
    base = root / "mine"
    for name in names:
        write_image(base / "images" / f"{name}.png")
        mask = base / "masks" / f"{name}{suffix}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        write_label_png(mask, labels_of(name, classes))
    return base


def run(base: Path, **options: object) -> Prepared:
    return prepare("own", base, base.parent / "work", **options)


def label(prepared: Prepared, name: str) -> np.ndarray:
    return read_label(prepared.data_root / "labels" / f"{name}.png")


def test_index_masks_and_dealt_sets(tmp_path: Path) -> None:
    base = make(tmp_path)
    prepared = run(base)
    assert prepared.ok
    assert prepared.exp == "mine"
    assert {n: c.found for n, c in prepared.counts.items()} == {"train": 8, "val": 2, "trainval": 10}
    for name in NAMES:
        np.testing.assert_array_equal(label(prepared, name), labels_of(name, 3))
    assert class_set(prepared.class_file).names == ("class 0", "class 1", "class 2")
    (line,) = (x for x in prepared.lists["trainval"].read_text().splitlines() if "photo3" in x)
    assert line == "/images/photo3.png /labels/photo3.png"
    assert run(base).same
    lists = {n: p.read_text() for n, p in prepared.lists.items()}
    other = {n: p.read_text() for n, p in run(base, seed=1).lists.items()}
    assert other["trainval"] == lists["trainval"]
    assert other["val"] != lists["val"]


def test_sets_from_lists_and_pictures_without_masks(tmp_path: Path) -> None:
    base = make(tmp_path)
    write_ids(base / "train.txt", ["photo0", "photo1.png", "/photo2"])
    write_ids(base / "test.txt", ["photo9"])
    (base / "masks" / "photo9.png").unlink()
    prepared = run(base)
    assert {n: c.found for n, c in prepared.counts.items()} == {"train": 3, "test": 1, "trainval": 3}
    assert prepared.lists["test"].read_text() == "/images/photo9.png\n"
    write_ids(base / "val.txt", ["photo77"])
    with pytest.raises(DataError, match=r"val\.txt: there is no picture 'photo77'"):
        run(base)


def test_sets_from_folders(tmp_path: Path) -> None:
    base = make(tmp_path, ["train/a", "train/b", "val/a", "test/c"])
    prepared = run(base)
    assert {n: c.found for n, c in prepared.counts.items()} == {"train": 2, "val": 1, "test": 1, "trainval": 3}
    np.testing.assert_array_equal(label(prepared, "val/a"), labels_of("val/a", 3))
    assert prepared.lists["val"].read_text() == "/images/val/a.png /labels/val/a.png\n"


def test_masks_with_a_palette_and_a_suffix(tmp_path: Path) -> None:
    base = make(tmp_path, suffix="_L")
    for name in NAMES:
        write_label_png(base / "masks" / f"{name}_L.png", labels_of(name, 3), voc_palette())
    prepared = run(base, mask_suffix="_L")
    for name in NAMES:
        np.testing.assert_array_equal(label(prepared, name), labels_of(name, 3))


def test_coloured_masks(tmp_path: Path) -> None:
    base = make(tmp_path)
    colours = np.array([(10, 20, 30), (200, 0, 0), (0, 200, 0)], np.uint8)
    for name in NAMES:
        write_png(base / "masks" / f"{name}.png", colorize(labels_of(name, 3), colours))
    (base / "classes.txt").write_text("ground 10 20 30\nred thing 200 0 0\ngrass 0 200 0\n")
    assert len(run(base).problems) == 10
    prepared = run(base, classes=base / "classes.txt")
    assert prepared.ok
    assert prepared.classes.names == ("ground", "red thing", "grass")
    for name in NAMES:
        np.testing.assert_array_equal(label(prepared, name), labels_of(name, 3))
    odd = colorize(labels_of("x", 3), colours)
    odd[2, 3] = (1, 1, 1)
    write_png(base / "masks" / "photo0.png", odd)
    (problem,) = run(base, classes=base / "classes.txt").problems
    assert "colour (1, 1, 1) at row 2, column 3 is not in the palette" in problem
    lenient = run(base, classes=base / "classes.txt", unknown=255)
    assert label(lenient, "photo0")[2, 3] == 255


def test_two_valued_masks(tmp_path: Path) -> None:
    base = make(tmp_path)
    for name in NAMES:
        write_label_png(base / "masks" / f"{name}.png", labels_of(name, 2) * 255)
    prepared = run(base, values=[0, 255])
    for name in NAMES:
        np.testing.assert_array_equal(label(prepared, name), labels_of(name, 2))
    write_label_png(base / "masks" / "photo0.png", labels_of("photo0", 2) * 7)
    (problem,) = run(base, values=[0, 255]).problems
    assert "value 7 at row" in problem
    with pytest.raises(UsageError, match="values must be different numbers"):
        run(base, values=[1, 1])


def test_labels_beyond_the_classes(tmp_path: Path) -> None:
    base = make(tmp_path)
    (tmp_path / "two.txt").write_text("background\nthing\n")
    prepared = run(base, classes=tmp_path / "two.txt")
    assert len(prepared.problems) == 10
    assert "is neither a class (0..1) nor 255, the void" in prepared.problems[0]


def test_pictures_that_the_camera_turned(tmp_path: Path) -> None:
    """Nets read them upright, so masks have to be upright."""
    base = make(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = Image.fromarray(np.zeros((*SIZE[::-1], 3), np.uint8))
    (base / "images" / "photo0.png").unlink()
    pixels.save(base / "images" / "photo0.jpg", exif=exif)
    assert run(base).ok
    write_label_png(base / "masks" / "photo0.png", labels_of("photo0", 3).T)
    (problem,) = run(base).problems
    assert "EXIF orientation" in problem


def test_what_cannot_be_prepared(tmp_path: Path) -> None:
    base = make(tmp_path)
    with pytest.raises(UsageError, match=r"folder of images '.*photos' does not exist"):
        run(base, images="photos")
    with pytest.raises(UsageError, match="val_share must be 0 to 1"):
        run(base, val_share=2)
    with pytest.raises(UsageError, match="cannot be a folder's name"):
        run(base, name="a/b")
    (base / "masks" / "photo3.png").unlink()
    with pytest.raises(DataError, match=r"1 of 10 pictures have no mask .*: photo3 \(looked for photo3\.png\)"):
        run(base)
    write_label_png(base / "masks" / "photo3.png", labels_of("photo3", 3))
    write_image(base / "images" / "photo3.jpg")
    with pytest.raises(DataError, match=r"holds both photo3\.jpg and photo3\.png"):
        run(base)
    (base / "images" / "photo3.jpg").rename(base / "images" / "a b.jpg")
    write_label_png(base / "masks" / "a b.png", labels_of("photo3", 3))
    with pytest.raises(DataError, match="has white space"):
        run(base)
    (base / "images" / "a b.jpg").rename(base / "images" / os.fsdecode(b"\xfc.jpg"))
    (base / "masks" / "a b.png").rename(base / "masks" / os.fsdecode(b"\xfc.png"))
    with pytest.raises(DataError, match=r"\\udcfc\.jpg' has a name that is no UTF-8"):
        run(base)
