"""The transformation of items: scale, pad, crop, mirror, mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from pydeeplab.data import resize
from pydeeplab.data.transform import Augmenter, Draws
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError, UsageError
from pydeeplab.formats import write_mean
from pydeeplab.proto import caffe_pb2

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, (9, 13, 3), dtype=np.uint8)
LABEL = RANDOM.integers(0, 21, (9, 13), dtype=np.uint8)


def augmenter(text: str, **options: Any) -> Augmenter:
    param = text_format.Parse(text, caffe_pb2.TransformationParameter())
    return Augmenter(param, **{"train": True, "channels": 3, "random": Twister(1), **options})


def apply(
    a: Augmenter, draws: Draws, image: np.ndarray = IMAGE, label: np.ndarray = LABEL
) -> tuple[np.ndarray, np.ndarray]:
    height, width = a.output_size(*image.shape[:2])
    data, labels = (
        np.full((a.channels, height, width), np.nan, np.float32),
        np.full((height, width), np.nan, np.float32),
    )
    window = a.window(image, draws, label=label)
    a.transform(window, data)
    window.place_label(labels)
    return data, labels


def test_pixels_become_blue_first_minus_mean_times_scale() -> None:
    data, labels = apply(augmenter("mean_value: 104.008 mean_value: 116.669 mean_value: 122.675 scale: 0.5"), Draws())
    means = np.array([104.008, 116.669, 122.675], np.float32).astype(np.float64)
    expected = ((IMAGE[:, :, ::-1] - means) * 0.5).astype(np.float32).transpose(2, 0, 1)
    np.testing.assert_array_equal(data, expected)
    np.testing.assert_array_equal(labels, LABEL)


def test_random_crops_move_image_and_label_together() -> None:
    a = augmenter("crop_size: 5 mirror: true")
    data, labels = apply(a, Draws(mirror=7, row=5 * 100 + 3, column=9 * 100 + 4))
    np.testing.assert_array_equal(data, IMAGE[3:8, 4:9, ::-1].transpose(2, 0, 1)[:, :, ::-1])
    np.testing.assert_array_equal(labels, LABEL[3:8, 4:9][:, ::-1])


def test_test_crops_are_central() -> None:
    data, labels = apply(augmenter("crop_height: 4 crop_width: 6", train=False), Draws(row=1, column=1))
    np.testing.assert_array_equal(data[2], IMAGE[2:6, 3:9, 0])
    np.testing.assert_array_equal(labels, LABEL[2:6, 3:9])


def test_padding_is_the_mean_and_the_ignore_label() -> None:
    a = augmenter("crop_size: 15 mean_value: 50 mirror: true", pad=True, ignore_label=200)
    data, labels = apply(a, Draws(mirror=1, row=99, column=99))
    assert not data[:, 9:].any()
    assert not data[:, :, :2].any()
    assert (labels[9:] == 200).all()
    assert (labels[:, :2] == 200).all()
    np.testing.assert_array_equal(labels[:9, 2:], LABEL[:, ::-1])
    np.testing.assert_array_equal(data[0, :9, 2:], IMAGE[:, ::-1, 2] - np.float32(50))


def test_scales_are_truncated_and_labels_take_the_nearest() -> None:
    a = augmenter("scale_factors: 0.75 scale_factors: 1.5 crop_size: 30", pad=True)
    data, labels = apply(a, Draws(scale=2 * 7 + 1))
    large, large_label = resize(IMAGE, 13, 19), resize(LABEL, 13, 19, "nearest")
    np.testing.assert_array_equal(data[:, :13, :19], large[:, :, ::-1].transpose(2, 0, 1))
    np.testing.assert_array_equal(labels[:13, :19], large_label)
    assert (labels[13:] == 255).all()
    assert set(np.unique(labels)) <= {*np.unique(LABEL), 255}


def test_only_what_is_random_is_drawn_in_caffes_order() -> None:
    raw = Twister(1)
    numbers = [raw.next() for _ in range(4)]
    draws = augmenter("mirror: true crop_size: 5 scale_factors: 1 scale_factors: 2").draw()
    assert [draws.mirror, draws.scale, draws.row, draws.column] == numbers
    assert augmenter("crop_size: 5").draw() == Draws(row=numbers[0], column=numbers[1])
    assert augmenter("crop_size: 5 mirror: true", train=False).draw() == Draws(mirror=numbers[0])
    assert augmenter("").draw() == Draws()


def test_items_do_not_depend_on_the_order_of_work() -> None:
    a = augmenter("crop_size: 5 mirror: true scale_factors: 0.7 scale_factors: 1.2")
    plan = [a.draw() for _ in range(6)]
    forward = [apply(a, draws)[0] for draws in plan]
    backward = [apply(a, draws)[0] for draws in reversed(plan)]
    np.testing.assert_array_equal(forward, backward[::-1])


@pytest.mark.parametrize("crop", ["", "crop_size: 4"])
def test_mean_image(tmp_path: Path, crop: str) -> None:
    mean = RANDOM.uniform(0, 200, (3, 9, 13)).astype(np.float32)
    write_mean(tmp_path / "mean.binaryproto", mean)
    a = augmenter(f'mean_file: "{tmp_path}/mean.binaryproto" scale: 2 mirror: true {crop}', train=False)
    data, _ = apply(a, Draws(mirror=1))
    whole = (IMAGE[:, :, ::-1].transpose(2, 0, 1) - mean) * 2
    expected = whole[:, 2:6, 4:8] if crop else whole
    np.testing.assert_allclose(data, expected[:, :, ::-1], rtol=1e-6)
    with pytest.raises(DataError, match="they must be equal"):
        apply(a, Draws(), IMAGE[:-1], LABEL[:-1])
    padded = augmenter(f'mean_file: "{tmp_path}/mean.binaryproto" crop_size: 10', pad=True)
    with pytest.raises(DataError, match="padded pixels have no mean"):
        padded.window(IMAGE, Draws())


def test_planes_as_in_a_database() -> None:
    a = augmenter("crop_size: 4 mean_value: 1 mean_value: 2 mean_value: 3 mirror: true")
    planes = np.ascontiguousarray(IMAGE[:, :, ::-1].transpose(2, 0, 1))
    data = np.empty((3, 4, 4), np.float32)
    a.transform(a.window_of_planes(planes, Draws(1, 0, 3, 2)), data)
    np.testing.assert_array_equal(data, apply(a, Draws(1, 0, 3, 2))[0])
    with pytest.raises(DataError, match="expected 3 channels, got 1"):
        a.window_of_planes(planes[:1], Draws())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crop_size: 5 crop_height: 3", "not both"),
        ("crop_height: 3", "go together"),
        ("mean_value: 1 mean_value: 2", "2 mean_value entries for 3 channel"),
        ("scale_factors: 1 scale_factors: -1", "must be positive"),
        ('mean_file: "m" mean_value: 1', "cannot both"),
    ],
)
def test_contradicting_parameters(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        augmenter(text)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(DataError, match=r"9 x 13 .* smaller than the crop 10 x 10"):
        apply(augmenter("crop_size: 10"), Draws())
    with pytest.raises(DataError, match=r"the image is 9 x 13 .* label map 8 x 13"):
        apply(augmenter(""), Draws(), IMAGE, LABEL[:8])
    with pytest.raises(DataError, match="batch_size 1"):
        augmenter("").window(IMAGE, Draws(), (8, 8))
