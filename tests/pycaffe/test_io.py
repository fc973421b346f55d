"""``caffe.io``: blobs and datums as arrays, images, and the Transformer under NumPy 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def io(caffe: Any) -> Any:
    import caffe.io

    return caffe.io


def blob_of(io: Any, values: np.ndarray, **shape: Any) -> Any:
    blob = io.caffe_pb2.BlobProto(**shape)
    blob.data.extend(values.ravel().tolist())
    return blob


def test_the_old_shape_has_four_axes(io: Any) -> None:
    values = np.arange(100.0).reshape(10, 10)
    array = io.blobproto_to_array(blob_of(io, values, num=1, channels=1, height=10, width=10))
    assert array.shape == (1, 1, 10, 10)
    np.testing.assert_array_equal(array[0, 0], values)


def test_the_new_shape_has_any_number(io: Any) -> None:
    values = np.arange(60.0)
    for dims in ([60], [3, 20], [1, 2, 3, 10, 1]):
        array = io.blobproto_to_array(blob_of(io, values, shape={"dim": dims}))
        assert array.shape == tuple(dims)


def test_no_shape(io: Any) -> None:
    assert io.blobproto_to_array(blob_of(io, np.full(1, 123.0))) == 123
    with pytest.raises(ValueError, match="no shape"):
        io.blobproto_to_array(blob_of(io, np.ones((10, 10))))


def test_double_data(io: Any) -> None:
    blob = io.caffe_pb2.BlobProto(shape={"dim": [2]}, double_data=[0.5, 1.5], double_diff=[3, 4])
    np.testing.assert_array_equal(io.blobproto_to_array(blob), [0.5, 1.5])
    np.testing.assert_array_equal(io.blobproto_to_array(blob, return_diff=True), [3, 4])


@pytest.mark.parametrize("label", [0, 1, 123, 70000])
def test_datums_keep_their_label(io: Any, label: int) -> None:
    datum = io.array_to_datum(np.ones((10, 10, 3)), label=label)
    assert datum.label == label
    assert (datum.channels, datum.height, datum.width) == (10, 10, 3)
    parsed = io.caffe_pb2.Datum.FromString(datum.SerializeToString())
    np.testing.assert_array_equal(io.datum_to_array(parsed), np.ones((10, 10, 3)))


def test_a_mean_file_becomes_an_array(io: Any, tmp_path: Path) -> None:
    mean = np.random.default_rng(0).uniform(90, 130, (1, 3, 4, 5)).astype(np.float32)
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(io.array_to_blobproto(mean).SerializeToString())
    blob = io.caffe_pb2.BlobProto()
    blob.ParseFromString(path.read_bytes())
    np.testing.assert_array_equal(io.blobproto_to_array(blob), mean)


def test_images_there_and_back(io: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    image = io.load_image(str(tmp_path / "picture.png"))
    assert (image.dtype, image.shape) == (np.float32, (9, 7, 3))
    assert 0 <= image.min() <= image.max() <= 1

    transformer = io.Transformer({"data": (1, 3, 9, 7)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", np.array([104, 117, 123]))
    transformer.set_raw_scale("data", 255)
    transformer.set_channel_swap("data", (2, 1, 0))
    ready = transformer.preprocess("data", image)
    np.testing.assert_allclose(ready[2], pixels[..., 0] - 123.0, atol=1e-3)
    np.testing.assert_allclose(transformer.deprocess("data", ready), image, atol=1e-6)
    assert set(vars(transformer)) == {"inputs", "transpose", "channel_swap", "raw_scale", "mean", "input_scale"}


def test_gray_images(io: Any, tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 5), 51, np.uint8)).save(tmp_path / "gray.png")
    np.testing.assert_allclose(io.load_image(str(tmp_path / "gray.png"), color=False), np.full((4, 5, 1), 0.2))
    np.testing.assert_allclose(io.load_image(str(tmp_path / "gray.png")), np.full((4, 5, 3), 0.2))


def test_the_grey_of_a_colour(io: Any, tmp_path: Path) -> None:
    Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).save(tmp_path / "rgb.png")
    gray = io.load_image(str(tmp_path / "rgb.png"), color=False)
    np.testing.assert_allclose(gray[0, :, 0], [0.2125, 0.7154, 0.0721], rtol=1e-6)


def test_a_transformer_refuses_what_does_not_fit(io: Any) -> None:
    transformer = io.Transformer({"data": (1, 3, 9, 7)})
    with pytest.raises(Exception, match="dat"):
        transformer.set_raw_scale("dat", 255)
    with pytest.raises(ValueError, match="mean"):
        transformer.set_mean("data", np.zeros(4))
    with pytest.raises(ValueError, match="transpose"):
        transformer.set_transpose("data", (1, 0))
