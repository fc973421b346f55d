"""PASCAL-Person-Part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pydeeplab.data import read_label, write_label_png
from pydeeplab.errors import DataError, UsageError
from pydeeplab.prepare import Prepared, prepare
from pydeeplab.prepare.person_part import PARTS
from tests.prepare.devkits import SIZE, labels_of, make_parts, make_voc2010, mask, structs, write_mat


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_voc2010(tmp_path)
    make_parts(tmp_path)
    return tmp_path


def run(root: Path, **options: object) -> Prepared:
    return prepare("person-part", root, root / "work", **options)


def test_24_parts_become_6() -> None:
    assert len(PARTS) == 24
    assert set(PARTS.values()) == set(range(1, 7))
    assert {PARTS["neck"], PARTS["torso"]} == {2}
    assert [PARTS[f"{side}{part}"] for side in "lr" for part in ("uarm", "larm", "hand")] == [3, 4, 4] * 2
    assert [PARTS[f"{side}{part}"] for side in "lr" for part in ("uleg", "lleg", "foot")] == [5, 6, 6] * 2


def test_parts_of_persons_only(root: Path) -> None:
    prepared = run(root)
    assert prepared.ok
    assert prepared.exp == "voc10_part"
    labels = read_label(prepared.data_root / "SegmentationPart" / "2008_000002.png")
    rows = [1, 2, 3, 3, 4, 5, 6, 6, 0]
    np.testing.assert_array_equal(labels, np.repeat(np.array(rows, np.uint8)[:, None], SIZE[1], axis=1))
    assert {n: c.found for n, c in prepared.counts.items()} == {"train": 1, "val": 1, "trainval": 2}
    assert {n: c.expected for n, c in prepared.counts.items()} == {"train": 1716, "val": 1817, "trainval": 3533}
    assert prepared.counts["train"].left_out == ()
    assert "1 picture without parts of persons do not belong to the data set" in prepared.notes
    assert run(root).same


def test_bad_annotations(root: Path) -> None:
    file = root / "Annotations_Part" / "2008_000002.mat"

    def problem(objects: object) -> DataError:
        write_mat(file, {"anno": {"imname": "x", "objects": objects}})
        return DataError(run(root).problems[0])

    def person(**part: object) -> np.ndarray:
        columns = {"class": ["person"], "class_ind": [15.0], "parts": [structs(**{k: [v] for k, v in part.items()})]}
        return structs(**columns)

    with pytest.raises(DataError, match=r"anno\.objects\.parts\.part_name: 'wing' is no part of a person"):
        raise problem(person(part_name="wing", mask=mask(1)))
    with pytest.raises(DataError, match=r"anno\.objects\.parts has no field 'mask', only part_name"):
        raise problem(person(part_name="head"))
    with pytest.raises(DataError, match=r"anno\.objects must be a struct, got 1 x 1 numbers"):
        raise problem(3.0)
    with pytest.raises(DataError, match="are 2 x 2"):
        raise problem(person(part_name="head", mask=np.ones((2, 2))))
    write_mat(file, {"Anno": 1.0})
    with pytest.raises(DataError, match="has no variable 'anno', only Anno"):
        raise DataError(run(root).problems[0])
    file.unlink()
    with pytest.raises(DataError, match=r"2008_000002\.mat: no such file"):
        raise DataError(run(root).problems[0])


def test_merged_label_maps_are_taken_too(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "merged"
    folder.mkdir()
    write_label_png(folder / "2008_000003.png", labels_of("a", 7))
    prepared = run(root, annotations=folder)
    assert {n: c.found for n, c in prepared.counts.items()} == {"train": 1, "val": 0, "trainval": 1}
    np.testing.assert_array_equal(
        read_label(prepared.data_root / "SegmentationPart" / "2008_000003.png"), labels_of("a", 7)
    )


def test_without_annotations(tmp_path: Path) -> None:
    make_voc2010(tmp_path)
    with pytest.raises(UsageError, match=r"annotations of parts .* were not found"):
        run(tmp_path)
