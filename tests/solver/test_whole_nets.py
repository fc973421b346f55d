"""Whole small DeepLab nets: gradients by differences, and one batch learnt by heart."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pydeeplab import TRAIN
from pydeeplab.solver import get_solver
from tests.support.external import repository
from tests.support.gradient import check_gradient

ASPP = """
name: "little"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 17 dim: 13 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 1 dim: 17 dim: 13 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 6 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "msra" } } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
  pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "fc_a" type: "Convolution" bottom: "pool2" top: "fc_a"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "fc_b" type: "Convolution" bottom: "pool2" top: "fc_b"
  convolution_param { num_output: 4 kernel_size: 3 pad: 4 dilation: 4 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "fuse" type: "Eltwise" bottom: "fc_a" bottom: "fc_b" top: "fuse" eltwise_param { operation: SUM } }
layer { name: "up" type: "Interp" bottom: "fuse" top: "up" interp_param { height: 17 width: 13 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "up" bottom: "label" top: "loss" loss_param { ignore_label: 255 } }
"""
LABELS = "dim: 2 dim: 1 dim: 5 dim: 5"


INPUTS = """layer {{ name: "data" type: "Input" top: "data" top: "label"
  input_param {{ shape {{ dim: {n} dim: 3 dim: {s} dim: {s} }} shape {{ dim: {n} dim: 1 dim: {s} dim: {s} }} }} }}
"""


def tiny(size: int, batch: int) -> str:
    """The train net of prototxt/tiny/aspp with inputs in place of its data layer."""
    text = (repository() / "prototxt" / "tiny" / "aspp" / "train.prototxt").read_text()
    text, changed = re.subn(
        r'layer { name: "data" type: "ImageSegData"(?:.|\n)*?PIXEL } }\n', INPUTS.format(n=batch, s=size), text
    )
    assert changed == 1
    return text


def labels(*shape: int, classes: int) -> np.ndarray:
    random = np.random.default_rng(5)
    found = random.integers(0, classes, shape).astype(np.float32)
    found.reshape(-1)[::7] = 255
    return found


def test_gradient_of_a_net_with_parallel_branches() -> None:
    check_gradient(ASPP, inputs={"label": labels(2, 1, 17, 13, classes=4)}, skip=["label"], step=1e-6, samples=12)


def test_gradient_of_the_tiny_net() -> None:
    """Without its shrinking of labels, which has no gradient: labels come at the size of the scores."""
    text = tiny(33, 2)
    text, removed = re.subn(r'layer { name: "label_shrink".*\n', "", text)
    text = text.replace('bottom: "label_shrink"', 'bottom: "label"').replace("dim: 2 dim: 1 dim: 33 dim: 33", LABELS)
    assert removed == 1
    check_gradient(
        text,
        inputs={"label": labels(2, 1, 5, 5, classes=6)},
        skip=["label"],
        step=1e-6,
        samples=1,
        native_tolerance=1e-3,
    )


@pytest.mark.parametrize(
    ("net", "shape", "classes", "solver"),
    [
        (ASPP, (2, 17, 13), 4, 'type: "Adam" base_lr: 0.02 momentum: 0.9'),
        (tiny(33, 2), (2, 33, 33), 6, 'type: "SGD" base_lr: 0.05 momentum: 0.9'),
    ],
    ids=["little", "tiny"],
)
def test_one_batch_is_learnt_by_heart(
    tmp_path: Path, net: str, shape: tuple[int, ...], classes: int, solver: str
) -> None:
    (tmp_path / "net.prototxt").write_text(net)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "net.prototxt" {solver} lr_policy: "poly" power: 0.9 max_iter: 400 random_seed: 1 '
        "snapshot_after_train: false"
    )
    one = get_solver(tmp_path / "solver.prototxt", observers=[], strict=True)
    assert one.net.phase == TRAIN
    random = np.random.default_rng(0)
    n, height, width = shape
    one.net.blobs["data"].data[...] = random.standard_normal((n, 3, height, width))
    # labels that change slowly, so that scores at a fraction of the size can draw them; some are to be ignored
    rows, columns = np.mgrid[:height, :width]
    classes_of = [(rows * 3 // height + columns * 2 // width + i) % classes for i in range(n)]
    target = np.stack(classes_of)[:, None].astype(np.float32)
    target[:, :, ::5, ::4] = 255
    one.net.blobs["label"].data[...] = target
    first = float(one.net.forward()["loss"])
    one.solve()
    last = float(one.net.forward()["loss"])
    assert first > 0.8
    assert last < 0.01 * first
