"""Branches of nets, read from their prototxts; and that their gradients stay within their receptive fields."""

from __future__ import annotations

import numpy as np
import pytest

import pydeeplab
from pydeeplab import TEST, Net
from pydeeplab.data.synthetic import scene
from pydeeplab.errors import UsageError
from pydeeplab.figures.branches import branches_of, sensitivity, windows_of
from pydeeplab.figures.fields import aspp_figure
from pydeeplab.figures.taps import taps_figure
from pydeeplab.plotting.layout import Bitmap, Box, Text
from pydeeplab.proto import parse_net
from pydeeplab.resources import find_net

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 65 dim: 65 } } }\n'


def convolution(bottom: str, top: str, outputs: int, rate: int, kernel: int = 3, stride: int = 1) -> str:
    return (
        f'layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}" convolution_param {{ '
        f"num_output: {outputs} kernel_size: {kernel} pad: {rate * (kernel // 2)} dilation: {rate} stride: {stride} "
        'weight_filler { type: "gaussian" std: 0.3 } } }\n'
    )


ASPP = (
    INPUT
    + convolution("data", "a", 4, 1, stride=2)
    + convolution("a", "b", 4, 1, stride=2)
    + "".join(convolution("b", f"fc{rate}", 3, rate) for rate in (1, 2, 4))
    + 'layer { name: "sum" type: "Eltwise" bottom: "fc1" bottom: "fc2" bottom: "fc4" top: "sum" }\n'
)


def built(text: str = ASPP, *, gradients: bool = True) -> Net:
    pydeeplab.set_random_seed(3)
    source = parse_net(text)
    source.param.force_backward = gradients
    net = Net.from_source(source, TEST)
    net.blobs["data"].data[...] = np.random.default_rng(0).standard_normal(net.blobs["data"].shape)
    net.forward()
    return net


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("voc12/vgg16_aspp_l", [(3, 6, 128), (3, 12, 224), (3, 18, 320), (3, 24, 416)]),
        ("voc12/vgg16_aspp_s", [(3, 2, 64), (3, 4, 96), (3, 8, 160), (3, 12, 224)]),
        ("voc12/vgg16_largefov", [(3, 12, 224)]),
        ("voc12/vgg16_4x4", [(4, 4, 128)]),
    ],
)
def test_branches_of_deeplabs_nets(name: str, expected: list[tuple[int, int, int]]) -> None:
    net = Net(find_net(name), TEST, keep="outputs", inputs={"data": (1, 3, 65, 65)})
    assert [(b.kernel, b.rate, b.view) for b in branches_of(net)] == expected
    assert {b.step for b in branches_of(net)} == {8}


def test_windows_by_rate() -> None:
    net = Net(find_net("voc12/vgg16_aspp_l"), TEST, keep="outputs", inputs={"data": (1, 3, 65, 65)})
    found = {(w.kernel, w.rate): (w.layers, w.span) for w in windows_of(net)}
    assert found == {
        (3, 1): (10, 3),
        (3, 2): (3, 5),
        (3, 6): (1, 13),
        (3, 12): (1, 25),
        (3, 18): (1, 37),
        (3, 24): (1, 49),
    }


def test_taps_lie_rate_times_stride_apart() -> None:
    third = branches_of(built())[2]
    assert (third.rate, third.step) == (4, 4)
    rows = sorted({row for row, _ in third.taps((8, 8))})
    assert rows == [16, 32, 48]
    assert len(list(third.taps((8, 8)))) == 9


def test_gradients_fill_the_receptive_field_and_nothing_else() -> None:
    net = built()
    for branch in branches_of(net):
        values = sensitivity(net, branch, (8, 8), "data")
        first, last, begin, end = branch.seen((8, 8))
        rows, columns = (np.flatnonzero(values.any(axis=axis)) for axis in (1, 0))
        assert (rows[0], rows[-1]) == (max(first, 0), min(last, 64))
        assert (columns[0], columns[-1]) == (max(begin, 0), min(end, 64))


def test_sensitivities_are_gradients() -> None:
    """Of a branch with one channel the sensitivity is the gradient's size, which the weights tell."""
    net = built(INPUT + convolution("data", "fc", 1, 5))
    (branch,) = branches_of(net)
    values = sensitivity(net, branch, (30, 30), "data")
    weights = net.params["fc"][0].data[0]
    expected = np.zeros((65, 65))
    expected[25:36:5, 25:36:5] = np.sqrt((weights**2).sum(axis=0))
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-7)
    with pytest.raises(UsageError, match="lies outside"):
        sensitivity(net, branch, (65, 3), "data")


def test_the_aspp_figure() -> None:
    image, _ = scene(2, 65, 65)
    figure = aspp_figure(built(), image, "a net")
    texts = [part.text for part in figure.picture.parts if isinstance(part, Text)]
    assert any(text.startswith("rate 4, 3 x 3:") for text in texts)
    assert sum("95 % within" in text for text in texts) == 3
    assert sum(isinstance(part, Bitmap) for part in figure.picture.parts) == 4
    assert "3 filters of different rates" in figure.caption
    plain = aspp_figure(built(gradients=False), image, "a net", effective=False)
    assert sum(isinstance(part, Bitmap) for part in plain.picture.parts) == 1


def test_fields_far_beyond_the_picture_are_not_framed() -> None:
    net = Net(find_net("voc12/resnet101_aspp"), TEST, inputs={"data": (1, 3, 249, 193)})
    figure = aspp_figure(net, np.zeros((249, 193, 3), np.uint8), "ResNet", effective=False)
    assert "frames are the nominal fields of view" in figure.caption
    sides = [part.width for part in figure.picture.parts if isinstance(part, Box) and part.fill is None]
    assert round(max(sides)) <= figure.picture.width


def test_the_taps_figure() -> None:
    figure = taps_figure(built(gradients=False), "a net")
    taps = [p for p in figure.picture.parts if isinstance(p, Box) and p.fill not in ("#f2f2f2", "#ffffff")]
    assert len(taps) == 3 * 9  # rates 1, 2 and 4
    texts = [part.text for part in figure.picture.parts if isinstance(part, Text)]
    assert "outer taps 32 pixels apart" in texts
    assert "3 layers, stride up to 4" in texts


def test_nets_without_windows() -> None:
    net = built(INPUT + convolution("data", "score", 2, 1, kernel=1))
    for draw in (lambda: branches_of(net), lambda: taps_figure(net, "x")):
        with pytest.raises(UsageError, match="no convolution of more than one tap"):
            draw()
