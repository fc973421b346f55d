"""From a picture of any size to labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import get_backend
from pydeeplab.crf import CRFParameters, DenseCRF
from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.images import read_image, to_gray
from pydeeplab.errors import DataError, LayerError, ShapeError, UsageError
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.proto import caffe_pb2, read_net
from pydeeplab.resources import find_net
from pydeeplab.segmentation.alignment import Alignment, alignment_of
from pydeeplab.segmentation.deploy import without_labels
from pydeeplab.segmentation.result import Segmentation
from pydeeplab.segmentation.tiles import Merger, grid, spans

__all__ = ["MEAN_BGR", "Segmenter", "segment"]

MEAN_BGR = (104.008, 116.669, 122.675)
"""The mean colour of ImageNet that DeepLab nets were trained with: blue, green, red, of 0..255."""

DEFAULT_TILE = 1025

PathLike = str | os.PathLike[str]


def _read_deploy(net: PathLike, defines: Mapping[str, str] | None) -> Any:
    """The layers of a prototxt that lead from the picture to the scores in phase TEST."""
    source = read_net(find_net(net), defines=defines)
    state = caffe_pb2.NetState()
    state.CopyFrom(source.param.state)
    state.phase = TEST
    return without_labels(source.filtered(state))


class Segmenter:
    """Segments pictures with one net.

    Parameters
    ----------
    net : Net, path or name
        A net in phase TEST, a prototxt, or the name of one that comes with pydeeplab. Data layers of a train or test
        prototxt are replaced by an input, and layers that need labels left out.
    weights : path or several, optional
        Weight files; for a `Net` they are loaded into it.
    mean : three numbers, or one
        Subtracted per channel, in the order of the net's channels (blue, green, red unless ``order`` is "rgb").
    scale : float
        Factor after the mean, such as 1/255.
    order : {"bgr", "rgb"}
        The net's channels.
    gray : bool
        Turn pictures grey first. With a net of three channels, all three are then the same.
    crf : CRFParameters, str or True, optional
        Refine the scores with a dense CRF: parameters, their text (``CRFParameters.parse``), or True for the default.
    tile : int
        Larger pictures are cut into overlapping tiles of at most this height and width.
    overlap : int, optional
        Pixels that neighbouring tiles have at least in common; a quarter of a tile by default.
    merge : {"average", "centre"}
        What to do where tiles overlap.
    output : str, optional
        The blob with the scores; by default the last output with several channels.
    classes : ClassSet, name or file, optional
        Names and colours: see `pydeeplab.data.class_set`. VOC's if the net has 21 classes, else numbers.
    defines : mapping, optional
        Values for ``${NAME}`` placeholders in the prototxt.
    engine : {"DEFAULT", "CAFFE"}
        Convolution engine for nets given by path.

    Raises
    ------
    UsageError
        An option makes no sense for this net.
    PrototxtError, WeightsError
        The net or its weights cannot be read.

    Notes
    -----
    A picture is padded at the bottom and right with the mean colour to a size that suits the net (8k+1 for most DeepLab
    nets) and the scores are cropped back, as the authors did with 513 x 513. Nets whose input cannot change its size
    get tiles of that size. Scores smaller than the input are enlarged bilinearly with aligned corners.

    Examples
    --------
    ::

        segmenter = Segmenter("voc12/resnet101_aspp_msc", weights="train2_iter_20000.caffemodel", crf=True)
        result = segmenter("photo.jpg")
        result.save("photo.png")
        print(result.shares())
    """

    def __init__(
        self,
        net: Net | PathLike,
        *,
        weights: PathLike | Sequence[PathLike] | None = None,
        mean: Sequence[float] = MEAN_BGR,
        scale: float = 1.0,
        order: str = "bgr",
        gray: bool = False,
        crf: CRFParameters | str | bool | None = None,
        tile: int = DEFAULT_TILE,
        overlap: int | None = None,
        merge: str = "average",
        output: str | None = None,
        classes: ClassSet | PathLike | None = None,
        defines: Mapping[str, str] | None = None,
        engine: str = "DEFAULT",
    ):
        if isinstance(net, Net):
            self.net = net
            if weights is not None:
                net.copy_from(weights)
        else:
            keep = [output] if output else "outputs"
            source = _read_deploy(net, defines)
            self.net = Net.from_source(source, TEST, weights=weights, keep=keep, engine=engine)
        self._input = self._find_input()
        declared = self.net.blobs[self._input].shape
        self._declared = (declared[2], declared[3])
        self._channels = declared[1]
        if order not in ("bgr", "rgb"):
            raise UsageError(f"order must be 'bgr' or 'rgb', got '{order}'")
        self._reverse = order == "bgr" and self._channels == 3
        self._gray = gray or self._channels == 1
        self._mean = self._check_mean(mean, order)
        self._scale = float(scale)
        self._crf = DenseCRF() if crf is True else DenseCRF(crf) if crf else None
        self._alignment: Alignment | None = alignment_of(self.net)
        if tile < 1:
            raise UsageError(f"tile must be at least 1, got {tile}")
        self._tile = self._alignment.fit_below(tile)
        self._overlap = overlap
        self._merge = merge
        Merger(1, 1, merge)
        self._output = output or self._find_output()
        self._producer = self._find_producer(self._output)
        channels = self.net.blobs[self._output].shape[1]
        self.classes = self._choose_classes(classes, channels)
        self._notes: list[str] = []

    # The net's ends --------------------------------------------------------------------------------------------------

    def _find_input(self) -> str:
        images = [name for name in self.net.inputs if len(self.net.blobs[name].shape) == 4]
        for name in images:
            if self.net.blobs[name].shape[1] in (1, 3) and self.net.blobs[name].shape[2:] != (1, 2):
                return name
        shapes = ", ".join(f"{n} {self.net.blobs[n].shape}" for n in self.net.inputs) or "none"
        raise UsageError(f"the net has no input for a picture (1 x 3 x H x W or 1 x 1 x H x W); its inputs: {shapes}")

    def _find_output(self) -> str:
        made = {name: i for i, node in enumerate(self.net.nodes) for name in node.top_names}
        maps = [n for n in self.net.outputs if len(self.net.blobs[n].shape) == 4 and self.net.blobs[n].count]
        maps.sort(key=lambda name: made[name])
        several = [n for n in maps if self.net.blobs[n].shape[1] > 1]
        if several or maps:
            return (several or maps)[-1]
        shapes = ", ".join(f"{n} {self.net.blobs[n].shape}" for n in self.net.outputs) or "none"
        raise UsageError(
            f"no output of the net is a map of scores (1 x C x H x W); its outputs: {shapes}. Name a blob with output="
        )

    def _find_producer(self, name: str) -> str:
        """The type of the layer that makes a blob; checks that the blob can be a score map."""
        if name not in self.net.blobs:
            raise UsageError(f"the net keeps no blob '{name}'; its outputs are {', '.join(self.net.outputs)}")
        shape = self.net.blobs[name].shape
        producer = [node.layer.type for node in self.net.nodes if name in node.top_names][-1]
        if len(shape) != 4 or (shape[1] == 1 and producer not in ("ArgMax", "Sigmoid")):
            raise UsageError(
                f"blob '{name}' has shape {shape}: scores have a channel per class (or one, of Sigmoid or ArgMax)"
            )
        return producer

    def _check_mean(self, mean: Sequence[float], order: str) -> NDArray[np.float64]:
        values = np.asarray(mean, np.float64).reshape(-1)
        if self._channels == 1 and len(values) == 3:
            blue, green, red = values if order == "bgr" else values[::-1]
            values = np.array([0.299 * red + 0.587 * green + 0.114 * blue])
        if len(values) not in (1, self._channels):
            raise UsageError(f"mean needs one number or {self._channels}, got {len(values)}")
        return np.ascontiguousarray(np.broadcast_to(values, self._channels))

    def _choose_classes(self, classes: ClassSet | PathLike | None, channels: int) -> ClassSet:
        if isinstance(classes, ClassSet):
            return classes
        if classes is not None:
            return class_set(classes)
        if channels == 21:
            return class_set("voc12")
        return ClassSet("numbers", (), class_set("voc12").palette)

    # One picture -----------------------------------------------------------------------------------------------------

    def __call__(self, image: PathLike | NDArray[np.uint8], *, probabilities: bool = True) -> Segmentation:
        """Segment a picture.

        Parameters
        ----------
        image
            A path, or uint8 pixels: (H, W, 3) RGB or (H, W) grey.
        probabilities
            Whether to return them beside the labels.

        Raises
        ------
        DataError
            The picture cannot be read or is no 8-bit image.
        """
        pixels = _pixels(image)
        self._notes = []
        return self._result(self.scores(pixels), pixels, self._crf, probabilities)

    def before_and_after(
        self,
        image: PathLike | NDArray[np.uint8],
        *,
        probabilities: bool = True,
        callback: Callable[[int, NDArray[Any]], None] | None = None,
    ) -> tuple[Segmentation, Segmentation]:
        """Segment a picture without and with the CRF, running the net once.

        Parameters
        ----------
        image, probabilities
            As for a call.
        callback
            See `DenseCRF.refine`: called after each mean-field iteration, and before the first.

        Raises
        ------
        UsageError
            The segmenter has no CRF, or the net gives labels only.
        """
        if self._crf is None:
            raise UsageError("there is nothing to compare: the segmenter was made without crf=")
        if self._gives_labels:
            raise UsageError("this net gives labels only (its output is an ArgMax): a CRF needs scores")
        pixels = _pixels(image)
        self._notes = []
        scores = self.scores(pixels)
        before = self._result(scores, pixels, None, probabilities)
        return before, self._result(scores, pixels, self._crf, probabilities, callback)

    def _result(
        self,
        scores: NDArray[np.float32],
        pixels: NDArray[np.uint8],
        crf: DenseCRF | None,
        probabilities: bool,
        callback: Callable[[int, NDArray[Any]], None] | None = None,
    ) -> Segmentation:
        """Labels, and probabilities if wanted, from scores (or from labels, of nets that give only these)."""
        if self._gives_labels and len(scores) == 1:
            labels = np.rint(scores[0]).astype(np.int32)
            labels = labels.astype(np.uint8) if labels.max(initial=0) < 256 else labels
            return Segmentation(labels, None, self.classes, tuple(self._notes))
        shares = self._probabilities(pixels, scores, crf, callback)
        labels = shares.argmax(axis=0).astype(np.uint8 if len(shares) <= 256 else np.int32)
        return Segmentation(labels, shares if probabilities else None, self.classes, tuple(self._notes))

    def _probabilities(
        self,
        pixels: NDArray[np.uint8],
        scores: NDArray[np.float32],
        crf: DenseCRF | None,
        callback: Callable[[int, NDArray[Any]], None] | None,
    ) -> NDArray[np.float32]:
        """Softmax of the scores, or what the CRF makes of them."""
        if crf is not None:
            if self._normalised:
                return np.asarray(crf.refine(pixels, probabilities=scores, callback=callback), np.float32)
            return np.asarray(crf.refine(pixels, scores, callback=callback), np.float32)
        if self._normalised:
            return scores
        shares = np.empty_like(scores)
        flat = (1, len(scores), -1)
        get_backend("cpu").kernels.softmax_forward(scores.reshape(flat), shares.reshape(flat))
        return shares

    @property
    def channels(self) -> int | None:
        """The number of classes that the net tells apart; None where it gives labels only."""
        if self._gives_labels:
            return None
        count = self.net.blobs[self._output].shape[1]
        return 2 if count == 1 else count

    @property
    def _gives_labels(self) -> bool:
        """Whether the net's output is a label map, not scores."""
        return self._producer == "ArgMax"

    @property
    def _normalised(self) -> bool:
        """Whether the scores are probabilities already."""
        return self._producer in ("Softmax", "Sigmoid", "DenseCRF")

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The net's scores for a picture, (C, H, W) at its size; two channels where the net has a single sigmoid."""
        pixels = self._net_pixels(image)
        height, width = pixels.shape[:2]
        tile_height, tile_width = self._tile_size(height, width)
        rows, columns = (
            spans(size, tile, min(tile // 4 if self._overlap is None else self._overlap, tile - 1))
            for size, tile in ((height, tile_height), (width, tile_width))
        )
        if len(rows) * len(columns) == 1:
            scores = self._run(pixels, tile_height, tile_width)
        else:
            self._notes.append(f"cut into {len(rows)} x {len(columns)} tiles of {tile_height} x {tile_width}")
            merger = Merger(height, width, self._merge)
            for row, column in grid(rows, columns):
                piece = np.ascontiguousarray(pixels[row.start : row.stop, column.start : column.stop])
                merger.add(row, column, self._run(piece, tile_height, tile_width))
            scores = merger.scores()
        if self._producer == "Sigmoid" and len(scores) == 1:
            return np.concatenate([1 - scores, scores])
        return scores

    def _net_pixels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture with as many channels as the net has."""
        if self._gray and image.ndim == 3:
            image = to_gray(image)
        if image.ndim == 2:
            image = np.repeat(image[:, :, None], self._channels, axis=2)
        return np.ascontiguousarray(image)

    def _tile_size(self, height: int, width: int) -> tuple[int, int]:
        """The input size to use for a picture: a suitable one that holds it, or that of the tiles."""
        if self._alignment is not None:
            size = tuple(min(self._alignment.fit(side), self._tile) for side in (height, width))
            if self._try_size(*size):
                return size[0], size[1]
            self._alignment = None
        if not self._try_size(*self._declared):
            raise ShapeError(f"the net does not run at its own input size {self._declared[0]} x {self._declared[1]}")
        return self._declared

    def _try_size(self, height: int, width: int) -> bool:
        """Give the net's input a size; False if the net cannot have it."""
        blob = self.net.blobs[self._input]
        wanted = (1, self._channels, height, width)
        if blob.shape == wanted:
            return True
        before = blob.shape
        blob.reshape(*wanted)
        try:
            self.net.reshape()
        except LayerError:
            blob.reshape(*before)
            return False
        return True

    def _run(self, pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
        """Scores (C, h, w) of one picture or tile, padded to the input size."""
        if not self._try_size(height, width):
            raise ShapeError(f"the net cannot run at {height} x {width}")
        kernels = get_backend("cpu").kernels
        blob = self.net.blobs[self._input]
        kernels.image_to_blob(pixels, self._mean, blob.write()[0], 0, 0, False, self._reverse, self._scale)
        self._tell_size(*pixels.shape[:2])
        self.net.forward()
        scores = self.net.blobs[self._output].read()[0]
        if scores.shape[1:] != (height, width):
            scores = self._enlarge(scores, height, width)
        return scores[:, : pixels.shape[0], : pixels.shape[1]].copy()

    def _tell_size(self, height: int, width: int) -> None:
        """Fill an input that wants the picture's size (data_dim, for a DenseCRF layer in the net)."""
        for name in self.net.inputs:
            blob = self.net.blobs[name]
            if name != self._input and blob.count == 2:
                blob.data.reshape(-1)[:] = height, width

    def _enlarge(self, scores: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
        if scores.shape[1] > height or scores.shape[2] > width:
            raise UsageError(
                f"blob '{self._output}' is {scores.shape[1]} x {scores.shape[2]}, larger than the input "
                f"{height} x {width}; name the blob with the scores: output="
            )
        note = f"scores enlarged from {scores.shape[1]} x {scores.shape[2]} to {height} x {width}"
        if note not in self._notes:
            self._notes.append(note)
        large = np.empty((len(scores), height, width), np.float32)
        get_backend("cpu").kernels.interp_forward(np.ascontiguousarray(scores), large, 0, 0, *scores.shape[1:])
        return large


def _pixels(image: PathLike | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB or grey bytes of a picture given as path or array."""
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    array = np.asarray(image)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)) or not array.size:
        raise DataError(
            "expected a picture of bytes (uint8), (H, W, 3) RGB or (H, W) grey, "
            f"got {array.dtype} of shape {array.shape}"
        )
    return array


def segment(image: PathLike | NDArray[np.uint8], net: Net | PathLike, **options: Any) -> Segmentation:
    """Segment one picture; for several make a `Segmenter` once.

    Parameters
    ----------
    image
        A path, or uint8 pixels: (H, W, 3) RGB or (H, W) grey.
    net
        A `Net`, a prototxt, or the name of one that comes with pydeeplab.
    **options
        Those of `Segmenter`: ``weights``, ``mean``, ``scale``, ``crf``, ``tile``, ...

    Returns
    -------
    Segmentation

    Examples
    --------
    ::

        result = pydeeplab.segment("photo.jpg", "deploy.prototxt", weights="net.caffemodel")
        result.save("photo.png")
    """
    return Segmenter(net, **options)(image)
