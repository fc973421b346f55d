"""Mean files."""

import numpy as np
import pytest

from pydeeplab.errors import WeightsError
from pydeeplab.formats import read_mean, write_mean
from pydeeplab.proto import caffe_pb2

from .support import counted


@pytest.mark.parametrize("suffix", ["binaryproto", "npy"])
def test_round_trip(tmp_path, suffix):
    write_mean(tmp_path / f"mean.{suffix}", counted(3, 4, 5))
    np.testing.assert_array_equal(read_mean(tmp_path / f"mean.{suffix}"), counted(3, 4, 5))


def test_binaryproto_has_legacy_shapes(tmp_path):
    write_mean(tmp_path / "m.binaryproto", counted(3, 4, 5))
    message = caffe_pb2.BlobProto.FromString((tmp_path / "m.binaryproto").read_bytes())
    assert (message.num, message.channels, message.height, message.width) == (1, 3, 4, 5)
    assert not message.HasField("shape")
    assert list(message.data[:3]) == [1, 2, 3]


def test_one_value_per_channel(tmp_path):
    write_mean(tmp_path / "m.npy", [104.008, 116.669, 122.675])
    assert read_mean(tmp_path / "m.npy").shape == (3,)
    write_mean(tmp_path / "m.binaryproto", [104.008, 116.669, 122.675])
    np.testing.assert_array_equal(read_mean(tmp_path / "m.binaryproto"), read_mean(tmp_path / "m.npy").reshape(3, 1, 1))


def test_shapes_of_current_blobs_and_doubles(tmp_path):
    message = caffe_pb2.BlobProto(double_data=range(6), shape=caffe_pb2.BlobShape(dim=[1, 3, 2, 1]))
    (tmp_path / "m").write_bytes(message.SerializeToString())
    mean = read_mean(tmp_path / "m")
    assert (mean.shape, mean.dtype) == ((3, 2, 1), np.float32)


def test_what_is_no_mean_is_refused(tmp_path):
    np.save(tmp_path / "two.npy", np.zeros((2, 3, 4, 4)))
    np.save(tmp_path / "objects.npy", np.array({"a": 1}, object), allow_pickle=True)
    (tmp_path / "short.npy").write_bytes((tmp_path / "two.npy").read_bytes()[:-9])
    (tmp_path / "garbage.binaryproto").write_bytes(b"\x0a\xff\xff")
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    for name, what in {
        "two.npy": "array of shape 2x3x4x4",
        "objects.npy": "damaged .npy",
        "short.npy": "damaged .npy",
        "garbage.binaryproto": "damaged .binaryproto",
        "many.npz": "is no mean file",
        "absent.npy": "does not exist",
    }.items():
        with pytest.raises(WeightsError, match=what):
            read_mean(tmp_path / name)
    with pytest.raises(WeightsError, match=r"got 2x3"):
        write_mean(tmp_path / "x.npy", counted(2, 3))
