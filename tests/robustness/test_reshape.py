"""A net that has seen other sizes computes what a fresh net does, whether it grew, shrank, or was refused a size."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pydeeplab import TEST, TRAIN, Net
from pydeeplab.errors import PydeeplabError, ShapeError
from tests.support.external import DATA

FOLDER = DATA / "reference" / "layers"
RANDOM_LAYERS = ("Dropout", "DummyData", "Pooling")  # Pooling: STOCHASTIC in training
FIXED = ("s7_0_34_Scale", "s7_0_36_Scale", "s7_1_54_Bias")
"""Cases whose parameters span all axes: no other size fits."""

Shapes = dict[str, tuple[int, ...]]

with (FOLDER / "index.csv").open() as index:
    CASES = [row["case"] for row in csv.DictReader(index)]


def others(shapes: Shapes) -> list[Shapes]:
    """Other sizes to try: each size in turn, wherever it stands, and all maps; grown, shrunk. They need not fit."""
    tried = []
    for size in sorted({n for shape in shapes.values() for n in shape}):
        tried.append({k: tuple(n + 3 if n == size else n for n in s) for k, s in shapes.items()})
    for change in (6, -2):
        tried.append({k: (*s[:2], *(n + change if n > 1 else n for n in s[2:])) for k, s in shapes.items()})
        tried.append({k: (s[0] + change, *s[1:]) if len(s) > 3 else s for k, s in shapes.items()})
    return [t for t in tried if all(min(s, default=1) > 0 for s in t.values())]


class Subject:
    """A net under test, with its values for every size and its parameters put back before every pass."""

    def __init__(self, file: Path, phase: int, keep: str, shapes: Shapes | None = None):
        self.net = Net(file, phase, keep=keep, inputs=shapes)
        self.backward = keep == "all"
        random = np.random.default_rng(3)
        for blobs in self.net.params.values():
            for blob in blobs:
                blob.data[...] = random.uniform(0.1, 1, blob.shape)
        self.params = [blob.data.copy() for blobs in self.net.params.values() for blob in blobs]

    def values(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Small whole numbers for labels, numbers with ties for scores."""
        random = np.random.default_rng(7)
        is_label = "label" in name or len(shape) < 2
        return random.integers(0, 2, shape) if is_label else random.uniform(0.1, 2, shape).round(2)

    def run(self, shapes: Shapes) -> dict[str, np.ndarray]:
        """One pass at these sizes; all results."""
        net = self.net
        for name, shape in shapes.items():
            net.blobs[name].reshape(*shape)
            net.blobs[name].data[...] = self.values(name, shape)
        blobs = [blob for layer in net.params.values() for blob in layer]
        for blob, values in zip(blobs, self.params, strict=True):
            blob.data[...] = values
        for layer in net.layers:
            if hasattr(layer, "reset"):
                layer.reset()
        net.forward()
        found = {f"data/{n}": net.blobs[n].data.copy() for n in net.outputs}
        if self.backward:
            losses = net.blob_loss_weights
            for name in net.outputs:
                if not losses[name]:
                    net.blobs[name].diff[...] = 0.5
            net.clear_param_diffs()
            net.backward()
            found |= {f"diff/{n}": net.blobs[n].diff.copy() for n in net.inputs}
            found |= {f"pdiff/{i}": blob.diff.copy() for i, blob in enumerate(blobs)}
        return found


def same(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert got.keys() == expected.keys()
    for key, values in expected.items():
        assert got[key].shape == values.shape, key
        np.testing.assert_array_equal(got[key], values, err_msg=key)


@pytest.mark.filterwarnings("ignore:layer .* labels of size")
@pytest.mark.parametrize(
    ("phase", "keep"), [(TRAIN, "all"), (TEST, "all"), (TEST, "outputs")], ids=["train", "test", "lean"]
)
@pytest.mark.parametrize("case", CASES)
def test_sizes_leave_no_trace(case: str, phase: int, keep: str) -> None:
    file = FOLDER / f"{case}.prototxt"
    subject = Subject(file, phase, keep)
    if phase == TRAIN and any(layer.type in RANDOM_LAYERS for layer in subject.net.layers):
        pytest.skip("its layers draw random numbers")
    first = {name: subject.net.blobs[name].shape for name in subject.net.inputs}
    expected = subject.run(first)
    fitted = 0
    for shapes in others(first):
        wanted = of_fresh_net(file, phase, keep, shapes, subject.params)
        if wanted is None:
            with pytest.raises(PydeeplabError, match=r"\.prototxt:\d+:\d+: layer '"):
                subject.run(shapes)
        else:
            with allowed_refusal():
                same(subject.run(shapes), wanted)
                fitted += 1
        same(subject.run(first), expected)
    assert fitted or case in FIXED


@contextmanager
def allowed_refusal() -> Iterator[None]:
    """What counts classes cannot go on with another number of them."""
    try:
        yield
    except ShapeError as error:
        if "the number of classes changed" not in str(error):
            raise


def of_fresh_net(
    file: Path, phase: int, keep: str, shapes: Shapes, params: list[np.ndarray]
) -> dict[str, np.ndarray] | None:
    """What a net built at these sizes computes with these parameters; None if they do not fit it."""
    try:
        fresh = Subject(file, phase, keep, shapes)
        if [p.shape for p in fresh.params] != [p.shape for p in params]:
            return None
        fresh.params = params
        return fresh.run(shapes)
    except PydeeplabError:
        return None
