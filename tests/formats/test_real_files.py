"""Weights, states and outputs of real Caffe."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from pydeeplab.formats import (
    load_weights,
    read_solver_state,
    read_weights,
    save_weights,
    write_solver_state,
    write_weights,
)
from pydeeplab.net import Net
from tests.support.external import shared

# file: layers, layers with parameters, numbers
WEIGHTS = {
    "weights/Linzaer-UltraFace/RFB-320.caffemodel": (116, 52, 273_888),
    "weights/Linzaer-UltraFace/slim-320.caffemodel": (100, 42, 257_916),
    "weights/ctensmeyer-dibco/weights.caffemodel": (35, 16, 79_765),
    "weights/ethereon-lenet/lenet_iter_10000.caffemodel": (9, 4, 431_080),
    "weights/everpeace-caffe-cifar10/cifar10_full_iter_60000.caffemodel": (14, 4, 89_578),
    "weights/everpeace-caffe-cifar10/cifar10_full_iter_65000.caffemodel": (14, 4, 89_578),
    "weights/everpeace-caffe-mnist/lenet_iter_10000.caffemodel": (9, 4, 431_080),
    "weights/everpeace-caffe-mnist/lenet_iter_5000.caffemodel": (9, 4, 431_080),
    "opencv_layers/layer_batch_norm.caffemodel": (2, 1, 13),
    "opencv_layers/layer_concat_optim.caffemodel": (7, 2, 60),
    "opencv_layers/layer_concat_shared_input.caffemodel": (8, 4, 39_062),
    "opencv_layers/layer_convolution.caffemodel": (1, 1, 492),
    "opencv_layers/layer_inner_product.caffemodel": (4, 3, 86_020),
    "opencv_layers/layer_prelu.caffemodel": (3, 2, 7),
    "opencv_layers/shared_weights.caffemodel": (6, 4, 14),
}


def data(name: str) -> Path:
    return shared(f"data/{name}")


@pytest.mark.parametrize("name", WEIGHTS)
def test_caffemodels(name):
    read = read_weights(data(name))
    assert (len(read.layers), len(read.with_blobs()), read.count) == WEIGHTS[name]
    assert all(layer.type for layer in read.layers)
    assert all(np.isfinite(array).all() for array in read.arrays().values())


def test_values_of_a_v1_file_are_those_of_its_conversion(tmp_path):
    old = read_weights(data("weights/everpeace-caffe-cifar10/cifar10_full_iter_60000.caffemodel"))
    assert {layer.type for layer in old.with_blobs()} == {"Convolution", "InnerProduct"}
    assert old.layers[1].blobs[1].shape == (1, 1, 1, 32)
    assert old.arrays()["conv1/1"].shape == (32,)
    assert old.arrays()["ip1/0"].shape == (10, 1024)
    for suffix in ("caffemodel", "caffemodel.h5", "npz"):
        save_weights(tmp_path / f"x.{suffix}", old)
        new = read_weights(tmp_path / f"x.{suffix}").arrays()
        assert set(new) == set(old.arrays())
        for key, array in old.arrays().items():
            np.testing.assert_array_equal(new[key], array)


NETS = {
    "everpeace-caffe-mnist": ("lenet.prototxt", "lenet_iter_10000"),
    "everpeace-caffe-cifar10": ("cifar10_full.prototxt", "cifar10_full_iter_60000"),
    "ethereon-lenet": ("lenet.prototxt", "lenet_iter_10000"),
    "ctensmeyer-dibco": ("model.prototxt", "weights"),
}


@pytest.mark.parametrize("folder", NETS)
def test_nets_take_them_and_give_them_back(tmp_path, folder):
    prototxt, stem = NETS[folder]
    weights = data(f"weights/{folder}/{stem}.caffemodel")
    net = Net(data(f"weights/{folder}/{prototxt}"), 1)
    report = load_weights(net, weights)
    assert (report.missing, report.unused, report.reshaped, report.nonfinite) == ([], [], [], [])
    assert report.loaded == [layer.name for layer in read_weights(weights).with_blobs()]
    for suffix in ("caffemodel", "caffemodel.h5", "npz"):
        write_weights(tmp_path / f"x.{suffix}", net)
        again = Net(data(f"weights/{folder}/{prototxt}"), 1, weights=tmp_path / f"x.{suffix}")
        for name, blobs in net.params.items():
            for mine, theirs in zip(again.params[name], blobs, strict=True):
                np.testing.assert_array_equal(mine.data, theirs.data)


STATES = {
    "everpeace-caffe-mnist/lenet_iter_5000": (5000, "examples/mnist/lenet_iter_5000.caffemodel"),
    "everpeace-caffe-mnist/lenet_iter_10000": (10000, "examples/mnist/lenet_iter_10000.caffemodel"),
    "everpeace-caffe-cifar10/cifar10_full_iter_60000": (60000, "examples/cifar10/cifar10_full_iter_60000.caffemodel"),
    "everpeace-caffe-cifar10/cifar10_full_iter_65000": (
        65000,
        "examples/cifar10/cifar10_full_lr1_iter_65000.caffemodel",
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_solver_states(name):
    state = read_solver_state(data(f"weights/{name}.solverstate"))
    assert (state.iter, state.learned_net) == STATES[name]
    weights = read_weights(data(f"weights/{name}.caffemodel"))
    assert [h.size for h in state.history] == [b.data.size for layer in weights.layers for _, b in layer.stored()]
    assert all(h.any() for h in state.history)


RUNS = ["sgd_binaryproto", "sgd_hdf5", "adam_binaryproto", "adam_hdf5"]


def reference(run: str) -> tuple[Path, Path, dict[str, np.ndarray]]:
    """Weights, state and recorded values of a run."""
    suffix = ".h5" if run.endswith("hdf5") else ""
    root = shared("reference/solver_state")
    with np.load(root / f"{run}.npz") as archive:
        recorded = {key: archive[key] for key in archive}
    return root / f"{run}_iter_5.caffemodel{suffix}", root / f"{run}_iter_5.solverstate{suffix}", recorded


@pytest.mark.parametrize("run", RUNS)
def test_snapshots_hold_what_was_recorded(run):
    weights_path, state_path, recorded = reference(run)
    arrays = read_weights(weights_path).arrays()
    assert {key.removeprefix("param4/") for key in recorded if key.startswith("param4/")} == set(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, recorded[f"param4/{key}"])
    state = read_solver_state(state_path)
    assert (state.iter, state.current_step, state.learned_net) == (5, 1, weights_path.name)
    assert len(state.history) == sum(key.startswith("history/") for key in recorded)
    for i, array in enumerate(state.history):
        np.testing.assert_array_equal(array, recorded[f"history/{i}"])


@pytest.mark.parametrize("run", ["sgd_hdf5", "adam_hdf5"])
def test_hdf5_is_written_as_caffe_writes_it(tmp_path, run):
    weights_path, state_path, _ = reference(run)
    save_weights(tmp_path / "w.h5", read_weights(weights_path))
    write_solver_state(tmp_path / "s.h5", read_solver_state(state_path))
    for mine, theirs in ((tmp_path / "w.h5", weights_path), (tmp_path / "s.h5", state_path)):
        with h5py.File(mine) as a, h5py.File(theirs) as b:
            described: list[dict[str, tuple]] = []
            for file in (a, b):
                found: dict[str, tuple] = {}
                file.visititems(
                    lambda name, item, found=found: found.update(
                        {name: (item.shape, item.id.get_type(), item[()].tobytes() if item.shape else item[()])}
                        if isinstance(item, h5py.Dataset)
                        else {name: ()}
                    )
                )
                described.append(found)
            assert described[0] == described[1]


@pytest.mark.parametrize("run", ["sgd_binaryproto", "adam_binaryproto"])
def test_binary_states_are_written_as_caffe_writes_them(tmp_path, run):
    _, state_path, _ = reference(run)
    write_solver_state(tmp_path / "s.solverstate", read_solver_state(state_path))
    assert (tmp_path / "s.solverstate").read_bytes() == state_path.read_bytes()
