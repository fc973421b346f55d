"""The programs that come with Caffe, as commands: means, databases, features, upgrades."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from pydeeplab import TEST, Net
from pydeeplab.cli import main
from pydeeplab.cli._database import create_database, read_database
from pydeeplab.errors import DataError, UsageError
from pydeeplab.formats import read_mean
from pydeeplab.formats.mat import read_mat
from pydeeplab.io import datum_to_array
from pydeeplab.layers.data import decode_datum
from pydeeplab.proto import caffe_pb2, read_net, read_solver
from tests.cli.nets import write_nets


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three images of 6 x 7 and one of 4 x 9, in two folders, and list.txt with labels."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name, size in (("a.png", (6, 7)), ("b.png", (6, 7)), ("sub/c d.png", (6, 7))):
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(folder / name)
    (tmp_path / "list.txt").write_text("a.png 3\nb.png 0\nsub/c d.png 12\n")
    (folder / "notes.txt").write_text("no image")
    return folder


def pixels(photos: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(photos / name))[:, :, ::-1].transpose(2, 0, 1)


def convert(photos: Path, *options: object, name: str = "db") -> Path:
    pytest.importorskip("lmdb")
    database = photos.parent / name
    assert call("convert_imageset", *options, f"{photos}/", photos.parent / "list.txt", database) == 0
    return database


def test_a_database_holds_the_images_for_the_data_layer(photos: Path) -> None:
    database = convert(photos)
    records = dict(read_database(database))
    assert list(records) == ["00000000_a.png", "00000001_b.png", "00000002_sub/c d.png"]
    datum = caffe_pb2.Datum.FromString(records["00000002_sub/c d.png"])
    assert (datum.label, datum.encoded) == (12, False)
    np.testing.assert_array_equal(datum_to_array(datum), pixels(photos, "sub/c d.png"))
    text = f'data_param {{ source: "{database}" batch_size: 3 backend: LMDB }}'
    net = Net.from_text(f'layer {{ name: "d" type: "Data" top: "data" top: "label" {text} }}', TEST)
    net.forward()
    np.testing.assert_array_equal(net.blobs["label"].data, [3, 0, 12])
    np.testing.assert_array_equal(net.blobs["data"].data[1], pixels(photos, "b.png"))


def test_pictures_stay_compressed_byte_by_byte(photos: Path) -> None:
    records = dict(read_database(convert(photos, "-encoded")))
    datum = caffe_pb2.Datum.FromString(records["00000000_a.png"])
    assert datum.encoded
    assert datum.data == (photos / "a.png").read_bytes()
    planes, label = decode_datum(records["00000001_b.png"])
    assert label == 0
    np.testing.assert_array_equal(planes, pixels(photos, "b.png"))


def test_grey_resized_shuffled_and_of_another_type(photos: Path) -> None:
    options = ("-gray", "-resize_height=4", "--resize_width", 5, "-encode_type", "jpg", "-shuffle", "--seed", 1)
    records = dict(read_database(convert(photos, *options, "-check_size")))
    assert sorted(key[9:] for key in records) == ["a.png", "b.png", "sub/c d.png"]
    labels = {key[9:]: decode_datum(raw)[1] for key, raw in records.items()}
    assert labels == {"a.png": 3, "b.png": 0, "sub/c d.png": 12}
    datum = caffe_pb2.Datum.FromString(next(iter(records.values())))
    assert datum.data.startswith(b"\xff\xd8")
    assert decode_datum(next(iter(records.values())))[0].shape == (1, 4, 5)


def test_what_cannot_be_converted(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lmdb")
    root, listed = f"{photos}/", photos.parent / "list.txt"
    Image.new("RGB", (9, 4)).save(photos / "b.png")
    assert call("convert_imageset", "-check_size", root, listed, photos.parent / "x") == 1
    assert "'b.png' has 108 values" in capsys.readouterr().err
    assert sorted(p.name for p in photos.parent.iterdir()) == ["list.txt", "photos"]
    (photos / "b.png").write_bytes(b"damaged")
    assert call("convert_imageset", root, listed, photos.parent / "db") == 1
    assert "left out: " in capsys.readouterr().err
    assert [key[:8] for key, _ in read_database(photos.parent / "db")] == ["00000000", "00000002"]
    assert call("convert_imageset", root, listed, photos.parent / "db") == 2
    assert call("convert_imageset", "-backend", "leveldb", root, listed, photos.parent / "y") == 1
    assert call("convert_imageset", "-resize_width", 3, root, listed, photos.parent / "y") == 2
    listed.write_text("a.png cat\n")
    assert call("convert_imageset", root, listed, photos.parent / "y") == 1
    assert "list.txt:1: expected an image path and a whole number, got label 'cat'" in capsys.readouterr().err


def test_without_the_package_lmdb(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    assert call("convert_imageset", f"{photos}/", photos.parent / "list.txt", photos.parent / "db") == 1
    assert "pip install 'pydeeplab[lmdb]'" in capsys.readouterr().err


def test_databases_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    pytest.importorskip("lmdb")
    values = {f"{i:04d}": bytes([i % 256]) * 200_000 for i in range(1500)}
    with create_database(tmp_path / "db") as writer:
        for key, value in values.items():
            writer.put(key, value)
    assert dict(read_database(tmp_path / "db")) == values

    def fail() -> None:
        with create_database(tmp_path / "half") as writer:
            writer.put("a", b"1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["db"]
    with pytest.raises(UsageError, match="exists already"), create_database(tmp_path / "db"):
        pass
    with create_database(tmp_path / "none"):
        pass
    with pytest.raises(DataError, match="is empty"):
        list(read_database(tmp_path / "none"))


def test_the_mean_of_a_folder_a_list_and_a_database(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = np.mean([pixels(photos, n) for n in ("a.png", "b.png", "sub/c d.png")], axis=0)
    assert call("compute_image_mean", photos, photos.parent / "mean.binaryproto") == 0
    out = capsys.readouterr().out
    assert f"mean_value channel [2]: {expected[2].mean():g}" in out
    assert "Number of channels: 3" in out
    np.testing.assert_allclose(read_mean(photos.parent / "mean.binaryproto"), expected, rtol=1e-6)
    (photos.parent / "two.txt").write_text("a.png 1\nb.png 2\n")
    assert call("compute_image_mean", photos.parent / "two.txt", "--root", f"{photos}/", photos.parent / "m.npy") == 0
    two = np.mean([pixels(photos, n) for n in ("a.png", "b.png")], axis=0)
    np.testing.assert_allclose(read_mean(photos.parent / "m.npy"), two, rtol=1e-6)
    for options in ((), ("-encoded",)):
        database = convert(photos, *options, name=f"db{len(options)}")
        assert call("compute_image_mean", "-backend=lmdb", database, photos.parent / "db.npy") == 0
        np.testing.assert_allclose(read_mean(photos.parent / "db.npy"), expected, rtol=1e-6)


def test_means_of_images_of_several_sizes(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (9, 4), (255, 0, 0)).save(photos / "b.png")
    assert call("compute_image_mean", photos) == 1
    assert "images must have one size" in capsys.readouterr().err
    assert call("compute_image_mean", photos, photos.parent / "m.npy", "-resize_height", 8, "-resize_width", 8) == 0
    assert read_mean(photos.parent / "m.npy").shape == (3, 8, 8)
    assert call("compute_image_mean", photos, "-resize_height", 8) == 2
    assert call("compute_image_mean", photos.parent / "absent") == 2


@pytest.mark.parametrize("kind", ["npz", "h5", "mat", "lmdb"])
def test_features(tmp_path: Path, kind: str) -> None:
    net, weights = write_nets(tmp_path)
    outputs = [tmp_path / f"{name}.{kind}" for name in ("ip", "conv")]
    if kind == "lmdb":
        pytest.importorskip("lmdb")
    words = ("ip,conv", ",".join(map(str, outputs)), 3, kind, "GPU", 1)
    assert call("extract_features", weights, net, *words) == 0
    expected = Net(net, TEST, weights=weights)
    expected.forward()
    for name, path in zip(("ip", "conv"), outputs, strict=True):
        if kind == "npz":
            found = np.load(path)[name]
        elif kind == "h5":
            with h5py.File(path) as file:
                found = file[name][()]
        elif kind == "mat":
            found = read_mat(path)
        else:
            records = dict(read_database(path))
            assert list(records)[:2] == ["0000000000", "0000000001"]
            found = np.stack([datum_to_array(caffe_pb2.Datum.FromString(r)) for r in records.values()])
        values = expected.blobs[name].data
        np.testing.assert_allclose(found.reshape(12, -1), np.tile(values.reshape(4, -1), (3, 1)), rtol=1e-6)


def test_features_that_cannot_be_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, weights = write_nets(tmp_path)
    out = tmp_path / "x.npz"
    for words, code, message in [
        (("ipp", out, 1, "npz"), 2, "unknown feature blob name 'ipp'. Did you mean 'ip'?"),
        (("ip,conv", out, 1, "npz"), 2, "2 blob(s) need as many outputs, got 1"),
        (("ip", out, 0, "npz"), 2, "NUM_MINI_BATCHES must be at least 1"),
        (("ip", out, 1, "npy"), 2, "Did you mean 'npz'?"),
        (("ip", out, 1, "leveldb"), 1, "LEVELDB is not supported"),
    ]:
        assert call("extract_features", weights, net, *words) == code
        assert message in capsys.readouterr().err
    assert call("extract_features", weights, tmp_path / "deploy.prototxt", "conv", out, 1, "npz") == 2
    assert not out.exists()


def test_upgrades(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.prototxt", tmp_path / "new.prototxt"
    old.write_text('input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4 layers { name: "r" type: RELU '
                   'bottom: "x" top: "y" }')  # fmt: skip
    assert call("upgrade_net_proto_text", old, new) == 0
    assert "layers {" not in new.read_text()
    assert [layer.type for layer in read_net(new).param.layer] == ["Input", "ReLU"]
    solver = tmp_path / "solver.prototxt"
    solver.write_text(f'net: "{new}" solver_type: ADAM base_lr: 0.1 lr_policy: "fixed"')
    assert call("upgrade_solver_proto_text", solver, tmp_path / "s2.prototxt") == 0
    assert 'type: "Adam"' in (tmp_path / "s2.prototxt").read_text()
    assert read_solver(tmp_path / "s2.prototxt").param.type == "Adam"
    v1 = caffe_pb2.NetParameter(name="v1")
    layer = v1.layers.add(name="ip", type=caffe_pb2.V1LayerParameter.INNER_PRODUCT)
    layer.blobs.add(num=1, channels=1, height=1, width=2, data=[1, 2])
    (tmp_path / "v1.caffemodel").write_bytes(v1.SerializeToString())
    assert call("upgrade_net_proto_binary", tmp_path / "v1.caffemodel", tmp_path / "v2.caffemodel") == 0
    upgraded = caffe_pb2.NetParameter.FromString((tmp_path / "v2.caffemodel").read_bytes())
    assert [layer.type for layer in upgraded.layer] == ["InnerProduct"]
    assert list(upgraded.layer[0].blobs[0].data) == [1, 2]
    capsys.readouterr()
    assert call("upgrade_net_proto_binary", old, tmp_path / "x") == 2
    assert "is text, not binary" in capsys.readouterr().err
    assert call("upgrade_net_proto_text", tmp_path / "v1.caffemodel", tmp_path / "x") == 2
    assert "is binary, not text" in capsys.readouterr().err
    assert call("upgrade_net_proto_text", tmp_path / "absent", tmp_path / "x") == 2
    assert not (tmp_path / "x").exists()
