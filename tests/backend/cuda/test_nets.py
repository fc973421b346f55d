"""Whole nets and solvers on the device."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab import set_random_seed
from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net

SMALL = """
layer { name: "data" type: "Input" top: "data" top: "label" input_param {
  shape { dim: 2 dim: 3 dim: 17 dim: 17 } shape { dim: 2 dim: 1 dim: 9 dim: 9 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param {
  pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "a1" type: "Convolution" bottom: "pool1" top: "a1" convolution_param {
  num_output: 4 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "xavier" } } }
layer { name: "a2" type: "Convolution" bottom: "pool1" top: "a2" convolution_param {
  num_output: 4 kernel_size: 3 pad: 4 dilation: 4 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "a2" top: "a2" }
layer { name: "sum" type: "Eltwise" bottom: "a1" bottom: "a2" top: "sum" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "sum" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 } }
"""


def small(backend: str) -> Net:
    set_random_seed(7)
    net = Net.from_text(SMALL, TRAIN, backend=backend, engine="CAFFE")
    random = np.random.default_rng(0)
    net.blobs["data"].data[...] = random.standard_normal((2, 3, 17, 17))
    net.blobs["label"].data[...] = random.choice([0, 1, 2, 3, 255], (2, 1, 9, 9))
    return net


def test_training_agrees_with_the_cpu(name: str) -> None:
    losses, gradients = [], []
    for backend in ("cpu", name):
        net = small(backend)
        losses.append(float(net.forward()["loss"]))
        net.clear_param_diffs()
        net.backward()
        gradients.append([p.diff.copy() for blobs in net.params.values() for p in blobs])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for ours, theirs in zip(*gradients, strict=True):
        scale = max(float(np.abs(ours).max()), 1e-2)  # a bias before BatchNorm has rounding errors for a gradient
        np.testing.assert_allclose(theirs, ours, atol=2e-5 * scale)


def test_two_runs_give_the_same_bits(name: str) -> None:
    found = []
    for _ in range(2):
        net = small(name)
        net.forward()
        net.clear_param_diffs()
        net.backward()
        found.append([p.diff.copy() for blobs in net.params.values() for p in blobs])
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def test_nothing_is_copied_between_layers(backend: CudaBackend, name: str) -> None:
    """Once warm, a step of training reads the loss and nothing else from the device, and sends nothing."""
    net = small(name)
    for _ in range(2):
        net.forward()
        net.clear_param_diffs()
        net.backward()
    traffic = backend.allocator.traffic
    before = traffic.uploads, traffic.downloaded_bytes
    net._forward(0, len(net.layers) - 1)
    net.clear_param_diffs()
    net._backward(len(net.layers) - 1, 0)
    assert traffic.uploads == before[0]
    assert traffic.downloaded_bytes - before[1] <= 64


def test_inference_copies_nothing(backend: CudaBackend, name: str) -> None:
    net = Net.from_text(SMALL.split('layer { name: "loss"')[0], TEST, backend=name, keep="outputs", engine="CAFFE")
    for _ in range(2):
        net._forward(0, len(net.layers) - 1)
    with backend.allocator.no_copies():
        net._forward(0, len(net.layers) - 1)
