"""The classification net that is to be made dense, divided into trunk, fully connected layers and classifier."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.analysis.inputs import complete_defines
from pydeeplab.errors import UsageError
from pydeeplab.layer import TEST, Geometry, Layer
from pydeeplab.net import Net
from pydeeplab.proto import NetSource, caffe_pb2, read_net
from pydeeplab.segmentation.deploy import without_labels

__all__ = ["Site", "Subject", "read_subject"]

Shape = tuple[int, ...]
VIEWS = ("Flatten", "Reshape")
ENLARGING = {"Crop", "Deconvolution", "Interp", "Unpooling", "Upsample"}
IN_CHAIN = {"AbsVal", "BN", "BatchNorm", "Bias", "Clip", "Dropout", "ELU", "PReLU", "Power", "ReLU", "Scale", "Sigmoid",
            "Swish", "TanH"}  # fmt: skip
"""Pointwise layers of one bottom that may stand between fully connected ones."""


@dataclass(frozen=True, eq=False)
class Site:
    """A layer of the classification net, with what building it has shown."""

    param: Any
    layer: Layer
    where: str
    bottom_shapes: list[Shape]
    top_shapes: list[Shape]

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.param.name)

    @property
    def geometry(self) -> Geometry | None:
        """Its sliding window, if it has one of two axes."""
        return self.layer.geometry

    @property
    def arrays(self) -> list[NDArray[np.float32]]:
        """Its parameters."""
        return [blob.look() for blob in self.layer.blobs]

    @property
    def is_global_pooling(self) -> bool:
        """Whether it is a pooling of whole maps, whatever their size."""
        return self.param.type == "Pooling" and bool(self.param.pooling_param.global_pooling)

    @property
    def covers_map(self) -> bool:
        """Whether it is a pooling that leaves one pixel of each map."""
        if self.param.type != "Pooling" or self.param.pooling_param.pool != self.param.pooling_param.AVE:
            return self.is_global_pooling
        return self.is_global_pooling or (self.geometry is not None and self.top_shapes[0][2:] == (1, 1))

    def error(self, message: str) -> UsageError:
        """An error that names the layer and its place."""
        place = f"{self.where}: " if self.where else ""
        return UsageError(f"{place}layer '{self.name}' ({self.param.type}): {message}")


@dataclass
class Subject:
    """A classification net in its parts, in the order of computation.

    Attributes
    ----------
    name : str
        The net's.
    net : Net
        Built at its own input size, with its weights if there are any.
    image : str
        The input blob.
    trunk : list of Site
        Convolutions, poolings and what lies between them.
    last : str
        The trunk's last blob.
    hidden : list of Site
        Fully connected layers before the classifier, and pointwise layers between them; may be empty.
    classifier : Site
        The last layer with weights.
    dropped : dict
        Layers that have no place in the dense net, and why.
    absent : set of str
        Layers for which no weights were given.
    transform : TransformationParameter or None
        Of the layer that read its images, where the prototxt has one.
    notes : list of str
        What reading the file has converted.
    """

    name: str
    net: Net
    image: str
    trunk: list[Site]
    last: str
    hidden: list[Site]
    classifier: Site
    dropped: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    transform: Any = None
    notes: list[str] = field(default_factory=list)

    @property
    def image_shape(self) -> Shape:
        """Of the input, at the net's own size."""
        return self.net.blobs[self.image].shape

    @property
    def channels(self) -> int:
        """Of the trunk's last blob."""
        return next(s.top_shapes[list(s.param.top).index(self.last)][1] for s in self.trunk if self.last in s.param.top)

    @property
    def fully_connected(self) -> list[Site]:
        """The hidden layers with weights."""
        return [site for site in self.hidden if site.param.type == "InnerProduct"]

    @property
    def normalised(self) -> bool:
        """Whether there are BatchNorm layers, which training freezes."""
        return any(site.param.type in ("BatchNorm", "BN") for site in self.trunk + self.hidden)


def read_subject(
    path: str | os.PathLike[str],
    weights: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    *,
    defines: Mapping[str, str] | None = None,
    image_size: tuple[int, int] | None = None,
) -> Subject:
    """Read a classification net and divide it.

    Parameters
    ----------
    path
        A deploy prototxt, or a net for training and testing; its TEST phase is taken.
    weights
        Weight files of the net, of any format.
    image_size
        Height and width that it was trained for, where it does not say.

    Raises
    ------
    PrototxtError, WeightsError
        See `Net`.
    UsageError
        It is no classification net with convolutions.
    """
    read = read_net(path, defines=complete_defines(path, defines))
    tested = read.filtered(caffe_pb2.NetState(phase=TEST))
    source = without_labels(tested)
    net = Net.from_source(_unfilled(source), TEST, inputs=_inputs(source, image_size))
    absent = set(net.params)
    if weights is not None:
        net.copy_from(weights)
        absent = set(net.load_reports[-1].missing)
    subject = _divide(_sites(net, source), net)
    subject.absent = absent
    subject.transform = next((x.transform_param for x in tested.param.layer if x.HasField("transform_param")), None)
    subject.notes = list(source.notes)
    return subject


def _unfilled(source: NetSource) -> NetSource:
    """The same without fillers, which only take time here."""
    param = caffe_pb2.NetParameter()
    param.CopyFrom(source.param)
    for layer in param.layer:
        for name in ("convolution_param", "inner_product_param"):
            if layer.HasField(name):
                getattr(layer, name).ClearField("weight_filler")
    return source.derived(param, range(len(param.layer)))


def _inputs(source: NetSource, size: tuple[int, int] | None) -> dict[str, Shape] | None:
    inputs = [layer for layer in source.param.layer if layer.type == "Input"]
    images = [(layer.top[0], shape) for layer in inputs for shape in layer.input_param.shape if len(shape.dim) == 4]
    if len(images) != 1:
        raise UsageError(
            f"{source.path}: a classification net with one input, N x C x H x W, is expected; this has {len(images)}. "
            "Give its deploy prototxt."
        )
    name, shape = images[0]
    return {name: (1, shape.dim[1], *(size or shape.dim[2:]))}


def _sites(net: Net, source: NetSource) -> list[Site]:
    written = {layer.name for layer in source.param.layer}
    nodes = [node for node in net.nodes if node.name in written]  # without the Splits that building adds
    return [
        Site(param, node.layer, source.where(index), [b.shape for b in node.bottoms], [t.shape for t in node.tops])
        for index, (param, node) in enumerate(zip(source.param.layer, nodes, strict=True))
    ]


def _divide(sites: list[Site], net: Net) -> Subject:
    needed = _leading_to(sites, sites[-1].param.top)
    classifier, behind = _classifier(needed)
    trunk, chain = _split_chain(_leading_to(needed[: needed.index(classifier)], classifier.param.bottom), classifier)
    trunk = [site for site in trunk if site.param.type != "Input"]
    if not any(site.param.type in ("Convolution", "Pooling") for site in trunk):
        raise UsageError(
            "the net has no convolution or pooling before its fully connected layers: there is no map of features that "
            "could be made dense. Give a net for images, such as VGG-16, ResNet or SqueezeNet."
        )
    replaced = [site for site in chain if site.param.type in VIEWS or site.covers_map]
    kept = [site for site in chain if site not in replaced]
    first = next((i for i, site in enumerate(kept) if site.param.type == "InnerProduct"), len(kept))
    last = _renamed(kept[:first], str(trunk[-1].param.top[0]))
    return Subject(
        name=net.name,
        net=net,
        image=net.inputs[0],
        trunk=trunk + kept[:first],
        last=last,
        hidden=kept[first:],
        classifier=classifier,
        dropped={
            **{site.name: "a side branch, not on the way to the classifier" for site in sites if site not in needed},
            **{site.name: "behind the classifier" for site in behind},
            **{site.name: "the classifier goes on every element of the map instead" for site in replaced},
        },
    )


def _classifier(needed: list[Site]) -> tuple[Site, list[Site]]:
    """The last layer with weights, and what stands behind it."""
    weighted = [i for i, site in enumerate(needed) if site.param.type in ("InnerProduct", "Convolution")]
    if not weighted:
        raise UsageError("the net has no layer with weights that could be its classifier; is it a classification net?")
    classifier, behind = needed[weighted[-1]], needed[weighted[-1] + 1 :]
    for site in behind:
        if site.param.type in ENLARGING or len(site.param.bottom) > 1:
            raise site.error(
                f"behind the last layer with weights, '{classifier.name}', scores are enlarged or combined: this is a "
                "segmentation net already. Give the classification net that it was made from."
            )
    return classifier, behind


def _renamed(pointwise: list[Site], last: str) -> str:
    """The blob behind pointwise layers that stood behind a dropped pooling: they get the map itself to work on."""
    for site in pointwise:
        below, above = site.param.bottom[0], site.param.top[0]
        site.param.bottom[0] = last
        last = last if below == above else str(above)
        site.param.top[0] = last
    return last


def _leading_to(sites: list[Site], blobs: Sequence[str]) -> list[Site]:
    """The layers that compute these blobs."""
    needed = set(blobs)
    kept = []
    for site in reversed(sites):
        if needed.intersection(site.param.top):
            needed.update(site.param.bottom)
            kept.append(site)
    return kept[::-1]


def _split_chain(sites: list[Site], classifier: Site) -> tuple[list[Site], list[Site]]:
    """The layers before the classifier: the trunk, and the chain that begins where maps end."""
    chain: list[Site] = []
    blob = classifier.param.bottom[0]
    rest = list(sites)
    while rest and blob in rest[-1].param.top and len(rest[-1].param.bottom) == 1:
        site = rest[-1]
        if site.param.type not in IN_CHAIN and site.param.type not in ("InnerProduct", *VIEWS) and not site.covers_map:
            break
        chain.insert(0, rest.pop())
        blob = site.param.bottom[0]
    while chain and chain[0].param.type in IN_CHAIN:
        rest.append(chain.pop(0))
    return rest, chain
