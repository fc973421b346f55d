"""PASCAL-Context."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from pydeeplab.data import class_set, read_label
from pydeeplab.errors import DataError, UsageError
from pydeeplab.prepare import Prepared, prepare
from pydeeplab.prepare.context import class_of_numbers
from tests.prepare.devkits import CONTEXT_TRAIN, CONTEXT_VAL, SIZE, context_names, make_context, make_voc2010, write_mat


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_voc2010(tmp_path)
    make_context(tmp_path)
    return tmp_path


def run(root: Path, **options: object) -> Prepared:
    return prepare("pascal-context", root, root / "work", **options)


def numbers(root: Path, name: str) -> np.ndarray:
    return scipy.io.loadmat(root / "context" / "trainval" / f"{name}.mat")["LabelMap"]


@pytest.mark.parametrize("order", [None, "59_labels.txt"])
def test_459_labels_become_60(root: Path, order: str | None) -> None:
    prepared = run(root, **({"class_order": root / "context" / order} if order else {}))
    assert prepared.ok
    assert prepared.exp == "pascal_context"
    assert {n: c.found for n, c in prepared.counts.items()} == {"train": 2, "val": 1, "trainval": 3}
    assert {n: c.expected for n, c in prepared.counts.items()} == {"train": 4998, "val": 5105, "trainval": 10103}
    named = class_set(prepared.class_file).names
    same = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
    names = ["", *context_names()]
    for name in CONTEXT_TRAIN + CONTEXT_VAL:
        labels = read_label(prepared.data_root / "SegmentationClassContext" / f"{name}.png")
        given = numbers(root, name)
        for number in np.unique(given):
            (label,) = set(labels[given == number].tolist())
            if names[number] in class_set("pascal_context").names:
                assert same.get(named[label], named[label]) == names[number]
            else:
                assert label == 0
    if order is None:
        assert named == class_set("pascal_context").names
    else:
        assert named[1:] == tuple(
            {v: k for k, v in same.items()}.get(n, n) for n in reversed(class_set("pascal_context").names[1:])
        )


def test_the_59_classes_are_all_found(root: Path) -> None:
    found = class_of_numbers(root / "context" / "labels.txt", class_set("pascal_context"))
    assert len(found) == 460
    assert sorted(v for v in found.values() if v) == list(range(1, 60))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"LabelMap": np.full(SIZE, 460, np.uint16)}, "LabelMap: value 460 at row 0, column 0 stands for no class"),
        ({"LabelMap": np.full(SIZE, 0.5)}, r"LabelMap must hold the numbers of labels\.txt"),
        ({"labels": np.zeros(SIZE)}, "has no variable 'LabelMap', only labels"),
        ({"LabelMap": np.zeros((3, 3), np.uint16)}, "are 3 x 3"),
    ],
)
def test_bad_annotations(root: Path, content: dict, message: str) -> None:
    write_mat(root / "context" / "trainval" / f"{CONTEXT_TRAIN[0]}.mat", content)
    prepared = run(root)
    (problem,) = prepared.problems
    with pytest.raises(DataError, match=message):
        raise DataError(problem)
    assert prepared.counts["train"].left_out == (CONTEXT_TRAIN[0],)


def test_bad_lists_of_labels(root: Path) -> None:
    labels = root / "context" / "labels.txt"
    text = labels.read_text()
    labels.write_text(text.replace(": sky", ": heaven"))
    with pytest.raises(DataError, match=r"labels\.txt: has no label 'sky'"):
        run(root)
    labels.write_text(text + "1: again\n")
    with pytest.raises(DataError, match=r"labels\.txt:460: expected 'number: name', each number once"):
        run(root)
    labels.write_text(text)
    order = root / "order.txt"
    order.write_text("1: aeroplane\n2: bag\n")
    with pytest.raises(DataError, match="expected the 59 classes of PASCAL-Context"):
        run(root, class_order=order)
    labels.unlink()
    with pytest.raises(UsageError, match=r"labels\.txt of PASCAL-Context was not found"):
        run(root)
