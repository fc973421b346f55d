"""Tiny nets for the tests of commands."""

from __future__ import annotations

from pathlib import Path

from pydeeplab import TRAIN, Net, set_random_seed

TRAIN_VAL = """
name: "tiny"
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param {
    shape { dim: 4 dim: 3 dim: 6 dim: 5 } shape { dim: 4 }
    data_filler { type: "constant" value: 0.5 } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 2 }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST stage: "scored" } }
layer { name: "deep" type: "Power" bottom: "ip" top: "deep" include { min_level: 3 } }
"""

DEPLOY = """
name: "tiny_deploy"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "prob" type: "Softmax" bottom: "conv" top: "prob" }
"""


def write_nets(folder: Path) -> tuple[Path, Path]:
    """Write train_val.prototxt, deploy.prototxt and tiny.caffemodel; returns the first and the last."""
    net, weights = folder / "train_val.prototxt", folder / "tiny.caffemodel"
    net.write_text(TRAIN_VAL)
    (folder / "deploy.prototxt").write_text(DEPLOY)
    set_random_seed(3)
    Net(net, TRAIN).save(weights)
    return net, weights
