"""What all contestants of a row are given: the same net, weights and pictures, as files in one folder.

    python -m benchmarks.materials TASK.json FOLDER

Weights are seeded and keep activations ordinary. Training nets lose their data layers and accuracies;
``check.prototxt`` is the training net without dropout, whose masks differ between runtimes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format

from benchmarks.tasks import Task
from pydeeplab import TEST, TRAIN, Net
from pydeeplab.analysis import without_data_layers
from pydeeplab.data.synthetic import scene
from pydeeplab.export import export_onnx
from pydeeplab.proto import read_net
from pydeeplab.resources import find_net
from pydeeplab.seeding import seed_inputs, seed_params

DEFINES = {"DATA_ROOT": "", "TRAIN_SET": "", "EXP": "", "DEMO": ""}
BRANCH = 0.25
"""Scale of the residual branches: with 1, values would double in every block."""
HEAD = 0.01
"""Scale of the classifiers, so that probabilities do not underflow."""

SOLVER = """\
train_net: "{folder}/train.prototxt"
base_lr: 1e-6
lr_policy: "fixed"
momentum: 0.9
weight_decay: 0.0005
max_iter: 1000000
snapshot_after_train: false
"""


def _write(path: Path, param: Any) -> None:
    path.write_text(text_format.MessageToString(param))


def _seed(net: Net) -> None:
    seed_params(net)
    for name, blobs in net.params.items():
        if name.startswith("scale") and "branch2c" in name:
            blobs[0].data[...] = BRANCH
        elif name.startswith(("fc8", "fc1_voc12")):
            blobs[0].data[...] *= HEAD


def prepare_forward(task: Task, folder: Path) -> None:
    """What `prepare_net` writes, and net.onnx."""
    export_onnx(prepare_net(task, folder), folder / "net.onnx")


def prepare_net(task: Task, folder: Path) -> Net:
    """deploy.prototxt, net.caffemodel, data.npy; returns the net."""
    param = read_net(find_net(task.net)).param
    shape = next(layer for layer in param.layer if layer.type == "Input").input_param.shape[0]
    shape.dim[:] = [task.batch, 3, task.size, task.size]
    _write(folder / "deploy.prototxt", param)
    net = Net(folder / "deploy.prototxt", TEST, keep="outputs")
    _seed(net)
    seed_inputs(net)
    np.save(folder / "data.npy", net.blobs["data"].data)
    net.save(folder / "net.caffemodel")
    return net


def trainable(task: Task) -> Any:
    """The training net with inputs in place of data layers, as a message."""
    source = read_net(find_net(task.net, "train"), defines=DEFINES)
    param = without_data_layers(source, image_size=(task.size, task.size)).param
    for layer in param.layer:
        for shape in layer.input_param.shape if layer.type == "Input" else ():
            shape.dim[0] = task.batch
    kept = [layer for layer in param.layer if "Accuracy" not in layer.type]
    del param.layer[:]
    param.layer.extend(kept)
    return param


def prepare_train(task: Task, folder: Path) -> None:
    """solver.prototxt, train.prototxt, check.prototxt, net.caffemodel, data.npy, label.npy."""
    param = trainable(task)
    (folder / "solver.prototxt").write_text(SOLVER.format(folder=folder))
    _write(folder / "train.prototxt", param)
    for layer in param.layer:
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0
    _write(folder / "check.prototxt", param)
    net = Net(folder / "train.prototxt", TRAIN)
    _seed(net)
    seed_inputs(net)
    net.save(folder / "net.caffemodel")
    np.save(folder / "data.npy", net.blobs["data"].data)
    classes = next(n.bottoms[0].shape[1] for n in net.nodes if n.layer.type == "SoftmaxWithLoss")
    blocks = np.random.default_rng(0).integers(0, classes, (task.batch, 1, task.size // 16 + 1, task.size // 16 + 1))
    label = blocks.repeat(16, 2).repeat(16, 3)[:, :, : task.size, : task.size].astype(np.float32)
    label[:, :, :, :8] = 255
    np.save(folder / "label.npy", label)


def prepare_crf(task: Task, folder: Path) -> None:
    """image.npy and scores.npy: smooth scores like a net's, bumps of one or two classes and low-frequency noise."""
    from PIL import Image

    image = scene(0, 375, 500)[0]
    random = np.random.default_rng(0)
    coarse = random.normal(0, 0.5, (21, image.shape[0] // 16 + 2, image.shape[1] // 16 + 2)).astype(np.float32)
    coarse[0] += 3
    coarse[15, 4:16, 8:20] += 6
    size = image.shape[1], image.shape[0]
    scores = [np.asarray(Image.fromarray(c).resize(size, Image.Resampling.BICUBIC)) for c in coarse]
    np.save(folder / "image.npy", image)
    np.save(folder / "scores.npy", np.stack(scores))


if __name__ == "__main__":
    given = Task(**json.loads(sys.argv[1]))
    {"forward": prepare_forward, "train": prepare_train, "crf": prepare_crf}[given.kind](given, Path(sys.argv[2]))
