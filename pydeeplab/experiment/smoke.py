"""Trying experiments out: a miniature data set, nets with few channels, and weights to start from, made on the spot."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pydeeplab.data.classes import class_set
from pydeeplab.data.palette import write_label_png
from pydeeplab.data.synthetic import IGNORE, scene
from pydeeplab.experiment.config import Config
from pydeeplab.experiment.spec import Experiment
from pydeeplab.experiment.subject import Subject, Workspace
from pydeeplab.files import make_folder, write_text
from pydeeplab.formats import LayerWeights, StoredBlob, WeightsFile, save_weights
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.networks.datasets import CAMVID
from pydeeplab.proto import parse_net
from pydeeplab.proto import write_text as message_text

__all__ = ["prepare_smoke", "shrink", "smoke_workspace"]

ITERATIONS = 2
CROP = 65
"""8k+1, 16k+1 and 32k+1, so that it suits half-size and multi-scale nets."""

SEARCH = (
    "--images", "2", "--w1", "4", "--sigma-alpha", "20:20:40", "--sigma-beta", "5", "--rounds", "0", "--jobs", "1",
)  # fmt: skip
"""Further arguments of `pydeeplab crf-search`: few combinations."""

_SIZES = {"train": 4, "val": 3, "test": 2}


def shrink(message: Any, kind: str) -> None:
    """Make a net narrow and its crops small, or a solver short, in place; see `Config`."""
    if kind == "solver":
        message.max_iter = message.snapshot = ITERATIONS
        message.base_lr, message.iter_size, message.random_seed = 1e-5, 1, 1
        message.display = message.average_loss = 1
        return
    classifiers = _classifiers(message)
    for layer in message.layer:
        if layer.type == "Convolution":
            convolution = layer.convolution_param
            if layer.name in classifiers:
                convolution.weight_filler.std = 1  # or all pixels would be of one class
            else:
                convolution.num_output = _narrow(convolution.num_output)
        elif layer.type == "ImageSegData":
            layer.image_data_param.batch_size = 1
            _crop(layer.transform_param)
        elif layer.type == "Input":
            layer.input_param.shape[0].dim[2:] = [CROP, CROP]


def _classifiers(net: Any) -> set[str]:
    """The convolutions that no other one comes after: their channels are the classes."""
    found: set[str] = set()
    feeding: set[str] = set()  # blobs from which a way leads to a convolution
    for layer in reversed(net.layer):
        before_another = bool(feeding.intersection(layer.top))
        if layer.type == "Convolution" and not before_another:
            found.add(layer.name)
        if layer.type == "Convolution" or before_another:
            feeding.update(layer.bottom)
    return found


def _narrow(channels: int) -> int:
    return min(12, max(4, channels // 32))


def _crop(transform: Any) -> None:
    """A crop that is 8k+1 or, for the 2x2 pools of the first release, 8k+2, as before."""
    side = CROP + max(0, transform.crop_size % 8 - 1)
    for name in ("crop_size",) if transform.crop_size else ("crop_height", "crop_width"):
        setattr(transform, name, side)


def smoke_workspace(folder: Path, *, scores: bool = False) -> Workspace:
    """A workspace for trying out, in which nets are narrow and data small."""
    return Workspace(folder, root=make_folder(folder / "data"), scores=scores, shrink=shrink, search=SEARCH)


def prepare_smoke(subject: Subject) -> None:
    """Make what an experiment needs, where it is not there: images, label maps and lists, and weights to start from."""
    _write_data(subject)
    init = subject.experiment.init
    target = Path("init") / init.weights
    if init.weights and not target.is_file():
        make_folder(target.parent)
        save_weights(target, _random_start(subject.experiment, subject.config))


def _write_data(subject: Subject) -> None:
    """A data set as `pydeeplab prepare` leaves it: ``data/JPEGImages``, ``data/SegmentationClassAug`` and ``list/``."""
    classes = class_set(subject.classes)
    root = Path(subject.layout.exp, "data")
    ignore = CAMVID.ignore_label if subject.experiment.data.dataset == CAMVID.folder else IGNORE
    for folder in (root / "JPEGImages", root / "SegmentationClassAug", subject.layout.list("any").parent):
        make_folder(folder)
    for name in subject.sets:
        if subject.layout.list(name).is_file():
            continue
        count = next((size for part, size in _SIZES.items() if name.startswith(part)), 2)
        names = [f"{name}_{number:06}" for number in range(count)]
        for number, picture in enumerate(names):
            image, labels = scene(zlib.crc32(f"{name}{number}".encode()), CROP - number, CROP - 2 * number, 3)
            spread = (labels.astype(int) * (1 + number) % len(classes)).astype(np.uint8)
            Image.fromarray(image).save(root / "JPEGImages" / f"{picture}.jpg", quality=95)
            write_label_png(
                root / "SegmentationClassAug" / f"{picture}.png", np.where(labels == IGNORE, ignore, spread)
            )
        own = bool(subject.experiment.data.lists)
        slash = "" if own else "/"
        truth = ("" if name == "test" else f" {slash}SegmentationClassAug/{p}.png" for p in names)
        text = "".join(f"{slash}JPEGImages/{p}.jpg{t}\n" for p, t in zip(names, truth, strict=True))
        write_text(subject.layout.ids(name), "".join(f"{picture}\n" for picture in names))
        for path in (subject.layout.list(name), *([root / f"{name}.txt"] if own else [])):
            write_text(path, text)


def _random_start(experiment: Experiment, config: Config) -> WeightsFile:
    """Weights as if from a classification net: those of the trunk, random, with statistics that keep the scale."""
    source = parse_net(message_text(config.net(config.test_net)), filename=experiment.net.name)
    net = Net.from_source(source, TEST)
    random = np.random.default_rng(0)
    sources = {copies[0]: name for name, copies in experiment.init.copy.items()}
    left_out = {copy for copies in experiment.init.copy.values() for copy in copies[1:]}
    file = WeightsFile("random", "caffemodel")
    left_out |= _classifiers(source.param)
    for node in net.nodes:
        layer = node.layer
        if not layer.blobs or layer.param.name in left_out:
            continue
        name = sources.get(layer.param.name, layer.param.name)
        arrays = [_random_blob(random, name, layer.type, i, blob.shape) for i, blob in enumerate(layer.blobs)]
        file.layers.append(LayerWeights(name, layer.type, [StoredBlob(array) for array in arrays]))
    return file


def _random_blob(random: np.random.Generator, name: str, kind: str, index: int, shape: tuple[int, ...]) -> Any:
    """Values that neither fade nor grow from layer to layer; filters without a mean, so that pixels differ."""
    if kind == "Convolution" and index == 0:
        filters = random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        filters -= filters.mean(axis=(1, 2, 3), keepdims=True)
        return (filters / (60 if shape[1] == 3 else 1)).astype(np.float32)
    if kind == "Scale" and index == 0 and "_branch2c" in name:
        return np.full(shape, 0.3, np.float32)
    if (kind == "BatchNorm" and index > 0) or (kind == "Scale" and index == 0):
        return np.ones(shape, np.float32)
    return np.zeros(shape, np.float32)
