"""The DenseCRF layer: recorded Caffe, regions, batches and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pydeeplab
from pydeeplab.crf import CRFParameters, refine
from pydeeplab.errors import LayerError, ShapeError
from tests.crf.support import picture, softmax
from tests.support.external import DATA, shared_root

FOLDER = DATA / "reference" / "crf"
CASES = {path.stem: path for path in sorted(FOLDER.glob("*.npz"))}
FULL = Path(shared_root() or ".") / "reference" / "crf"
CASES |= {path.stem: path for path in sorted(FULL.glob("*.npz")) if path.stem not in CASES}
TOLERANCE = 1e-5


def forward(path: Path, backend: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    recorded = dict(np.load(path))
    net = pydeeplab.Net(path.with_suffix(".prototxt"), pydeeplab.TEST, backend=backend)
    for name in ("score", "data_dim", "image"):
        net.blobs[name].data[...] = recorded[f"in/{name}"]
    net.forward()
    return recorded, net.blobs["crf"].data.copy()


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_caffe(name: str) -> None:
    recorded, got = forward(CASES[name], "cpu")
    expected = recorded["data/crf"]
    assert got.shape == expected.shape
    items = 1 if name == "c5_batch2_quirk" else len(got)
    if not recorded["param/output_probability"]:
        outside = (expected == 0).all(axis=1)
        assert np.array_equal((got == 0).all(axis=1), outside)
        got, expected = np.exp(got), np.exp(expected)
    assert np.abs(got[:items] - expected[:items]).max() <= TOLERANCE


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].parent == FOLDER])
def test_reference_backend_agrees_with_caffe(name: str) -> None:
    recorded, got = forward(CASES[name], "reference")
    expected = recorded["data/crf"]
    if not recorded["param/output_probability"]:
        got, expected = np.exp(got), np.exp(expected)
    assert np.abs(got[0] - expected[0]).max() <= TOLERANCE


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_refine_agrees_with_pydensecrf(name: str, normalization: str) -> None:
    recorded = dict(np.load(CASES[name]))
    expected = recorded[f"pydensecrf/{normalization}"]
    height, width = expected.shape[1:]
    settings = {k: recorded.get(f"param/{k}", ()) for k in ("bi_w", "bi_xy_std", "bi_rgb_std", "pos_w", "pos_xy_std")}
    params = CRFParameters(**settings, iterations=int(recorded["param/max_iter"]), normalization=normalization)
    image = recorded["in/image"][0, :, :height, :width].transpose(1, 2, 0)
    got = refine(image, recorded["in/score"][0], params, crop=True)
    assert np.abs(got - expected).max() <= TOLERANCE


def test_every_item_is_refined_with_its_own_image() -> None:
    recorded, got = forward(CASES["c5_batch2_quirk"], "cpu")
    image = recorded["in/image"][1].transpose(1, 2, 0)
    own = refine(image, recorded["in/score"][1], "w=5,xy=30,rgb=5,iter=3")
    np.testing.assert_allclose(got[1], own, atol=1e-6)
    quirk = refine(recorded["in/image"][0].transpose(1, 2, 0), recorded["in/score"][1], "w=5,xy=30,rgb=5,iter=3")
    np.testing.assert_allclose(recorded["data/crf"][1], quirk, atol=TOLERANCE)


NET = """
layer {{ name: "score" type: "Input" top: "score" input_param {{ shape {{ dim: 2 dim: 4 dim: 24 dim: 31 }} }} }}
layer {{ name: "dim" type: "Input" top: "dim" input_param {{ shape {{ dim: 2 dim: 1 dim: 1 dim: 2 }} }} }}
layer {{ name: "image" type: "Input" top: "image" input_param {{ shape {{ {image} }} }} }}
layer {{ name: "crf" type: "DenseCRF" bottom: "score" bottom: "dim" {bottom} top: "crf" dense_crf_param {{ {param} }} }}
"""
BILATERAL = "max_iter: 2 bi_w: 4 bi_xy_std: 20 bi_rgb_std: 12"


def build(param: str, bottom: str = 'bottom: "image"', image: str = "dim: 2 dim: 3 dim: 24 dim: 31") -> pydeeplab.Net:
    return pydeeplab.Net.from_text(NET.format(param=param, bottom=bottom, image=image), pydeeplab.TEST)


def test_without_an_image_and_with_a_region_for_each_item() -> None:
    net = build("max_iter: 2 pos_w: 3 pos_xy_std: 3", bottom="")
    scores = picture()[2]
    net.blobs["score"].data[...] = scores
    net.blobs["dim"].data[...] = np.array([[10, 20], [500, 500]]).reshape(2, 1, 1, 2)
    top = net.forward()["crf"]
    positional = CRFParameters((), (), (), 3, 3, 2)
    np.testing.assert_allclose(top[0, :, :10, :20], refine(None, scores[:, :10, :20], positional), atol=1e-6)
    assert not top[0, :, 10:].any()
    assert not top[0, :, :, 20:].any()
    np.testing.assert_allclose(top[1], refine(None, scores, positional), atol=1e-6)


def test_no_iterations_give_the_softmax_and_its_logarithm() -> None:
    scores = picture()[2]
    for log in (False, True):
        net = build(BILATERAL.replace("2", "0", 1) + (" output_probability: false" if log else ""))
        net.blobs["score"].data[...] = scores
        net.blobs["dim"].data[...] = np.array([24, 31])
        top = net.forward()["crf"]
        expected = softmax(scores)
        np.testing.assert_allclose(top[0], np.log(expected) if log else expected, rtol=1e-5, atol=1e-6)


def test_one_channel_images() -> None:
    net = build(BILATERAL, image="dim: 2 dim: 1 dim: 24 dim: 31")
    image, _, scores = picture()
    net.blobs["score"].data[...] = scores
    net.blobs["image"].data[...] = image[None, None, :, :, 0]
    net.blobs["dim"].data[...] = np.array([24, 31])
    grey = refine(image[:, :, 0], scores, "w=4,xy=20,rgb=12,pos_w=,pos_xy=,iter=2")
    np.testing.assert_allclose(net.forward()["crf"][1], grey, atol=1e-6)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (
            LayerError,
            "layer 'crf'.*image as third bottom, but no bilateral kernel",
            {"param": "pos_w: 3 pos_xy_std: 3"},
        ),
        (LayerError, "bilateral kernels, but no image", {"param": BILATERAL, "bottom": ""}),
        (LayerError, "got 2 bi_w, 1 bi_xy_std, 1 bi_rgb_std", {"param": BILATERAL + " bi_w: 3"}),
        (LayerError, "bi_rgb_std must be positive", {"param": BILATERAL.replace("12", "0")}),
        (LayerError, "max_iter must be 0 or more", {"param": BILATERAL.replace("2", "-1", 1)}),
        (ShapeError, "2 x channels x 24 x 31", {"param": BILATERAL, "image": "dim: 2 dim: 3 dim: 24 dim: 30"}),
    ],
)
def test_wrong_layers_are_explained(error: type[Exception], message: str, arguments: dict) -> None:
    with pytest.raises(error, match=message):
        build(**arguments)


def test_real_sizes_are_needed_for_every_item() -> None:
    text = NET.format(param=BILATERAL, bottom='bottom: "image"', image="dim: 2 dim: 3 dim: 24 dim: 31")
    with pytest.raises(ShapeError, match="height and width of each of 2 items, 2 x 1 x 1 x 2; got shape"):
        pydeeplab.Net.from_text(text.replace("dim: 2 dim: 1 dim: 1 dim: 2", "dim: 1 dim: 1 dim: 1 dim: 2"), 1)


def test_an_empty_region_is_an_error() -> None:
    net = build(BILATERAL)
    with pytest.raises(LayerError, match="item 0 has real size 0 x 0"):
        net.forward()


def test_scores_get_no_gradient() -> None:
    net = build(BILATERAL)
    net.blobs["dim"].data[...] = 5
    net.forward()
    net.backward()
    assert not net.blobs["score"].diff.any()
