"""pycaffe's io: blobs, datums, images and the Transformer."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab import io
from pydeeplab.proto import caffe_pb2


class TestBlobProto:
    def test_legacy_shape(self) -> None:
        blob = caffe_pb2.BlobProto(num=2, channels=1, height=1, width=3, data=range(6))
        np.testing.assert_array_equal(io.blobproto_to_array(blob), np.arange(6).reshape(2, 1, 1, 3))

    def test_round_trip_with_diff(self) -> None:
        array = np.random.default_rng(0).standard_normal((4, 1, 3)).astype(np.float32)
        blob = io.array_to_blobproto(array, diff=2 * array)
        np.testing.assert_array_equal(io.blobproto_to_array(blob), array)
        np.testing.assert_array_equal(io.blobproto_to_array(blob, return_diff=True), 2 * array)

    def test_scalar(self) -> None:
        assert io.blobproto_to_array(io.array_to_blobproto(np.float32(123))).shape == ()

    def test_absent_or_wrong_shape(self) -> None:
        with pytest.raises(ValueError, match="no shape"):
            io.blobproto_to_array(caffe_pb2.BlobProto(data=[1, 2]))
        blob = io.array_to_blobproto(np.zeros((2, 3)))
        blob.shape.dim[0] = 5
        with pytest.raises(ValueError, match="reshape"):
            io.blobproto_to_array(blob)

    def test_vectors(self) -> None:
        arrays = [np.arange(3.0), np.ones((2, 2))]
        back = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str(arrays))
        for a, b in zip(arrays, back, strict=True):
            np.testing.assert_array_equal(a, b)


class TestDatum:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_round_trip(self, dtype: type) -> None:
        array = np.random.default_rng(0).integers(0, 256, (3, 4, 5)).astype(dtype)
        datum = io.array_to_datum(array, label=7)
        assert datum.label == 7
        np.testing.assert_array_equal(io.datum_to_array(datum), array)

    def test_wants_three_axes(self) -> None:
        with pytest.raises(ValueError, match="C x H x W"):
            io.array_to_datum(np.zeros((3, 4)))


class TestImages:
    def test_load(self, tmp_path: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        loaded = io.load_image(tmp_path / "a.png")
        assert loaded.dtype == np.float32
        np.testing.assert_allclose(loaded, pixels / 255, atol=1e-7)
        assert io.load_image(tmp_path / "a.png", color=False).shape == (6, 5, 1)

    def test_resize_keeps_constants_and_ranges(self) -> None:
        assert (io.resize_image(np.full((4, 5, 3), 0.3, np.float32), (8, 9)) == np.float32(0.3)).all()
        image = np.random.default_rng(0).random((20, 30, 3)).astype(np.float32)
        for size in ((10, 15), (40, 37)):
            resized = io.resize_image(image, size)
            assert resized.shape == (*size, 3)
            assert resized.min() >= image.min() - 1e-6
            assert resized.max() <= image.max() + 1e-6

    def test_halving_samples_between_pixels(self) -> None:
        image = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
        np.testing.assert_allclose(io.resize_image(image, (2, 2))[..., 0], [[2.5, 4.5], [10.5, 12.5]], atol=1e-5)

    def test_other_channel_counts(self) -> None:
        assert io.resize_image(np.random.default_rng(0).random((4, 6, 7)), (8, 12)).shape == (8, 12, 7)

    def test_oversample(self) -> None:
        image = np.arange(6 * 7 * 3).reshape(6, 7, 3)
        crops = io.oversample([image, image], (4, 5))
        assert crops.shape == (20, 4, 5, 3)
        np.testing.assert_array_equal(crops[0], image[:4, :5])
        np.testing.assert_array_equal(crops[3], image[2:, 2:])
        np.testing.assert_array_equal(crops[4], image[1:5, 1:6])
        np.testing.assert_array_equal(crops[5], image[:4, :5][:, ::-1])


class TestTransformer:
    def transformer(self) -> io.Transformer:
        made = io.Transformer({"data": (1, 3, 8, 9)})
        made.set_transpose("data", (2, 0, 1))
        made.set_channel_swap("data", (2, 1, 0))
        made.set_raw_scale("data", 255)
        made.set_mean("data", np.array([104.0, 117.0, 123.0]))
        made.set_input_scale("data", 0.5)
        return made

    def test_there_and_back(self) -> None:
        image = np.random.default_rng(0).random((8, 9, 3)).astype(np.float32)
        made = self.transformer()
        ready = made.preprocess("data", image)
        assert ready.shape == (3, 8, 9)
        np.testing.assert_allclose(ready[0], (image[..., 2] * 255 - 104) * 0.5, rtol=1e-5)
        np.testing.assert_allclose(made.deprocess("data", ready[np.newaxis]), image, atol=1e-6)

    def test_resizes(self) -> None:
        assert self.transformer().preprocess("data", np.random.default_rng(0).random((20, 30, 3))).shape == (3, 8, 9)

    def test_mean_image_of_another_size(self) -> None:
        made = io.Transformer({"data": (1, 3, 8, 9)})
        made.set_mean("data", np.random.default_rng(0).random((3, 16, 18)))
        assert made.mean["data"].shape == (3, 8, 9)

    def test_errors(self) -> None:
        made = io.Transformer({"data": (1, 3, 8, 9)})
        with pytest.raises(Exception, match="Did you mean 'data'"):
            made.set_raw_scale("dat", 255)
        with pytest.raises(Exception, match="transpose order"):
            made.set_transpose("data", (1, 0))
        with pytest.raises(Exception, match="channel order"):
            made.set_channel_swap("data", (1, 0))
        with pytest.raises(ValueError, match="2 channels"):
            made.set_mean("data", np.zeros(2))
