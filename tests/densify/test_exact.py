"""The trunk of a dense net computes what the classification net computes, only more densely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pydeeplab.densify import LargeFOV, densify
from pydeeplab.densify.pace import follow, possible_strides
from pydeeplab.densify.subject import Subject, read_subject
from pydeeplab.densify.windows import dense_layer
from pydeeplab.errors import PydeeplabError
from pydeeplab.net import Net
from tests.densify.nets import (
    conv,
    fc,
    layer,
    net_of,
    pool,
    randomise,
    randomise_layer,
    resnet,
    save_random,
    small,
    vgg16,
    write,
)
from tests.support.external import shared
from tests.support.kernels import relative_error

TOLERANCE = 1e-5


def check_dense(subject: Subject, stride: int, size: tuple[int, int], windows: Any = "exact") -> None:
    """Run both trunks on one random image, and compare them where both have an element."""
    steps, paces = follow(subject.trunk, subject.image, stride)
    shape = (1, subject.image_shape[1], *size)
    old = net_of([site.param for site in subject.trunk], subject.image, shape)
    new = net_of([dense_layer(step, windows) for step in steps], subject.image, shape)
    image = 50 * np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    for net in (old, new):
        randomise(net)
        net.blobs[subject.image].data[...] = image
        net.forward()
    for blob, pace in paces.items():
        rows, columns = pace.rate if pace else (1, 1)
        expected, dense = old.blobs[blob].data, new.blobs[blob].data
        assert dense[:, :, ::rows, ::columns].shape == expected.shape, blob
        assert relative_error(dense[:, :, ::rows, ::columns], expected) < TOLERANCE, blob


@st.composite
def trunks(draw: Callable[..., Any]) -> tuple[list[str], int, tuple[int, int]]:
    """A chain of convolutions and poolings with any windows, an output stride, and a size."""
    layers = [conv("c0", "data", "kernel_size: 3 stride: 2", 3), layer("r0", "ReLU", "c0", top="c0")]
    for index in range(1, draw(st.integers(2, 4))):
        kernel, stride = draw(st.integers(1, 4)), draw(st.sampled_from([1, 2, 2, 3]))
        pad = draw(st.integers(0, kernel - 1))
        window = f"kernel_size: {kernel} stride: {stride} pad: {pad}"
        bottom = f"c{index - 1}"
        if draw(st.booleans()):
            layers.append(conv(f"c{index}", bottom, f"{window} dilation: {draw(st.integers(1, 2))}", 3))
        else:
            method, mode = draw(st.sampled_from(["MAX", "AVE"])), draw(st.sampled_from(["CEIL", "FLOOR"]))
            layers.append(pool(f"c{index}", bottom, f"pool: {method} round_mode: {mode} {window}"))
    size = draw(st.integers(24, 45)), draw(st.integers(24, 45))
    return [*layers, fc("fc", f"c{index}")], draw(st.integers(0, 5)), size


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(trunks())
def test_any_chain_of_windows(tmp_path: Path, case: tuple[list[str], int, tuple[int, int]]) -> None:
    layers, choice, size = case
    try:
        subject = read_subject(write(tmp_path, small(*layers, size=40)))
        net_of([site.param for site in subject.trunk], "data", (1, 3, *size))
    except PydeeplabError:
        assume(False)  # windows larger than the maps
    strides = possible_strides(subject.trunk, subject.image, subject.last)
    check_dense(subject, strides[choice % len(strides)], size)


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("text", [vgg16(32), resnet((2, 1, 2, 1), 16)], ids=["vgg16", "resnet"])
def test_every_output_stride(tmp_path: Path, text: str, stride: int) -> None:
    subject = read_subject(write(tmp_path, text))
    for size in [(65, 65), (58, 71)]:
        check_dense(subject, stride, size)


@pytest.mark.parametrize("text", [vgg16(), resnet()], ids=["VGG-16", "ResNet-101"])
def test_nets_of_full_width(tmp_path: Path, text: str) -> None:
    check_dense(read_subject(write(tmp_path, text)), 8, (49, 56))


CORPUS = {
    "SqueezeNet": "DeepScale+SqueezeNet/SqueezeNet_v1.0/deploy.prototxt",
    "CaffeNet": "BVLC+caffe/models/bvlc_reference_caffenet/deploy.prototxt",
    "MobileNet": "shicai+MobileNet-Caffe/mobilenet_deploy.prototxt",
    "ResNet-50": "KaimingHe+deep-residual-networks/prototxt/ResNet-50-deploy.prototxt",
}


@pytest.mark.parametrize(("net", "stride"), [*((net, 8) for net in CORPUS), ("SqueezeNet", 2), ("CaffeNet", 4)])
def test_published_nets(net: str, stride: int) -> None:
    subject = read_subject(shared(f"data/prototxt_corpus/{CORPUS[net]}"))
    check_dense(subject, stride, (97, 106))


INCEPTION = [
    conv("c1", "data", "kernel_size: 7 stride: 2 pad: 3"),
    layer("r1", "ReLU", "c1", top="c1"),
    pool("p1", "c1", "kernel_size: 3 stride: 2"),
    layer("n1", "LRN", "p1"),
    conv("a1", "n1", "kernel_size: 1"),
    conv("a3", "n1", "kernel_size: 3 pad: 1 stride: 1"),
    pool("ap", "n1", "kernel_size: 3 pad: 1"),
    layer("i1", "Concat", "a1 a3 ap"),
    pool("p2", "i1", "kernel_size: 3 stride: 2"),
    conv("b1", "p2", "kernel_size: 1 stride: 2"),
    conv("b3", "p2", "kernel_size: 3 pad: 1 stride: 2"),
    pool("bp", "p2", "pool: AVE kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR"),
    layer("i2", "Concat", "b1 b3 bp"),
    pool("gap", "i2", "pool: AVE global_pooling: true"),
    layer("drop", "Dropout", "gap", top="gap"),
    fc("classifier", "gap"),
    layer("prob", "Softmax", "classifier"),
]


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16])
def test_branches_with_poolings(tmp_path: Path, stride: int) -> None:
    subject = read_subject(write(tmp_path, small(*INCEPTION, size=64)))
    assert subject.last == "i2"
    for size in [(64, 64), (59, 66), (61, 57)]:
        check_dense(subject, stride, size)


def test_deeplab_windows_are_not_exact_and_say_so(tmp_path: Path) -> None:
    path = write(tmp_path, vgg16(32))
    with pytest.raises(AssertionError):
        check_dense(read_subject(path), 8, (64, 64), "deeplab")
    dense = densify(path, classes=3, windows="deeplab")
    assert not dense.exact
    assert "pool5" in dense.notes[0]


@pytest.mark.parametrize(("text", "last"), [(vgg16(32, 64), "pool5"), (resnet((1, 1, 1, 1), 16), "res5a")])
@pytest.mark.parametrize("stride", [4, 8, 16])
def test_the_written_net_is_the_classifier_on_a_padded_image(tmp_path: Path, text: str, last: str, stride: int) -> None:
    """Texts, weights and borders together: the deploy net's last map, subsampled, is the original's."""
    path = write(tmp_path, text)
    weights = save_random(tmp_path / "w.caffemodel", path)
    dense = densify(path, weights, classes=3, output_stride=stride, head=LargeFOV(1, 12, 16))
    dense.write(tmp_path / "dense")
    size = 64 + 1
    image = 50 * np.random.default_rng(2).standard_normal((1, 3, size, size)).astype(np.float32)
    net = Net(
        tmp_path / "dense" / "deploy.prototxt",
        weights=tmp_path / "dense" / "init.caffemodel",
        inputs={"data": image.shape},
    )
    assert net.load_reports[-1].missing == [f"{'fc8' if last == 'pool5' else 'fc1000'}_voc12"]
    randomise_layer(net, net.load_reports[-1].missing[0])
    net.forward(data=image)
    grid = dense.grid
    padded = np.pad(image, [(0, 0), (0, 0), *[(grid.pad_begin, grid.pad_end)] * 2])
    original = net_of([site.param for site in read_subject(path).trunk], "data", padded.shape)
    original.copy_from(weights)
    original.forward(data=padded)
    expected = original.blobs[last].data
    got = net.blobs[last].data[:, :, :: dense.rate[0], :: dense.rate[1]]
    assert got.shape == expected.shape
    assert relative_error(got, expected) < TOLERANCE
    assert net.blobs[dense.scores].shape == (1, 3, size, size)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_fully_connected_layers_as_they_were(tmp_path: Path, stride: int) -> None:
    """Where the window covers the map exactly, fc7 is what it was for the net's own image."""
    path = write(tmp_path, vgg16(32))
    weights = save_random(tmp_path / "w.caffemodel", path)
    dense = densify(path, weights, classes=3, output_stride=stride)
    dense.write(tmp_path / "dense")
    subject = read_subject(path, weights)
    image = 50 * np.random.default_rng(2).standard_normal((1, 3, 224, 224)).astype(np.float32)
    subject.net.forward(data=image, end="relu7")
    text = (tmp_path / "dense" / "deploy.prototxt").read_text()
    begin, end = dense.grid.pad_begin, dense.grid.pad_end
    assert begin + end <= 224
    inner = image[:, :, begin : 224 - end, begin : 224 - end]
    net = Net.from_text(text, weights=tmp_path / "dense" / "init.caffemodel", inputs={"data": inner.shape})
    net.blobs["data"].data[...] = inner
    randomise_layer(net, "fc8_voc12")
    net.blobs["data_pad"].data[...] = image
    net.forward(start="conv1_1", end="relu7", data=inner)
    rate = dense.rate[0]
    middle = 3 * rate - dense.grid.cut_begin
    got = net.blobs["fc7"].data[0, :, middle, middle]
    assert relative_error(got, subject.net.blobs["fc7"].data[0]) < TOLERANCE
