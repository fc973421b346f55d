"""A net as a preflight looks at it: built without its files, with what its labels must be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydeeplab.analysis import DATA_LAYERS, without_data_layers
from pydeeplab.analysis.inputs import WRITERS
from pydeeplab.data.images import image_size
from pydeeplab.data.lists import ImageList
from pydeeplab.errors import DataError
from pydeeplab.layer import TRAIN
from pydeeplab.net import Net
from pydeeplab.proto import caffe_pb2

if TYPE_CHECKING:
    from pydeeplab.node import Node
    from pydeeplab.proto import NetSource

__all__ = ["LIST_LAYERS", "DataLayer", "LabelRule", "NetView", "classifiers", "view_net"]

LIST_LAYERS = {
    "ImageSegData": "image_data_param",
    "ImageData": "image_data_param",
    "DenseImageData": "dense_image_data_param",
}
_FILLED = ("convolution_param", "inner_product_param", "embed_param", "recurrent_param")
_PASSES_LABELS = ("Split", "Interp", "Slice", "Reshape", "Flatten")
_LOSSES = ("SoftmaxWithLoss", "MultinomialLogisticLoss", "InfogainLoss", "HingeLoss")
_SCORES = ("SegAccuracy", "Accuracy")


@dataclass(frozen=True)
class LabelRule:
    """Labels are 0..classes-1 or in ``ignored``, says the layer ``judge``."""

    classes: int
    ignored: frozenset[int]
    judge: str

    def allows(self, value: int) -> bool:
        """Whether a label is a class or ignored."""
        return 0 <= value < self.classes or value in self.ignored

    def __str__(self) -> str:
        ignored = f" or ignored ({', '.join(map(str, sorted(self.ignored)))})" if self.ignored else ""
        return f"0..{self.classes - 1}{ignored}"


@dataclass
class DataLayer:
    """A layer that reads files, its place in the prototxt, and the rule of its labels (None: nothing judges them)."""

    param: Any
    where: str
    rule: LabelRule | None = None

    @property
    def options(self) -> Any:
        """The message with source and batch_size."""
        return getattr(self.param, LIST_LAYERS[self.param.type])

    @property
    def label(self) -> str:
        """``net.prototxt:1:1: layer 'data' (ImageSegData)``."""
        place = f"{self.where}: " if self.where else ""
        return f"{place}layer '{self.param.name}' ({self.param.type})"


@dataclass
class NetView:
    """One net of a training.

    Attributes
    ----------
    role : str
        "train", "test", "test 0", ...
    phase : int
    source : NetSource
        The layers of its state, as written.
    net : Net
        The same with inputs in place of layers that read lists, and without initial weights.
    data : list of DataLayer
    iterations : int
        test_iter; 0 for the train net.
    """

    role: str
    phase: int
    source: NetSource
    net: Net
    data: list[DataLayer] = field(default_factory=list)
    iterations: int = 0


def view_net(
    source: NetSource, phase: int, *, role: str = "", state: Any = None, level: int = 0, stages: tuple[str, ...] = ()
) -> NetView:
    """Look at a net without reading its data or filling its weights.

    Raises
    ------
    PydeeplabError
        The net cannot be built.
    """
    full = caffe_pb2.NetState()
    full.CopyFrom(source.param.state)
    if state is not None:
        full.MergeFrom(state)
    full.phase = phase
    full.level = level or full.level
    full.stage.extend(stages)
    kept = source.filtered(full)
    data = [
        DataLayer(param, kept.where(index)) for index, param in enumerate(kept.param.layer) if param.type in DATA_LAYERS
    ]
    skeleton = _without_lists(kept, _first_size(data))
    net = Net.from_source(skeleton, phase, level=full.level, stages=list(full.stage))
    for layer in data:
        layer.rule = _rule(net, layer.param)
    return NetView(role or ("train" if phase == TRAIN else "test"), phase, kept, net, data)


def _without_lists(source: NetSource, image_size: tuple[int, int] | None) -> NetSource:
    """The net with inputs in place of layers that read lists of images, and without weight fillers and writers."""
    param = caffe_pb2.NetParameter()
    param.CopyFrom(source.param)
    replaced = [i for i, layer in enumerate(param.layer) if layer.type in (*LIST_LAYERS, *WRITERS)]
    some = caffe_pb2.NetParameter()
    some.layer.extend(param.layer[i] for i in replaced)
    inputs = without_data_layers(source.derived(some, replaced), image_size=image_size)
    for i, layer in zip(replaced, inputs.param.layer, strict=True):
        param.layer[i].CopyFrom(layer)
    for layer in param.layer:
        for name in _FILLED:
            if layer.HasField(name):
                getattr(layer, name).ClearField("weight_filler")
    return source.derived(param, range(len(param.layer)))


def _first_size(data: list[DataLayer]) -> tuple[int, int] | None:
    """Height and width of the first image of a list without a crop: only the file tells them."""
    for layer in data:
        transform = layer.param.transform_param
        if layer.param.type not in LIST_LAYERS or transform.crop_size or transform.crop_height:
            continue
        options = layer.options
        if options.new_height or getattr(options, "crop_height", 0):
            continue
        try:
            return image_size(ImageList(options.source, options.root_folder)[0].image)
        except DataError as error:
            raise DataError(f"{layer.label}: {error}") from None
    return None


def _label_names(net: Net, data: Any) -> set[str]:
    """The label top of a data layer and what is made of it without changing its values."""
    names = {data.top[1]} if len(data.top) > 1 else set()
    for node in net.nodes:
        if node.layer.type in _PASSES_LABELS and node.bottom_names and node.bottom_names[0] in names:
            names.update(node.top_names)
    return names


def _judges(net: Net, names: set[str], types: tuple[str, ...]) -> list[Node]:
    return [
        node
        for node in net.nodes
        if node.layer.type in types and len(node.bottom_names) > 1 and node.bottom_names[1] in names
    ]


def _rule(net: Net, data: Any) -> LabelRule | None:
    """What the losses (or, without any, the accuracies) ask of a data layer's labels."""
    names = _label_names(net, data)
    judges = _judges(net, names, _LOSSES) or _judges(net, names, _SCORES)
    if not judges:
        return None
    rules = [(node.bottoms[0].shape[1], _ignored(node)) for node in judges]
    ignored = frozenset.intersection(*(rule[1] for rule in rules))
    return LabelRule(min(rule[0] for rule in rules), ignored, judges[0].name)


def classifiers(net: Net) -> list[Node]:
    """The last layers with weights before the losses: those that turn features into scores."""
    makers: dict[str, Node] = {}
    for node in net.nodes:
        makers.update(dict.fromkeys(node.top_names, node))
    open_names = [node.bottom_names[0] for node in net.nodes if node.layer.is_loss and node.bottom_names]
    seen: set[str] = set()
    found: list[Node] = []
    while open_names:
        name = open_names.pop()
        if name in seen:
            continue
        seen.add(name)
        node = makers[name]
        if node.layer.type in ("Convolution", "InnerProduct"):
            found.append(node)
        else:
            open_names += [bottom for bottom in node.bottom_names if bottom != name]
    return [node for node in net.nodes if node in found]


def _ignored(node: Node) -> frozenset[int]:
    param = node.layer.param
    if node.layer.type == "SegAccuracy":
        return frozenset(param.seg_accuracy_param.ignore_label)
    if node.layer.type == "Accuracy":
        given = param.accuracy_param
        return frozenset([given.ignore_label] if given.HasField("ignore_label") else [])
    loss = param.loss_param
    return frozenset(loss.ignore_labels) | frozenset([loss.ignore_label] if loss.HasField("ignore_label") else [])
