"""Classification nets for the tests, with few channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pydeeplab.net import Net
from pydeeplab.networks.builder import NetBuilder
from pydeeplab.networks.resnet101 import STAGES as RESNET_STAGES
from pydeeplab.networks.vgg16 import STAGES as VGG_STAGES
from pydeeplab.proto import caffe_pb2, parse_net, write_text


def vgg16(divisor: int = 1, size: int = 224, classes: int = 1000) -> str:
    """VGG-16 as its authors published it, with channels divided."""
    net = NetBuilder("VGG", training=False)
    blob = net.source("data", "Input", ["data"], input_param={"shape": {"dim": [1, 3, size, size]}})
    for stage, (channels, count) in enumerate(VGG_STAGES, start=1):
        for index in range(1, count + 1):
            blob = net.convolution(f"conv{stage}_{index}", blob, channels // divisor, 3, pad=1)
            net.relu(f"relu{stage}_{index}", blob)
        blob = net.pool(f"pool{stage}", blob, 2, 2, 0)
    for number in (6, 7):
        values = {"num_output": 4096 // divisor}
        blob = net.layer(f"fc{number}", "InnerProduct", blob, inner_product_param=values)
        net.relu(f"relu{number}", blob)
        net.dropout(f"drop{number}", blob)
    blob = net.layer("fc8", "InnerProduct", blob, inner_product_param={"num_output": classes})
    net.layer("prob", "Softmax", blob)
    return net.text([])


def resnet(units: Sequence[int] = (3, 4, 23, 3), divisor: int = 1, size: int = 224) -> str:
    """ResNet-101, or a smaller one, as its authors published it: strides of 2 in both branches, 7x7 average, fc1000."""
    net = NetBuilder("ResNet", training=False)
    blob = net.source("data", "Input", ["data"], input_param={"shape": {"dim": [1, 3, size, size]}})

    def convolution(name: str, bottom: str, channels: int, kernel: int, stride: int, pad: int, relu: bool) -> str:
        top = net.convolution(name, bottom, channels // divisor, kernel, stride=stride, pad=pad, bias=False)
        tail = name.removeprefix("res") if name.startswith("res") else f"_{name}"
        net.normalise(top, f"bn{tail}", f"scale{tail}")
        if relu:
            net.relu(f"{name}_relu", top)
        return top

    blob = convolution("conv1", blob, 64, 7, 2, 3, True)
    blob = net.pool("pool1", blob, 3, 2, 0)
    for (stage, names, inner, _, _), count in zip(RESNET_STAGES, units, strict=True):
        for unit in names[:count]:
            name, first = f"res{stage}{unit}", unit == "a"
            stride = 2 if first and stage > 2 else 1
            shortcut = convolution(f"{name}_branch1", blob, 4 * inner, 1, stride, 0, False) if first else blob
            branch = convolution(f"{name}_branch2a", blob, inner, 1, stride, 0, True)
            branch = convolution(f"{name}_branch2b", branch, inner, 3, 1, 1, True)
            branch = convolution(f"{name}_branch2c", branch, 4 * inner, 1, 1, 0, False)
            blob = net.eltwise(name, [shortcut, branch])
            net.relu(f"{name}_relu", blob)
    blob = net.pool("pool5", blob, 7, 1, 0, method="AVE")
    blob = net.layer("fc1000", "InnerProduct", blob, inner_product_param={"num_output": 1000})
    net.layer("prob", "Softmax", blob)
    return net.text([])


def small(*layers: str, size: int = 32, channels: int = 3) -> str:
    """A net of these layers' texts behind an input."""
    head = f'input: "data" input_shape {{ dim: [1, {channels}, {size}, {size}] }}\n'
    return head + "\n".join(layers)


def layer(name: str, kind: str, bottom: str, param: str = "", top: str | None = None) -> str:
    """The text of a layer; bottoms with spaces between."""
    bottoms = " ".join(f'bottom: "{b}"' for b in bottom.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top or name}" {param} }}'


def conv(name: str, bottom: str, param: str, outputs: int = 4) -> str:
    """A convolution."""
    return layer(name, "Convolution", bottom, f"convolution_param {{ num_output: {outputs} {param} }}")


def pool(name: str, bottom: str, param: str) -> str:
    """A pooling."""
    return layer(name, "Pooling", bottom, f"pooling_param {{ {param} }}")


def fc(name: str, bottom: str, outputs: int = 6) -> str:
    """A fully connected layer."""
    return layer(name, "InnerProduct", bottom, f"inner_product_param {{ num_output: {outputs} }}")


def write(folder: Path, text: str) -> Path:
    """The text in a file."""
    path = folder / "net.prototxt"
    path.write_text(text)
    return path


def randomise(net: Net, seed: int = 0) -> None:
    """Weights that keep the size of activations, statistics that are not trivial."""
    random = np.random.default_rng(seed)
    for node in net.nodes:
        for index, blob in enumerate(node.layer.blobs):
            values = random.standard_normal(blob.shape)
            if len(blob.shape) > 1:
                values *= np.sqrt(2 / np.prod(blob.shape[1:]))
            elif node.layer.type == "BatchNorm":
                values = 0.1 * values if index == 0 else 1 + 0.1 * np.abs(values)
                values = np.ones(1) if index == 2 else values
            elif node.layer.type == "Scale" and index == 0:
                values = 1 + 0.1 * values
            else:
                values *= 0.1
            blob.data[...] = values


def save_random(path: Path, net_file: Path, seed: int = 0) -> Path:
    """A weight file for a net."""
    net = Net(net_file)
    randomise(net, seed)
    net.save(str(path))
    return path


def net_of(layers: Sequence[caffe_pb2.LayerParameter], image: str, shape: Sequence[int]) -> Net:
    """A net of these layers behind an input, without their fillers."""
    param = caffe_pb2.NetParameter()
    param.layer.add(name=image, type="Input", top=[image]).input_param.shape.add().dim.extend(shape)
    for one in layers:
        param.layer.add().CopyFrom(one)
    return Net.from_source(parse_net(write_text(param)))


def randomise_layer(net: Net, name: str) -> None:
    """Weights for a layer that starts afresh."""
    blob = net.params[name][0]
    blob.data[...] = 0.01 * np.random.default_rng(1).standard_normal(blob.shape)
