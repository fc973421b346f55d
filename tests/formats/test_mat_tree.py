"""Structs in MATLAB files."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from pydeeplab.errors import DataError
from pydeeplab.formats.mat_tree import open_mat

SEGMENTATION = np.random.default_rng(0).integers(0, 21, (12, 17)).astype(np.uint8)


def structs(**columns: list) -> np.ndarray:
    """A 1 x N array of structs, as MATLAB has them."""
    count = len(next(iter(columns.values())))
    array = np.zeros((1, count), [(name, object) for name in columns])
    for name, values in columns.items():
        for index, value in enumerate(values):
            array[0, index][name] = value
    return array


def boundaries() -> np.ndarray:
    cells = np.empty((3, 1), object)
    for index in range(3):
        cells[index, 0] = scipy.sparse.csc_matrix(np.eye(4))
    return cells


def tree() -> dict:
    parts = structs(part_name=["head", "torso"], mask=[SEGMENTATION > 3, SEGMENTATION > 9])
    objects = structs(**{"class": ["person", "dog"], "class_ind": [15.0, 12.0], "parts": [parts, np.zeros((0, 0))]})
    return {
        "GTcls": {
            "Boundaries": boundaries(),
            "Segmentation": SEGMENTATION,
            "CategoriesPresent": np.array([[1.0], [2]]),
        },
        "anno": {"imname": "2008_000003", "objects": objects},
        "LabelMap": SEGMENTATION.astype(np.uint16) * 20,
    }


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "a.mat"
    scipy.io.savemat(file, tree(), do_compression=request.param)
    return file


def test_values_are_those_that_scipy_wrote(path: Path) -> None:
    found = open_mat(path)
    assert list(found) == ["GTcls", "anno", "LabelMap"]
    np.testing.assert_array_equal(found["GTcls"]["Segmentation"].array(), SEGMENTATION)
    assert found["GTcls"]["Segmentation"].array().dtype == np.uint8
    np.testing.assert_array_equal(found["LabelMap"].array(), SEGMENTATION.astype(np.uint16) * 20)
    assert found["anno"]["imname"].text() == "2008_000003"
    person, dog = found["anno"]["objects"].elements()
    assert (person["class"].text(), dog["class"].text()) == ("person", "dog")
    assert person["class_ind"].number() == 15
    assert dog["parts"].empty
    assert dog["parts"].elements() == []
    head, torso = person["parts"].elements()
    assert head["part_name"].text() == "head"
    np.testing.assert_array_equal(torso["mask"].array(), SEGMENTATION > 9)
    assert torso["mask"].place == "anno.objects(1).parts(2).mask"


def test_errors_name_file_and_field(path: Path) -> None:
    found = open_mat(path)
    with pytest.raises(DataError, match=r"a\.mat: GTcls has no field 'segmentation', only Boundaries, Segmentation"):
        found["GTcls"]["segmentation"]
    with pytest.raises(DataError, match=r"GTcls.Boundaries must be an array of real numbers, got a cell array"):
        found["GTcls"]["Boundaries"].array()
    with pytest.raises(DataError, match=r"anno.imname must be a struct, got text of size 1 x 11"):
        found["anno"]["imname"].elements()
    with pytest.raises(DataError, match=r"anno.objects must be one struct, got a struct of size 1 x 2"):
        found["anno"]["objects"]["class"]
    with pytest.raises(DataError, match=r"LabelMap must be one number, got 12 x 17 numbers"):
        found["LabelMap"].number()
    with pytest.raises(DataError, match=r"LabelMap must be text, got 12 x 17 numbers"):
        found["LabelMap"].text()


def test_what_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file"):
        open_mat(tmp_path / "none.mat")
    (tmp_path / "text.mat").write_bytes(b"no MATLAB file at all" * 20)
    with pytest.raises(DataError, match=r"cannot be read as a .mat file"):
        open_mat(tmp_path / "text.mat")
    with pytest.raises(DataError, match=r"cannot be read"):
        open_mat(tmp_path)


def _read_all(path: Path) -> None:
    found = open_mat(path)
    if "GTcls" in found:
        found["GTcls"]["Segmentation"].array()
        found["GTcls"]["CategoriesPresent"].array()
    if "anno" in found:
        found["anno"]["imname"].text()
        for item in found["anno"]["objects"].elements():
            item["class"].text()
            for part in item["parts"].elements():
                part["part_name"].text()
                part["mask"].array()


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_files_are_refused_in_words(tmp_path: Path, compressed: bool) -> None:
    """Bytes changed, words overwritten, ends cut off: each file is read, or refused with its name."""
    stream = io.BytesIO()
    scipy.io.savemat(stream, tree(), do_compression=compressed)
    whole, file = stream.getvalue(), tmp_path / "damaged.mat"
    refused = read = 0
    for seed in range(600):
        chance, data = random.Random(seed), bytearray(whole)
        for _ in range(chance.choice((1, 2, 4))):
            at = chance.randrange(128, len(data) - 4)
            if chance.random() < 0.6:
                data[at] = chance.randrange(256)
            elif chance.random() < 0.7:
                data[at : at + 4] = chance.choice((b"\xff" * 4, b"\xff\xff\xff\x7f", bytes(4), b"\0\0\0\x80"))
            else:
                del data[at + 4 :]
            if len(data) < 200:
                break
        file.write_bytes(data)
        try:
            _read_all(file)
        except DataError as error:
            refused += "damaged.mat" in str(error)
        else:
            read += 1
    assert refused + read == 600
    assert refused > 100
