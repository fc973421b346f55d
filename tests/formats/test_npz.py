"""Weights as .npz, with our keys and with those that scripts write."""

import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pydeeplab.errors import WeightsError
from pydeeplab.formats import read_npz, read_weights, save_weights

from .support import layer, same_bits, weight_files, weights

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(weight_files())
def test_round_trip_keeps_every_bit(tmp_path, drawn):
    path = tmp_path / "x.npz"
    full = [stored for stored in drawn.layers if stored.blobs]
    save_weights(path, drawn)
    if not full:
        with pytest.raises(WeightsError, match="keys that do not name layers"):
            read_weights(path)
        return
    back = read_weights(path).layers
    assert [stored.name for stored in back] == [stored.name for stored in full]
    for mine, theirs in zip(back, full, strict=True):
        for a, b in zip(mine.blobs, theirs.blobs, strict=True):
            assert same_bits(a.data, b.data)


@pytest.mark.parametrize(
    ("keys", "layers"),
    [
        (["a/b/0", "a/b/1"], {"a/b": 2}),
        (["conv1/weights", "conv1/biases", "bn/weights"], {"conv1": 2, "bn": 1}),
        (["conv1.weight", "conv1.bias"], {"conv1": 2}),
        (["conv1_1_W", "conv1_1_b", "conv1_2_W"], {"conv1_1": 2, "conv1_2": 1}),
        (["fc1_voc12_c0_0", "fc1_voc12_c0_1"], {"fc1_voc12_c0": 2}),
        (["bn.0", "bn.1", "bn.2"], {"bn": 3}),
        (["half/1"], {"half": 2}),
    ],
)
def test_keys(tmp_path, keys, layers):
    np.savez(tmp_path / "x.npz", **{key: np.full(2, i) for i, key in enumerate(keys)})
    assert {stored.name: len(stored.blobs) for stored in read_npz(tmp_path / "x.npz").layers} == layers


def test_weights_come_before_biases_whatever_their_order(tmp_path):
    np.savez(tmp_path / "x.npz", c_b=np.zeros(2), c_w=np.zeros((2, 3)))
    assert [b.shape for b in read_npz(tmp_path / "x.npz").layers[0].blobs] == [(2, 3), (2,)]


@pytest.mark.parametrize(
    "keys", [["conv1_1", "conv1_2"], ["fc6"], ["a/0", "plain"], ["a/0", "a/00"], ["c.bias"], ["a/99999999999999"], []]
)
def test_keys_that_name_no_layers_are_refused(tmp_path, keys):
    np.savez(tmp_path / "x.npz", **{key: np.zeros(2) for key in keys})
    with pytest.raises(WeightsError, match=r"keys that do not name layers .* Call the arrays 'layer/0'"):
        read_npz(tmp_path / "x.npz")


def test_types_are_made_real(tmp_path):
    np.savez(tmp_path / "x.npz", **{"a/0": np.arange(3), "a/1": np.zeros(2, np.float16), "a/2": np.zeros(1)})
    assert [b.data.dtype for b in read_npz(tmp_path / "x.npz").layers[0].blobs] == [np.float32, np.float32, np.float64]


def test_objects_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", **{"a/0": np.array([{}], object)})
    with pytest.raises(WeightsError):
        read_npz(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", **{"a/0": np.array(["words"])})
    with pytest.raises(WeightsError, match="'a/0' holds values of type"):
        read_npz(tmp_path / "x.npz")


def test_a_pytorch_checkpoint_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}.")
        archive.writestr("model/data/0", b"1234")
    with pytest.raises(WeightsError, match="is a PyTorch checkpoint"):
        read_npz(tmp_path / "x.pth")


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "x.npz"
    save_weights(path, weights(layer("a", "", (50, 20), (50,))))
    whole = path.read_bytes()
    for cut in (10, 200, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(WeightsError, match=r"x\.npz is a damaged \.npz"):
            read_weights(path)
    path.write_bytes(whole[:1000] + b"\xff" + whole[1001:])  # one byte of the data: the checksum tells
    with pytest.raises(WeightsError, match="damaged"):
        read_weights(path)


def test_equal_names_cannot_be_kept(tmp_path):
    with pytest.raises(WeightsError, match="two layers with parameters are called 'a'"):
        save_weights(tmp_path / "x.npz", weights(layer("a", "", (1,)), layer("a", "", (1,))))
