"""Cityscapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pydeeplab.data import class_set, read_label, write_label_png
from pydeeplab.errors import DataError, UsageError
from pydeeplab.prepare import prepare
from pydeeplab.prepare.cityscapes import TRAIN_IDS
from tests.prepare.devkits import CITY_TRAIN, CITY_VAL, city_ids, labels_of, make_cityscapes


def expected(ids: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda i: 255 if TRAIN_IDS[i] is None else TRAIN_IDS[i])(ids)


def test_ids_of_the_classes() -> None:
    """Two ends and two in the middle; the rest is in between, in the order of the ids."""
    assert [TRAIN_IDS[i] for i in (7, 8, 11, 17, 26, 33)] == [0, 1, 2, 5, 13, 18]
    assert [TRAIN_IDS[i] for i in (0, 9, 14, 18, 29, 30, 255)] == [None] * 7
    classes = [v for v in TRAIN_IDS.values() if v is not None]
    assert sorted(classes) == list(range(len(class_set("cityscapes"))))


def test_labels_and_lists(tmp_path: Path) -> None:
    base = make_cityscapes(tmp_path)
    prepared = prepare("cityscapes", base, tmp_path / "work")
    assert prepared.ok
    for split, names in (("train", CITY_TRAIN), ("val", CITY_VAL)):
        for name in names:
            file = f"gtFine/{split}/{name.split('_')[0]}/{name}_gtFine_labelTrainIds.png"
            np.testing.assert_array_equal(read_label(prepared.data_root / file), expected(city_ids(name)))
            image = f"leftImg8bit/{split}/{name.split('_')[0]}/{name}_leftImg8bit.png"
            assert (prepared.data_root / image).is_file()
            assert f"/{image} /{file}\n" in prepared.lists[split].read_text()
    assert prepared.lists["test"].read_text().split() == [
        "/leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png"
    ]
    assert {n: (c.found, c.expected) for n, c in prepared.counts.items()} == {
        "train": (2, 2975),
        "val": (1, 500),
        "test": (1, 1525),
        "trainval": (3, 3475),
    }
    assert prepare("cityscapes", base, tmp_path / "work").same


def test_training_ids_where_only_they_are_there(tmp_path: Path) -> None:
    base = make_cityscapes(tmp_path)
    folder = base / "gtFine" / "val" / "munster"
    labels = labels_of("x", 19)
    (folder / f"{CITY_VAL[0]}_gtFine_labelIds.png").unlink()
    write_label_png(folder / f"{CITY_VAL[0]}_gtFine_labelTrainIds.png", labels)
    prepared = prepare("cityscapes", tmp_path, tmp_path / "work")
    file = prepared.data_root / "gtFine" / "val" / "munster" / f"{CITY_VAL[0]}_gtFine_labelTrainIds.png"
    np.testing.assert_array_equal(read_label(file), labels)


def test_bad_files(tmp_path: Path) -> None:
    base = make_cityscapes(tmp_path)
    write_label_png(
        base / "gtFine" / "train" / "aachen" / f"{CITY_TRAIN[0]}_gtFine_labelIds.png", np.full((9, 13), 34, np.uint8)
    )
    (base / "gtFine" / "val" / "munster" / f"{CITY_VAL[0]}_gtFine_labelIds.png").unlink()
    prepared = prepare("cityscapes", base, tmp_path / "work")
    problems = "\n".join(prepared.problems)
    with pytest.raises(DataError, match=r"value 34 at row 0, column 0 stands for no class \(117 such pixels\)"):
        raise DataError(problems)
    assert f"{CITY_VAL[0]}_gtFine_labelIds.png' does not exist" in problems
    assert (prepared.counts["train"].found, prepared.counts["val"].found) == (1, 0)


def test_without_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no folder leftImg8bit"):
        prepare("cityscapes", tmp_path)
    (tmp_path / "leftImg8bit" / "train").mkdir(parents=True)
    with pytest.raises(UsageError, match="has no folder gtFine"):
        prepare("cityscapes", tmp_path)
    (tmp_path / "gtFine").mkdir()
    with pytest.raises(UsageError, match=r"holds no train, val or test/<city>/\*_leftImg8bit\.png"):
        prepare("cityscapes", tmp_path)
