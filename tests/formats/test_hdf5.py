"""Weights in HDF5, as Caffe lays them out."""

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pydeeplab.errors import WeightsError
from pydeeplab.formats import LayerWeights, read_hdf5, read_weights, save_weights, write_hdf5, write_weights
from pydeeplab.proto import caffe_pb2

from .support import Target, counted, layer, same_bits, weight_files, weights

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def net(*names):
    param = caffe_pb2.NetParameter()
    for name in names:
        param.layer.add(name=name)
    return param


@QUICK
@given(weight_files())
def test_round_trip_keeps_every_bit(tmp_path, drawn):
    path = tmp_path / "x.caffemodel.h5"
    save_weights(path, drawn)
    back = {stored.name: stored for stored in read_weights(path).layers}
    assert set(back) == {stored.name for stored in drawn.layers}
    for stored in drawn.layers:
        for a, b in zip(back[stored.name].blobs, stored.blobs, strict=True):
            assert same_bits(a.data, b.data)


def test_layout(tmp_path):
    path = tmp_path / "x.h5"
    write_hdf5(path, net("conv", "relu", "fc"), [[counted(2, 3)], [], [counted(2), np.float64(3)]])
    with h5py.File(path) as file:
        assert sorted(file) == ["data"]
        assert sorted(file["data"]) == ["conv", "fc", "relu"]
        assert len(file["data/relu"]) == 0
        assert file["data/conv/0"].dtype == np.float32
        assert file["data/fc/1"].dtype == np.float64
        assert file["data/fc/1"].shape == ()


def test_diffs_stand_beside_the_data(tmp_path):
    path = tmp_path / "x.h5"
    write_hdf5(path, net("a"), [[counted(3)]], [[-counted(3)]], shared={(0, 0)})
    with h5py.File(path) as file:
        assert len(file["data/a"]) == 0  # shared: left out of data, but not of diff
        np.testing.assert_array_equal(file["diff/a/0"], [-1, -2, -3])
    write_hdf5(path, net("a"), [[counted(3)]], [[-counted(3)]])
    np.testing.assert_array_equal(read_hdf5(path).layers[0].blobs[0].diff, [-1, -2, -3])


def test_names_with_slashes_are_nested_groups(tmp_path):
    path = tmp_path / "x.h5"
    names = ["inception/1x1", "inception/1x1/bn", "inception/pool", "plain"]
    write_hdf5(path, net(*names), [[counted(1)], [counted(2), counted(3)], [], [counted(4)]])
    back = {stored.name: [b.data.size for b in stored.blobs] for stored in read_hdf5(path).layers}
    assert back == {"inception/1x1": [1], "inception/1x1/bn": [2, 3], "inception/pool": [], "plain": [4]}


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", ".", "a/./b"])
def test_names_without_a_place_are_refused(tmp_path, name):
    with pytest.raises(WeightsError, match="HDF5 has no place"):
        write_hdf5(tmp_path / "x.h5", net(name), [[counted(1)]])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("names", [("a", "a/0"), ("a/0", "a"), ("a", "a")])
def test_layers_that_need_the_same_place_are_refused(tmp_path, names):
    with pytest.raises(WeightsError, match="the same place"):
        write_hdf5(tmp_path / "x.h5", net(*names), [[counted(1)], [counted(1)]])


def test_shared_blobs_are_left_out(tmp_path):
    target = Target(("conv", "Convolution", [(2, 1), (2,)]), ("conv_half", "Convolution", [(2, 1), (2,)]), fill=1)
    target.share(1, 0, 0)
    write_weights(tmp_path / "x.caffemodel.h5", target)
    with h5py.File(tmp_path / "x.caffemodel.h5") as file:
        assert sorted(file["data/conv"]) == ["0", "1"]
        assert sorted(file["data/conv_half"]) == ["1"]
    owner, sharer = read_hdf5(tmp_path / "x.caffemodel.h5").layers
    assert [b is None for b in sharer.blobs] == [True, False]
    assert [b is None for b in owner.blobs] == [False, False]


def test_a_caffemodel_needs_shared_blobs_and_the_net_gives_them(tmp_path):
    half = LayerWeights("half", "Convolution", [None, *layer("", "", (2,)).blobs])
    stored = weights(layer("full", "Convolution", (2, 3), (2,)), half, LayerWeights("third"), format="hdf5")
    with pytest.raises(WeightsError, match=r"blob 0 of layer 'half' .* another layer shares it.*--net"):
        save_weights(tmp_path / "x.caffemodel", stored)
    save_weights(tmp_path / "x.npz", stored)
    with np.load(tmp_path / "x.npz") as archive:
        assert sorted(archive) == ["full/0", "full/1", "half/1"]
    param = net("full", "half", "third")
    for name in ("full", "half", "third"):
        one = next(entry for entry in param.layer if entry.name == name)
        one.type = "Convolution"
        one.param.add(name="w")
    save_weights(tmp_path / "x.caffemodel", stored, param)
    full, half, third = read_weights(tmp_path / "x.caffemodel").layers
    np.testing.assert_array_equal(half.blobs[0].data, full.blobs[0].data)
    np.testing.assert_array_equal(third.blobs[0].data, full.blobs[0].data)
    assert (third.type, len(half.blobs)) == ("Convolution", 2)


def test_other_hdf5_files_are_named(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_group("model_weights")
    with pytest.raises(WeightsError, match="another HDF5 file: it has model_weights, no /data"):
        read_hdf5(path)
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)  # as HDF5Data reads
    with pytest.raises(WeightsError, match="another HDF5 file"):
        read_hdf5(path)
    with h5py.File(path, "w") as file:
        file["data/conv/kernel"] = np.zeros(3)
    with pytest.raises(WeightsError, match=r"'/data/conv/kernel', which is not /data/<layer>/<blob index>"):
        read_hdf5(path)
    with h5py.File(path, "w") as file:
        file["data/conv/0"] = "words"
    with pytest.raises(WeightsError, match="/data/conv/0 holds values of type"):
        read_hdf5(path)
    with h5py.File(path, "w") as file:
        file["data/conv/0"], file["diff/conv/0"] = np.zeros(3), np.zeros(4)
    with pytest.raises(WeightsError, match="a diff of shape"):
        read_hdf5(path)


def test_truncated_files_are_noticed(tmp_path):
    path = tmp_path / "x.h5"
    write_hdf5(path, net("a"), [[counted(1000)]])
    whole = path.read_bytes()
    for cut in (9, 100, 600, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(WeightsError, match=r"x\.h5 is a damaged HDF5 file"):
            read_weights(path)
