"""Tiles that change nothing, scales that do what multi-scale nets do, mirror images, and what memory it takes."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import pydeeplab
from pydeeplab import TEST, Net, Segmenter
from pydeeplab.backend import room
from pydeeplab.crf import CRFParameters
from pydeeplab.crf.room import crf_bytes
from pydeeplab.data.synthetic import scene
from pydeeplab.errors import UsageError
from pydeeplab.segmentation.alignment import alignment_of
from pydeeplab.segmentation.context import context_radius
from pydeeplab.segmentation.model import read_model
from pydeeplab.segmentation.views import Views

RANDOM = np.random.default_rng(5)


def layer(kind: str, bottom: str, top: str, param: str = "") -> str:
    return f'layer {{ name: "{top}" type: "{kind}" bottom: "{bottom}" top: "{top}" {param} }}\n'


def convolution(bottom: str, top: str, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> str:
    return layer(
        "Convolution",
        bottom,
        top,
        f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} pad: {dilation * (kernel // 2)} "
        f'stride: {stride} dilation: {dilation} weight_filler {{ type: "gaussian" std: 0.1 }} '
        'bias_filler { type: "uniform" min: -1 max: 1 } }',
    )


INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 33 dim: 33 } } }\n'
POOL = "pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 }"
TRUNK = (
    convolution("data", "a", 4, 3)
    + layer("ReLU", "a", "a")
    + layer("Pooling", "a", "b", POOL)
    + convolution("b", "c", 5, 3, 2)
    + layer("ReLU", "c", "c")
    + convolution("c", "score", 3, 3, dilation=2)
)
ENLARGED = TRUNK + layer("Interp", "score", "up", "interp_param { zoom_factor: 4 }")


def built(text: str) -> Net:
    pydeeplab.set_random_seed(7)
    return Net.from_text(INPUT + text, TEST)


def picture(height: int, width: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


# Tiles ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TRUNK, ENLARGED], ids=["coarse scores", "enlarged by the net"])
@pytest.mark.parametrize("size", [(150, 211), (97, 160), (60, 300)])
def test_exact_tiles_give_what_the_whole_gives(text: str, size: tuple[int, int]) -> None:
    net, image = built(text), picture(*size)
    whole = Segmenter(net, mean=[128], scale=0.01).scores(image)
    tiled = Segmenter(net, mean=[128], scale=0.01, tile=81, overlap="exact", merge="centre")
    scores = tiled.scores(image)
    assert "tiles of" in tiled.notes[0]
    np.testing.assert_allclose(scores, whole, atol=1e-5 * np.abs(whole).max())


def test_less_than_the_exact_overlap_changes_scores() -> None:
    """The radius is no larger than it must be by much: half of it does not do."""
    net, image = built(ENLARGED), picture(150, 211)
    whole = Segmenter(net, mean=[128], scale=0.01)
    expected = whole.scores(image)
    less = Segmenter(net, mean=[128], scale=0.01, tile=81, overlap=(whole.context or 0) // 2, merge="centre")
    assert np.abs(less.scores(image) - expected).max() > 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("merge", ["centre", "average"])
def test_tiles_equal_the_whole_away_from_their_borders(merge: str) -> None:
    net, image = built(ENLARGED), picture(80, 149)
    whole = Segmenter(net, mean=[128], scale=0.01)
    expected, radius = whole.scores(image), whole.context or 0
    scores = Segmenter(net, mean=[128], scale=0.01, tile=81, overlap=12, merge=merge).scores(image)
    inside = slice(0, min(68, 81 - radius))  # the second tile begins at 68
    np.testing.assert_allclose(scores[:, :, inside], expected[:, :, inside], atol=1e-5 * np.abs(expected).max())


def test_the_shipped_net_in_exact_tiles() -> None:
    model = {k: v for k, v in read_model("shapes").items() if k != "crf"}
    image, _ = scene(3, 300, 360)
    whole = Segmenter(**model)
    expected = whole(image, probabilities=False)
    tiled = Segmenter(**model, tile=2 * (whole.context or 0) + 41, overlap="exact", merge="centre")
    result = tiled(image)
    assert "tiles of" in result.notes[0]
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(tiled(image, probabilities=False).labels, expected.labels)


def test_contexts() -> None:
    for text, expected in (
        (convolution("data", "score", 2, 3), 1),
        (convolution("data", "score", 2, 3, dilation=5), 5),
        (convolution("data", "score", 2, 1), 0),
        (layer("Pooling", "data", "score", POOL), 2),
    ):
        assert context_radius(built(text), "score") == expected
    assert context_radius(built(convolution("data", "score", 2, 3)), "score", [Fraction(1), Fraction(1, 2)]) == 7
    pooled = built(layer("Pooling", "data", "score", "pooling_param { global_pooling: true }"))
    assert context_radius(pooled, "score") is None


def test_exact_overlaps_that_cannot_be() -> None:
    net = built(ENLARGED)
    with pytest.raises(UsageError, match=r"depend on \d+ pixels around: exact tiles must be at least \d+ x") as caught:
        Segmenter(net, tile=33, overlap="exact").scores(picture(80, 80))
    least = int(str(caught.value).partition("at least ")[2].split()[0])
    assert Segmenter(net, tile=least, overlap="exact").scores(picture(80, 80)).shape == (3, 80, 80)
    with pytest.raises(UsageError, match="must be at least"):
        Segmenter(net, tile=least - 1, overlap="exact").scores(picture(80, 80))
    with pytest.raises(UsageError, match="overlap is a number of pixels or 'exact', got 'half'"):
        Segmenter(built(ENLARGED), overlap="half")
    with pytest.raises(UsageError, match="tiles of 40 pixels cannot overlap by 40; give 0 to 39"):
        Segmenter(built(ENLARGED), tile=40, overlap=40)
    mvn = built(layer("MVN", "data", "n") + convolution("n", "score", 2, 1))
    with pytest.raises(UsageError, match="depend on the whole picture"):
        Segmenter(mvn, tile=40, overlap="exact").scores(picture(80, 80))


def test_labels_of_tiles_are_never_averaged() -> None:
    text = convolution("data", "score", 5, 3) + layer("ArgMax", "score", "best", "argmax_param { axis: 1 }")
    net, image = built(text), picture(60, 90)
    whole = Segmenter(net)(image).labels
    tiled = Segmenter(net, tile=40, overlap=6)(image).labels
    np.testing.assert_array_equal(tiled, whole)


def test_strips_come_in_order_and_cover_the_picture() -> None:
    image = picture(150, 70)
    segmenter = Segmenter(built(ENLARGED), tile=49, overlap=8)
    parts = list(segmenter.strips(image))
    assert len(parts) > 3
    assert [p.rows.start for p in parts[1:]] == [p.rows.stop for p in parts[:-1]]
    np.testing.assert_array_equal(np.concatenate([p.scores for p in parts], axis=1), segmenter.scores(image))


def test_labels_alone_take_the_memory_of_a_strip() -> None:
    net = built(convolution("data", "score", 64, 1))
    image = picture(1200, 300)
    segmenter = Segmenter(net, tile=64, overlap=8, merge="centre")
    segmenter(image[:70], probabilities=False)
    tracemalloc.start()
    segmenter(image, probabilities=False)
    labels_only = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    segmenter(image)
    everything = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    whole = 64 * 1200 * 300 * 4
    assert everything > whole
    assert labels_only < whole / 4


# Scales and mirror images --------------------------------------------------------------------------------------------

MULTI = (
    ENLARGED
    + "".join(
        layer("Interp", "data", f"data{n}", f"interp_param {{ shrink_factor: 4 zoom_factor: {n} }}") for n in (3, 2)
    )
    + "".join(
        TRUNK.replace('"data"', f'"data{n}"')
        .replace('"a"', f'"a{n}"')
        .replace('"b"', f'"b{n}"')
        .replace('"c"', f'"c{n}"')
        .replace('"score"', f'"score{n}"')
        + f'layer {{ name: "up{n}" type: "Interp" bottom: "score{n}" top: "up{n}" '
        "interp_param { height: 33 width: 33 } }\n"
        for n in (3, 2)
    )
    + layer("Eltwise", "score", "fused", 'bottom: "up3" bottom: "up2" eltwise_param { operation: MAX }')
)


def test_scales_do_what_a_multi_scale_net_does() -> None:
    """On the net's grid the fused scores are those of a net with branches at 1, 3/4 and 1/2 that share weights."""
    one = built(TRUNK)
    text = "".join(part for part in MULTI.splitlines(keepends=True) if '"up"' not in part)
    several = Net.from_text(INPUT.replace("33", "129") + text, TEST)
    for name in ("a", "c", "score"):
        for suffix in ("", "3", "2"):
            for mine, theirs in zip(several.params[name + suffix], one.params[name], strict=True):
                mine.data[...] = theirs.data
    image = picture(129, 129)
    segmenter = Segmenter(one, mean=[128], scale=0.01, scales=[0.5, 0.75, 1])
    scores = segmenter.scores(image)
    several.blobs["data"].data[0] = (image[:, :, ::-1].transpose(2, 0, 1) - 128.0) * 0.01
    several.forward()
    expected = several.blobs["fused"].data[0]
    assert segmenter.notes == ("max of scales 0.5, 0.75, 1",)
    np.testing.assert_allclose(scores[:, ::4, ::4], expected, atol=1e-5 * np.abs(expected).max())


def test_the_mean_of_scales() -> None:
    net, image = built(TRUNK), picture(65, 97)
    options: dict[str, Any] = {"mean": [128], "scale": 0.01}
    single = [Segmenter(net, scales=[s], **options).scores(image) for s in (1, 0.5)]
    both = Segmenter(net, scales=[1, 0.5], fuse="mean", **options).scores(image)
    np.testing.assert_allclose(both, (single[0] + single[1]) / 2, rtol=1e-5, atol=1e-6)
    largest = Segmenter(net, scales=[1, 0.5], **options).scores(image)
    np.testing.assert_allclose(largest, np.maximum(*single), rtol=1e-6)


def test_a_picture_and_its_mirror_image_come_out_alike() -> None:
    net, image = built(ENLARGED), picture(65, 97)
    segmenter = Segmenter(net, mean=[128], scale=0.01, flip=True)
    scores, mirrored = segmenter.scores(image), segmenter.scores(np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(mirrored[:, :, ::-1], scores, atol=1e-5 * np.abs(scores).max())
    plain = Segmenter(net, mean=[128], scale=0.01)
    average = (plain.scores(image) + plain.scores(np.ascontiguousarray(image[:, ::-1]))[:, :, ::-1]) / 2
    np.testing.assert_allclose(scores, average, atol=1e-5 * np.abs(scores).max())
    assert segmenter.notes == ("mean with the mirror image",)


def test_exact_tiles_at_several_scales() -> None:
    net, image = built(TRUNK), picture(140, 260)
    options: dict[str, Any] = {"mean": [128], "scale": 0.01, "scales": [1, 0.5], "flip": True}
    whole = Segmenter(net, **options).scores(image)
    tiled = Segmenter(net, tile=129, overlap="exact", merge="centre", **options)
    scores = tiled.scores(image)
    assert any("tiles" in note for note in tiled.notes)
    np.testing.assert_allclose(scores, whole, atol=1e-5 * np.abs(whole).max())


def test_sizes_that_suit_scales() -> None:
    alignment = alignment_of(built(ENLARGED))
    assert str(alignment) == "4k+1"
    assert str(alignment.scaled([Fraction(1), Fraction(3, 4), Fraction(1, 2)])) == "16k+1"
    with pytest.raises(UsageError, match="simpler fractions"):
        alignment.scaled([Fraction(1, 64), Fraction(1, 63)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": [0.5, "1/2"]}, "twice"),
        ({"scales": []}, "at least one scale"),
        ({"scales": [0]}, "positive fraction"),
        ({"scales": [-1]}, "positive fraction"),
        ({"scales": ["large"]}, "number such as 0.75, got 'large'"),
        ({"scales": [0.123456789]}, "positive fraction"),
        ({"scales": [float("inf")]}, "number such as"),
        ({"scales": [1, 2], "fuse": "min"}, "unknown fusion 'min'"),
    ],
)
def test_views_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Segmenter(built(TRUNK), **options)


def test_views_of_nets_that_cannot_have_them() -> None:
    labels = convolution("data", "score", 3, 1) + layer("ArgMax", "score", "best", "argmax_param { axis: 1 }")
    with pytest.raises(UsageError, match="scales and flip need scores"):
        Segmenter(built(labels), flip=True)
    fixed = convolution("data", "score", 3, 1) + layer(
        "Reshape", "score", "again", "reshape_param { shape { dim: 1 dim: 3 dim: 33 dim: 33 } }"
    )
    with pytest.raises(UsageError, match="cannot change its size"):
        Segmenter(built(fixed), scales=[1, 0.5]).scores(picture(50, 50))
    assert Segmenter(built(fixed), flip=True).scores(picture(50, 50)).shape == (3, 50, 50)


def test_views_say_what_they_are() -> None:
    assert str(Views.of([1, "3/4"], "mean", True)) == "mean of scales 1, 0.75, mean with the mirror image"
    assert str(Views()) == "the picture itself"


# The CRF's memory ----------------------------------------------------------------------------------------------------


def test_too_large_for_the_crf(monkeypatch: pytest.MonkeyPatch) -> None:
    net = built(convolution("data", "score", 3, 1))
    segmenter = Segmenter(net, crf=CRFParameters(iterations=1))
    monkeypatch.setattr("pydeeplab.crf.room.available_bytes", lambda: 2**27)
    with pytest.raises(MemoryError, match=r"1200 x 1100 pixels of 3 classes take 0\.\d GiB, 0\.1 GiB are free"):
        segmenter(np.zeros((1200, 1100, 3), np.uint8))
    assert crf_bytes(1200, 1100, 3, CRFParameters()) > room.LARGE
    assert segmenter(np.zeros((20, 30, 3), np.uint8)).labels.shape == (20, 30)
