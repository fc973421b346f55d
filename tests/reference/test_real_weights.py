"""Published weights, of 2014 to 2020, give the outputs that were recorded with Caffe and with OpenCV."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab import TEST, Net
from pydeeplab.compare import compare, read_dump
from pydeeplab.formats import read_solver_state
from tests.support.external import shared
from tests.support.kernels import relative_error

CAFFE = [
    ("everpeace-caffe-mnist", "lenet.prototxt", "lenet_iter_5000"),
    ("everpeace-caffe-mnist", "lenet.prototxt", "lenet_iter_10000"),
    ("ethereon-lenet", "lenet.prototxt", "lenet_iter_10000"),
    ("everpeace-caffe-cifar10", "cifar10_full.prototxt", "cifar10_full_iter_60000"),
    ("everpeace-caffe-cifar10", "cifar10_full.prototxt", "cifar10_full_iter_65000"),
    ("ctensmeyer-dibco", "model.prototxt", "weights"),
]
OPENCV = [
    ("ctensmeyer-dibco", "model.prototxt", "weights", "dibco", {"prob": "out_prob"}),
    ("everpeace-caffe-mnist", "lenet.prototxt", "lenet_iter_10000", "lenet_iter_10000", {"prob": "out_prob"}),
    ("Linzaer-UltraFace", "RFB-320.prototxt", "RFB-320", "RFB-320", {"boxes": "out_boxes", "scores": "out_scores"}),
    ("Linzaer-UltraFace", "slim-320.prototxt", "slim-320", "slim-320", {"boxes": "out_boxes", "scores": "out_scores"}),
]


@pytest.mark.parametrize(("engine", "tolerance"), [("CAFFE", 1e-5), ("DEFAULT", 1e-4)])
@pytest.mark.parametrize(("folder", "prototxt", "weights"), CAFFE, ids=lambda v: v)
def test_agrees_with_caffe(folder: str, prototxt: str, weights: str, engine: str, tolerance: float) -> None:
    root = shared(f"data/weights/{folder}")
    name = "dibco" if folder == "ctensmeyer-dibco" else weights
    dump = read_dump(root / f"ref_caffe_{name}.npz")
    shapes = {n: dump.inputs[n].shape for n in dump.inputs}
    net = Net(root / prototxt, TEST, weights=root / f"{weights}.caffemodel", engine=engine, inputs=shapes)
    result = compare(net, dump, tolerance=tolerance)
    assert result.agrees, result.first_departure


@pytest.mark.parametrize("keep", ["all", "outputs"])
@pytest.mark.parametrize(("folder", "prototxt", "weights", "name", "outputs"), OPENCV, ids=str)
def test_agrees_with_opencv(
    folder: str, prototxt: str, weights: str, name: str, outputs: dict[str, str], keep: str
) -> None:
    root = shared(f"data/weights/{folder}")
    recorded = np.load(root / f"ref_opencv4.14_{name}.npz")
    net = Net(root / prototxt, TEST, weights=root / f"{weights}.caffemodel", keep=keep)
    blob = net.inputs[0]
    net.blobs[blob].reshape(*recorded["input"].shape)
    got = net.forward(**{blob: recorded["input"]})
    for ours, theirs in outputs.items():
        assert relative_error(got[ours], recorded[theirs]) <= 1e-4, ours


@pytest.mark.parametrize(
    ("path", "iterations"),
    [
        ("everpeace-caffe-cifar10/cifar10_full_iter_60000", 60000),
        ("everpeace-caffe-cifar10/cifar10_full_iter_65000", 65000),
        ("everpeace-caffe-mnist/lenet_iter_5000", 5000),
        ("everpeace-caffe-mnist/lenet_iter_10000", 10000),
    ],
)
def test_solver_states_of_2014_are_read(path: str, iterations: int) -> None:
    root = shared("data/weights")
    state = read_solver_state(root / f"{path}.solverstate")
    assert state.iter == iterations
    net = Net(
        root / path.split("/")[0] / ("lenet.prototxt" if "lenet" in path else "cifar10_full.prototxt"),
        TEST,
        weights=root / f"{path}.caffemodel",
    )
    assert [h.size for h in state.history] == [p.blob.count for p in net.learnable_params]
    assert all(np.isfinite(h).all() and h.any() for h in state.history)
