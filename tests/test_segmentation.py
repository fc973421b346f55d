"""Segmenting pictures: sizes, tiles, ends of nets, results; real nets where their weights are present."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import pydeeplab
from pydeeplab import TEST, Net, Segmentation, Segmenter, segment
from pydeeplab.data import ClassSet, class_set, read_label, voc_palette
from pydeeplab.errors import DataError, UsageError
from pydeeplab.proto import parse_net
from pydeeplab.segmentation.alignment import Alignment, alignment_of
from pydeeplab.segmentation.deploy import without_labels
from pydeeplab.segmentation.model import read_model
from tests.support.external import shared

RANDOM = np.random.default_rng(2)


def source(height: int = 33, width: int = 33, channels: int = 3) -> str:
    shape = f"dim: 1 dim: {channels} dim: {height} dim: {width}"
    return f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {shape} }} }} }}\n'


def layer(kind: str, bottom: str, top: str, param: str = "") -> str:
    return f'layer {{ name: "{top}" type: "{kind}" bottom: "{bottom}" top: "{top}" {param} }}\n'


def convolution(bottom: str, top: str, outputs: int, kernel: int, stride: int = 1) -> str:
    filler = 'weight_filler { type: "gaussian" std: 0.05 }'
    return layer(
        "Convolution",
        bottom,
        top,
        f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} pad: {kernel // 2} stride: {stride} "
        f"{filler} }}",
    )


COLOURS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
"""Weights of a pixel-wise classifier: class i is the i-th channel, blue first."""


def colour_net(text: str = "", **options: Any) -> Net:
    """A net whose scores are the pixel's blue, green and red."""
    net = Net.from_text(source() + (text or convolution("data", "score", 3, 1)), TEST, **options)
    net.params["score"][0].data[...] = COLOURS[:, :, None, None]
    return net


def picture(height: int, width: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


# Sizes ---------------------------------------------------------------------------------------------------------------


def test_alignments() -> None:
    eight = Alignment(8, 1)
    assert [eight.fit(n) for n in (1, 9, 10, 321, 500, 513)] == [9, 9, 17, 321, 505, 513]
    assert [eight.fit_below(n) for n in (1, 9, 16, 17, 1025)] == [9, 9, 9, 17, 1025]
    assert [Alignment().fit(n) for n in (1, 7)] == [1, 7]
    assert [str(a) for a in (eight, Alignment(), Alignment(32, 0))] == ["8k+1", "any", "32k"]


POOL = "pooling_param { kernel_size: 3 stride: 2 pad: 1 }"
DOWN = convolution("data", "a", 4, 3, 2) + layer("Pooling", "a", "b", POOL) + convolution("b", "score", 2, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (convolution("data", "score", 2, 3), "any"),
        (DOWN, "4k+1"),
        (DOWN + layer("Interp", "score", "up", "interp_param { zoom_factor: 4 }"), "4k+1"),
        (
            layer("Interp", "data", "half", "interp_param { shrink_factor: 2 }") + DOWN.replace('"data"', '"half"'),
            "8k+1",
        ),
        (
            layer("Interp", "data", "s", "interp_param { shrink_factor: 4 zoom_factor: 3 }")
            + DOWN.replace('"data"', '"s"'),
            "16k+1",
        ),
        (
            DOWN
            + layer(
                "Deconvolution", "score", "up", "convolution_param { num_output: 2 kernel_size: 8 stride: 4 pad: 2 }"
            ),
            "4k",
        ),
        (layer("Pooling", "data", "g", "pooling_param { global_pooling: true }"), "any"),
    ],
)
def test_a_nets_strides_tell_its_sizes(text: str, expected: str) -> None:
    assert str(alignment_of(Net.from_text(source() + text, TEST))) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("voc12/vgg16_largefov", "8k+1"), ("voc12/resnet101_aspp_msc", "32k+1"), ("tiny/aspp", "8k+1")],
)
def test_sizes_of_deeplabs_nets(name: str, expected: str) -> None:
    from pydeeplab.resources import find_net

    assert str(alignment_of(Net(find_net(name), TEST, keep="outputs", inputs={"data": (1, 3, 65, 65)}))) == expected


# A picture -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (9, 33), (33, 33), (40, 17), (64, 100)])
@pytest.mark.parametrize("tile", [16, 1025])
def test_any_size_comes_back_at_its_size(size: tuple[int, int], tile: int) -> None:
    image = picture(*size)
    result = Segmenter(colour_net(), mean=[0], tile=tile)(image)
    expected = image[:, :, ::-1].argmax(axis=2)
    np.testing.assert_array_equal(result.labels, expected)
    assert result.labels.dtype == np.uint8
    assert result.probabilities is not None
    np.testing.assert_allclose(result.probabilities.sum(axis=0), 1, rtol=1e-5)
    assert ("tiles" in "".join(result.notes)) == (max(size) > tile)


def test_what_the_net_sees() -> None:
    net = colour_net()
    image = picture(5, 7)
    Segmenter(net, mean=[1, 2, 3], scale=0.5)(image)
    np.testing.assert_array_equal(
        net.blobs["data"].data[0], (image[:, :, ::-1].transpose(2, 0, 1) - np.c_[1:4][:, :, None]) / 2
    )
    Segmenter(net, mean=[1, 2, 3], order="rgb")(image)
    np.testing.assert_array_equal(net.blobs["data"].data[0], image.transpose(2, 0, 1) - np.c_[1:4][:, :, None])
    Segmenter(net, mean=[4], gray=True)(image)
    planes = net.blobs["data"].data[0]
    assert (planes[0] == planes[1]).all()
    assert (planes[1] == planes[2]).all()
    np.testing.assert_allclose(planes[0] + 4, image @ [0.299, 0.587, 0.114], atol=0.51)
    Segmenter(net, mean=[0])(image[:, :, 0])
    np.testing.assert_array_equal(net.blobs["data"].data[0], np.repeat(image[None, :, :, 0], 3, axis=0))


def test_padding_is_the_mean_colour_at_the_bottom_and_right() -> None:
    net = Net.from_text(source() + DOWN, TEST)
    Segmenter(net)(picture(10, 19))
    data = net.blobs["data"].data
    assert data.shape == (1, 3, 13, 21)
    assert not data[:, :, 10:].any()
    assert not data[:, :, :, 19:].any()
    assert data[:, :, :10, :19].all()


def test_scores_at_lower_resolution_are_enlarged_corner_on_corner() -> None:
    net = Net.from_text(source() + DOWN, TEST)
    segmenter = Segmenter(net)
    image = picture(33, 33)
    scores = segmenter.scores(image)
    small = net.blobs["score"].data[0]
    assert small.shape == (2, 9, 9)
    np.testing.assert_array_equal(scores[:, ::4, ::4], small)
    np.testing.assert_allclose(scores[:, 0, 2], (small[:, 0, 0] + small[:, 0, 1]) / 2, rtol=1e-5)
    assert segmenter(image).notes == ("scores enlarged from 9 x 9 to 33 x 33",)


FIXED = 'inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.01 } }'


def test_a_net_of_fixed_size_gets_tiles_of_that_size() -> None:
    text = convolution("data", "a", 1, 3) + layer("InnerProduct", "a", "fc", FIXED.replace("2 w", "1089 w", 1))
    text += layer("Reshape", "fc", "map", "reshape_param { shape { dim: 1 dim: 1 dim: 33 dim: 33 } }")
    text += convolution("map", "score", 2, 1)
    net = Net.from_text(source() + text, TEST)
    segmenter = Segmenter(net)
    for size in ((33, 33), (20, 30), (50, 70)):
        result = segmenter(picture(*size))
        assert result.labels.shape == size
        assert net.blobs["data"].shape == (1, 3, 33, 33)
    assert result.notes == ("cut into 2 x 3 tiles of 33 x 33",)


def test_lean_and_full_nets_agree(tmp_path: Path) -> None:
    pydeeplab.set_random_seed(1)
    net = Net.from_text(source() + DOWN, TEST)
    path = tmp_path / "net.prototxt"
    path.write_text(source() + DOWN)
    net.save(tmp_path / "w.caffemodel")
    image = picture(30, 50)
    full = Segmenter(net)(image)
    lean = segment(image, path, weights=tmp_path / "w.caffemodel")
    np.testing.assert_allclose(lean.probabilities, full.probabilities, rtol=1e-5)


# Ends of nets --------------------------------------------------------------------------------------------------------


def test_probabilities_are_not_made_twice() -> None:
    softmax = convolution("data", "score", 3, 1) + layer("Softmax", "score", "prob")
    image = picture(6, 6)
    two, one = Segmenter(colour_net(softmax), mean=[0])(image), Segmenter(colour_net(), mean=[0])(image)
    np.testing.assert_allclose(two.probabilities, one.probabilities, rtol=1e-5, atol=1e-12)


def test_a_sigmoid_makes_two_classes() -> None:
    net = Net.from_text(source() + convolution("data", "score", 1, 1) + layer("Sigmoid", "score", "prob"), TEST)
    net.params["score"][0].data[...] = 0.01
    image = picture(6, 7)
    result = Segmenter(net, mean=[128])(image)
    np.testing.assert_array_equal(result.labels, image.astype(float).sum(axis=2) > 384)
    np.testing.assert_allclose(result.probabilities.sum(axis=0), 1)


def test_an_argmax_gives_labels_only() -> None:
    text = convolution("data", "score", 3, 1) + layer("ArgMax", "score", "best", "argmax_param { axis: 1 }")
    image = picture(6, 7)
    result = Segmenter(colour_net(text), mean=[0])(image)
    assert result.probabilities is None
    assert (
        np.take_along_axis(image[:, :, ::-1], result.labels[:, :, None].astype(int), 2)[:, :, 0] == image.max(axis=2)
    ).all()


def test_the_output_can_be_named() -> None:
    text = convolution("data", "score", 3, 1) + convolution("score", "other", 5, 1)
    net = colour_net(text)
    image = picture(4, 4)
    assert len(Segmenter(net, mean=[0])(image).probabilities) == 5
    assert len(Segmenter(net, mean=[0], output="score")(image).probabilities) == 3
    with pytest.raises(UsageError, match="no blob 'scores'"):
        Segmenter(net, output="scores")


def test_crf_follows_the_pictures_edges() -> None:
    image = np.full((24, 32, 3), 40, np.uint8)
    image[:, 16:] = 210
    net = colour_net()
    noisy = np.clip(image + RANDOM.normal(0, 70, image.shape), 0, 255).astype(np.uint8)
    net.params["score"][0].data[:, :, 0, 0] = np.array([[-1, -1, -1], [1, 1, 1], [0, 0, 0]]) / 40
    plain = Segmenter(net, mean=[125])(noisy)
    refined = Segmenter(net, mean=[125], crf="w=5,xy=30,rgb=60")(noisy)
    truth = np.arange(32) >= 16
    assert (refined.labels == truth).mean() > (plain.labels == truth).mean()
    np.testing.assert_allclose(refined.probabilities.sum(axis=0), 1, rtol=1e-4)


def test_nets_and_options_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match=r"no input for a picture .* data \(1, 7, 33, 33\)"):
        Segmenter(Net.from_text(source(channels=7) + convolution("data", "score", 2, 1), TEST))
    with pytest.raises(UsageError, match="no output of the net is a map of scores"):
        Segmenter(Net.from_text(source() + layer("InnerProduct", "data", "y", FIXED), TEST))
    with pytest.raises(UsageError, match=r"blob 'score' has shape \(1, 1, 33, 33\)"):
        Segmenter(Net.from_text(source() + convolution("data", "score", 1, 1), TEST))
    for options, message in (
        ({"mean": [1, 2]}, "mean needs one number or 3, got 2"),
        ({"order": "bgra"}, "order must be"),
        ({"tile": 0}, "tile must be"),
        ({"merge": "max"}, "unknown merge"),
        ({"crf": "w=x"}, "expected a number"),
    ):
        with pytest.raises(UsageError, match=message):
            Segmenter(colour_net(), **options)
    with pytest.raises(UsageError, match="cannot overlap by -1"):
        Segmenter(colour_net(), tile=16, overlap=-1)(picture(20, 20))


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture(image: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected a picture of bytes"):
        Segmenter(colour_net())(image)


# From a training or test prototxt -------------------------------------------------------------------------------------


def test_data_layers_and_labels_are_left_out() -> None:
    text = (
        'layer { name: "data" type: "ImageSegData" top: "data" top: "label" top: "size" '
        "transform_param { crop_size: 41 } image_data_param { source: 'none' label_type: PIXEL } }\n"
        + convolution("data", "score", 2, 3)
        + layer("Interp", "label", "small", "interp_param { shrink_factor: 8 }")
        + 'layer { name: "accuracy" type: "SegAccuracy" bottom: "score" bottom: "small" top: "accuracy" }\n'
        + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" }\n'
        + 'layer { name: "write" type: "MatWrite" bottom: "score" mat_write_param { prefix: "x" } }\n'
        + 'layer { name: "silence" type: "Silence" bottom: "size" }\n'
    )
    net = Net.from_source(without_labels(parse_net(text, filename="test.prototxt")), TEST)
    assert (net.inputs, net.outputs) == (["data"], ["score"])
    assert net.blobs["data"].shape == (1, 3, 41, 41)
    crf = layer(
        "DenseCRF",
        "score",
        "crf",
        'bottom: "size" bottom: "data" '
        "dense_crf_param { max_iter: 1 pos_xy_std: 3 pos_w: 3 bi_xy_std: 9 bi_rgb_std: 5 bi_w: 2 }",
    )
    net = Net.from_source(without_labels(parse_net(text + crf)), TEST)
    assert net.inputs == ["data", "size"]
    result = Segmenter(net)(picture(30, 35))
    assert net.blobs["size"].data.ravel().tolist() == [30, 35]
    np.testing.assert_allclose(result.probabilities.sum(axis=0), 1, rtol=1e-4)


# Results -------------------------------------------------------------------------------------------------------------


def test_counts_shares_and_files(tmp_path: Path) -> None:
    labels = np.array([[0, 0, 15, 15], [0, 0, 15, 255]], np.uint8)
    result = Segmentation(labels, None)
    assert result.counts() == {0: 4, 15: 3, 255: 1}
    assert result.shares() == {"background": 0.5, "person": 0.375, "void": 0.125}
    result.save(tmp_path / "labels.png")
    np.testing.assert_array_equal(read_label(tmp_path / "labels.png"), labels)
    np.testing.assert_array_equal(result.colors(), voc_palette()[labels])
    assert repr(result) == "<Segmentation 2 x 4, labels only>"


def test_overlays_leave_the_background_and_name_the_rest() -> None:
    image = picture(60, 200)
    labels = np.zeros((60, 200), np.uint8)
    labels[20:40, 50:100] = 15
    result = Segmentation(labels, None)
    drawn = result.overlay(image)
    assert drawn.shape[0] > 60
    np.testing.assert_array_equal(drawn[:60, :49], image[:, :49])
    assert (drawn[25, 60] != image[25, 60]).any()
    assert (drawn[60:] == voc_palette()[15]).all(axis=2).sum() > 50
    assert result.overlay(image, legend=False).shape == image.shape


def test_model_descriptions(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(source() + convolution("data", "score", 3, 1))
    colour_net().save(tmp_path / "w.caffemodel")
    path = tmp_path / "colours.json"
    path.write_text(
        '{"net": "net.prototxt", "weights": "w.caffemodel", "mean": [0], "classes": ["blue", "green", "red"]}'
    )
    result = Segmenter(**read_model(path))(np.full((5, 5, 3), (9, 200, 30), np.uint8))
    assert result.shares() == {"green": 1.0}
    for text, message in (
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "expected a JSON object, got list"),
        ('{"weights": "w"}', "at least"),
        ('{"net": "n", "weight": "w"}', "Did you mean 'weights'"),
        ('{"net": "n", "classes": [1]}', "list of names"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_model(path)
    with pytest.raises(UsageError, match="no model 'nothing'"):
        read_model("nothing")


# Real nets -----------------------------------------------------------------------------------------------------------


def page() -> tuple[np.ndarray, np.ndarray]:
    """A stained sheet with printed lines, and where the ink is."""
    height, width = 180, 320
    canvas = Image.new("L", (width, height), 0)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=26)
    for line, text in enumerate(("Atrous convolution", "enlarges the field of", "view of filters")):
        draw.text((20, 15 + 55 * line), text, fill=255, font=font)
    ink = np.asarray(canvas)[:, :, None] / 255
    rows, columns = np.mgrid[:height, :width]
    stain = 40 * np.sin(columns / 120) ** 2 + 20 * rows / height
    random = np.random.default_rng(0)
    paper = np.array([225, 210, 170]) - stain[:, :, None] + random.normal(0, 5, (height, width, 3))
    print_ = np.array([60, 45, 40]) + random.normal(0, 8, (height, width, 3))
    return (paper * (1 - ink) + print_ * ink).clip(0, 255).astype(np.uint8), ink[:, :, 0] > 0.5


@pytest.fixture(scope="module")
def dibco() -> dict[str, Any]:
    """Options for a published net that tells ink from paper."""
    folder = shared("data/weights/ctensmeyer-dibco")
    names = ClassSet("dibco", ("ink", "paper"), class_set("voc12").palette, 1)
    return {
        "net": folder / "model.prototxt",
        "weights": folder / "weights.caffemodel",
        "mean": [127],
        "scale": 0.0039,
        "classes": names,
    }


def test_a_published_net_finds_the_ink_of_a_page(dibco: dict[str, Any]) -> None:
    image, ink = page()
    result = Segmenter(**dibco)(image)
    found = result.labels == 0
    near = np.zeros_like(ink)
    for dy in (-2, -1, 0, 1, 2):
        for dx in (-2, -1, 0, 1, 2):
            near |= np.roll(ink, (dy, dx), (0, 1))
    assert found[ink].mean() > 0.95  # recall
    assert near[found].mean() > 0.98  # what is found lies within two pixels of ink
    assert 0.02 < result.shares()["ink"] < 0.15


def test_its_recorded_probabilities(dibco: dict[str, Any]) -> None:
    segmenter = Segmenter(**dibco)
    with np.load(shared("data/weights/ctensmeyer-dibco/ref_caffe_dibco.npz")) as recorded:
        net = segmenter.net
        net.blobs["data"].reshape(*recorded["in/data"].shape)
        net.blobs["data"].data[...] = recorded["in/data"]
        net.forward()
        np.testing.assert_allclose(net.blobs["prob"].data, recorded["data/prob"], atol=1e-5)


@pytest.mark.parametrize("merge", ["average", "centre"])
def test_its_tiles_agree_with_the_whole(dibco: dict[str, Any], merge: str) -> None:
    image, _ = page()
    whole = Segmenter(**dibco)(image).labels
    tiled = Segmenter(**dibco, tile=128, overlap=64, merge=merge)(image)
    assert tiled.notes == ("cut into 2 x 4 tiles of 128 x 128",)
    assert (tiled.labels != whole).mean() < 0.002
