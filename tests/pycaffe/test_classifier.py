"""Classifier and Detector on nets whose answers can be worked out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pydeeplab.errors import DataError, UnsupportedError, UsageError

COLOURS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 8 dim: 8 } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "score" type: "InnerProduct" bottom: "pool" top: "score" inner_product_param { num_output: 3 } }
"""


@pytest.fixture
def files(caffe: Any, tmp_path: Path) -> tuple[str, str]:
    """A net whose scores are the mean of each channel."""
    prototxt, weights = str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")
    Path(prototxt).write_text(COLOURS)
    net = caffe.Net(prototxt, caffe.TEST)
    net.params["score"][0].data[...] = np.eye(3)
    net.save(weights)
    return prototxt, weights


def picture(seed: int, height: int = 16, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


class TestClassifier:
    def test_centre_crops(self, caffe: Any, files: tuple[str, str]) -> None:
        classifier = caffe.Classifier(*files, image_dims=(16, 12), channel_swap=(2, 1, 0), raw_scale=255)
        images = [picture(i) for i in range(6)]
        scores = classifier.predict(images, oversample=False)
        assert scores.shape == (6, 3)
        expected = [255 * image[4:12, 2:10].mean(axis=(0, 1))[::-1] for image in images]
        np.testing.assert_allclose(scores, expected, rtol=1e-4)

    def test_ten_crops(self, caffe: Any, files: tuple[str, str]) -> None:
        classifier = caffe.Classifier(*files, image_dims=(16, 12), mean=np.array([0.1, 0.2, 0.3]))
        image = picture(7)
        places = [(0, 0), (0, 4), (8, 0), (8, 4), (4, 2)]
        expected = np.mean([image[i : i + 8, j : j + 8].mean(axis=(0, 1)) for i, j in places], axis=0)
        scores = classifier.predict([image])
        np.testing.assert_allclose(scores, [expected - [0.1, 0.2, 0.3]], rtol=1e-4)

    def test_images_are_scaled(self, caffe: Any, files: tuple[str, str]) -> None:
        classifier = caffe.Classifier(*files)
        assert list(classifier.image_dims) == list(classifier.crop_dims) == [8, 8]
        flat = np.full((31, 40, 3), 0.25, np.float32)
        np.testing.assert_allclose(classifier.predict([flat]), [[0.25] * 3], rtol=1e-5)

    def test_errors(self, caffe: Any, files: tuple[str, str], tmp_path: Path) -> None:
        with pytest.raises(DataError, match="at least one image"):
            caffe.Classifier(*files).predict([])
        with pytest.raises(DataError, match="larger image_dims"):
            caffe.Classifier(*files, image_dims=(7, 8)).predict([picture(0)], oversample=False)
        text = COLOURS[COLOURS.index("layer", 10) :].replace('"Input" top: "data"', '"DummyData" top: "data"')
        (tmp_path / "data.prototxt").write_text(
            'layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 '
            "} } }\n" + text
        )
        with pytest.raises(UsageError, match="deploy prototxt"):
            caffe.Classifier(str(tmp_path / "data.prototxt"), files[1])


class TestDetector:
    @pytest.fixture
    def image(self, tmp_path: Path) -> tuple[str, np.ndarray]:
        """Four quarters of one colour each."""
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[:20, :30], pixels[:20, 30:], pixels[20:, :30], pixels[20:, 30:] = (
            (255, 0, 0),
            (0, 255, 0),
            (0, 0, 255),
            (51, 102, 204),
        )
        Image.fromarray(pixels).save(tmp_path / "quarters.png")
        return str(tmp_path / "quarters.png"), pixels / 255

    def test_windows(self, caffe: Any, files: tuple[str, str], image: tuple[str, np.ndarray]) -> None:
        detector = caffe.Detector(*files, raw_scale=255, channel_swap=(2, 1, 0))
        windows = [(0, 0, 20, 30), (2, 31, 19, 59), (22, 3, 38, 28), (20, 30, 40, 60), (21, 33, 39, 59)]
        found = detector.detect_windows([(image[0], windows[:3]), (image[0], windows[3:])])
        assert [entry["window"] for entry in found] == windows
        assert {entry["filename"] for entry in found} == {image[0]}
        expected = [[0, 0, 255], [0, 255, 0], [255, 0, 0], [204, 102, 51], [204, 102, 51]]
        np.testing.assert_allclose([entry["prediction"] for entry in found], expected, atol=1e-2)
        assert detector.detect_windows([]) == []

    def test_context_shows_the_surroundings(
        self, caffe: Any, files: tuple[str, str], image: tuple[str, np.ndarray]
    ) -> None:
        detector = caffe.Detector(*files, context_pad=2)
        crop = detector.crop(image[1], (10, 15, 29, 44))
        assert crop.shape == (8, 8, 3)
        np.testing.assert_allclose(crop[0, 0], [1, 0, 0], atol=1e-3)
        np.testing.assert_allclose(crop[0, 7], [0, 1, 0], atol=1e-3)
        np.testing.assert_allclose(crop[7, 0], [0, 0, 1], atol=1e-3)

    def test_outside_the_image_there_is_the_mean(
        self, caffe: Any, files: tuple[str, str], image: tuple[str, np.ndarray]
    ) -> None:
        detector = caffe.Detector(
            *files, mean=np.array([10.0, 20, 30]), raw_scale=255, channel_swap=(2, 1, 0), context_pad=2
        )
        crop = detector.crop(image[1], (0, 0, 20, 30))
        np.testing.assert_allclose(crop[0, 0] * 255, [30, 20, 10], rtol=1e-5)
        np.testing.assert_allclose(crop[1, 7] * 255, [30, 20, 10], rtol=1e-5)
        np.testing.assert_allclose(crop[4, 4], [1, 0, 0], atol=1e-3)
        ready = detector.transformer.preprocess("data", crop)
        np.testing.assert_allclose(ready[:, 0, 0], 0, atol=1e-4)

    def test_the_context_has_its_size(self, caffe: Any, files: tuple[str, str]) -> None:
        """A window of 4 x 4 in an input of 8 x 8 with 2 pixels of context is the whole of its surroundings of 8 x 8."""
        image = np.arange(30 * 30 * 3, dtype=np.float32).reshape(30, 30, 3)
        detector = caffe.Detector(*files, context_pad=2)
        crop = detector.crop(image, (10, 10, 13, 13))
        assert image[6, 6, 0] <= crop[0, 0, 0] <= image[9, 9, 0]
        assert image[15, 15, 0] <= crop[7, 7, 0] <= image[18, 18, 0]

    def test_errors(self, caffe: Any, files: tuple[str, str], image: tuple[str, np.ndarray]) -> None:
        for context in (None, 2):
            detector = caffe.Detector(*files, context_pad=context)
            with pytest.raises(DataError, match="no pixel"):
                detector.crop(image[1], (90, 10, 99, 20))
        with pytest.raises(UsageError, match="context_pad"):
            caffe.Detector(*files, context_pad=4)
        with pytest.raises(UnsupportedError, match="detect_windows"):
            caffe.Detector(*files).detect_selective_search([image[0]])
