"""From a picture of any size to labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.crf import CRFParameters, DenseCRF
from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.errors import UsageError
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.segmentation.alignment import alignment_of
from pydeeplab.segmentation.deploy import read_deploy
from pydeeplab.segmentation.ends import find_input
from pydeeplab.segmentation.output import Output
from pydeeplab.segmentation.pixels import channel_means, for_channels, read_pixels
from pydeeplab.segmentation.result import Segmentation
from pydeeplab.segmentation.runner import Runner
from pydeeplab.segmentation.tiles import Strip
from pydeeplab.segmentation.tiling import DEFAULT_TILE, Tiling
from pydeeplab.segmentation.views import Views

__all__ = ["MEAN_BGR", "Segmenter", "segment"]

MEAN_BGR = (104.008, 116.669, 122.675)
"""The mean colour of ImageNet that DeepLab nets were trained with: blue, green, red, of 0..255."""

PathLike = str | os.PathLike[str]


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
    overlap : int or "exact", optional
        Pixels that neighbouring tiles have at least in common; a quarter of a tile by default. "exact": as many as it
        takes that tiles merged by "centre" give what the whole picture gives, twice the net's `context`.
    merge : {"average", "centre"}
        What to do where tiles overlap: average the scores, weighted down towards a tile's edge, or take those of the
        tile whose centre is nearest (always so with nets that give labels only).
    scales : several numbers or one
        Show each picture or tile at these scales and fuse the scores, as DeepLab's multi-scale nets do with 1, 0.75 and
        0.5. For nets that do not do so themselves.
    fuse : {"max", "mean"}
        How the scores of several scales become one.
    flip : bool
        Average the scores with those of the mirror image.
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

    Tiles begin on the grid of the net's stride. Their scores are merged strip by strip from the top, so that labels
    alone take the memory of one row of tiles; probabilities of the whole picture, and a CRF, take all.

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
        overlap: int | str | None = None,
        merge: str = "average",
        scales: Sequence[float | str | Fraction] | float = 1,
        fuse: str = "max",
        flip: bool = False,
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
            source = read_deploy(net, defines)
            self.net = Net.from_source(source, TEST, weights=weights, keep=keep, engine=engine)
        data = find_input(self.net)
        _, self._channels, *declared = self.net.blobs[data].shape
        self._gray = gray
        self._crf = DenseCRF() if crf is True else DenseCRF(crf) if crf else None
        self._output = Output.of(self.net, output)
        self._views = self._check_views(Views.of([scales] if isinstance(scales, int | float) else scales, fuse, flip))
        self._runner = Runner(
            self.net,
            data,
            self._output.name,
            mean=channel_means(mean, self._channels, order),
            scale=float(scale),
            reverse=order == "bgr" and self._channels == 3,
            views=self._views,
        )
        self._tiling = Tiling(
            self._runner,
            (declared[0], declared[1]),
            alignment_of(self.net).scaled(self._views.scales),
            tile=tile,
            overlap=overlap,
            merge="centre" if self._output.gives_labels else merge,
        )
        self.classes = self._choose_classes(classes)
        self._notes: list[str] = []

    def _check_views(self, views: Views) -> Views:
        if views.single:
            return views
        if self._output.gives_labels:
            raise UsageError("this net gives labels only (its output is an ArgMax): scales and flip need scores")
        if any(node.layer.type == "DenseCRF" for node in self.net.nodes):
            raise UsageError("the net ends in a CRF of its own: name the blob before it with output=, and give crf=")
        return views

    def _choose_classes(self, classes: ClassSet | PathLike | None) -> ClassSet:
        if isinstance(classes, ClassSet):
            return classes
        if classes is not None:
            return class_set(classes)
        if self._output.maps == 21:
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
        pixels = read_pixels(image)
        self._check_room(pixels)
        if self._crf is None and not probabilities:
            return self._labels_only(pixels)
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
        if self._output.gives_labels:
            raise UsageError("this net gives labels only (its output is an ArgMax): a CRF needs scores")
        pixels = read_pixels(image)
        self._check_room(pixels)
        scores = self.scores(pixels)
        before = self._result(scores, pixels, None, probabilities)
        return before, self._result(scores, pixels, self._crf, probabilities, callback)

    def _check_room(self, pixels: NDArray[np.uint8]) -> None:
        """See whether there is room for the CRF."""
        if self._crf is not None and not self._output.gives_labels:
            self._crf.check_room(pixels.shape[0], pixels.shape[1], self.channels or 2)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the last picture that one may want to know."""
        return tuple(self._notes + self._runner.notes)

    def _labels_only(self, pixels: NDArray[np.uint8]) -> Segmentation:
        """Labels, of which each strip of rows is decided when it is there."""
        parts = [self._output.labels(strip.scores) for strip in self.strips(pixels)]
        return Segmentation(np.concatenate(parts), None, self.classes, self.notes)

    def _result(
        self,
        scores: NDArray[np.float32],
        pixels: NDArray[np.uint8],
        crf: DenseCRF | None,
        probabilities: bool,
        callback: Callable[[int, NDArray[Any]], None] | None = None,
    ) -> Segmentation:
        """Labels, and probabilities if wanted, from scores (or from labels, of nets that give only these)."""
        if self._output.gives_labels or (crf is None and not probabilities):
            return Segmentation(self._output.labels(scores), None, self.classes, self.notes)
        shares = self._refined(scores, pixels, crf, callback) if crf else self._output.probabilities(scores)
        labels = self._output.labels(shares if crf else scores)
        return Segmentation(labels, shares if probabilities else None, self.classes, self.notes)

    def _refined(
        self,
        scores: NDArray[np.float32],
        pixels: NDArray[np.uint8],
        crf: DenseCRF,
        callback: Callable[[int, NDArray[Any]], None] | None,
    ) -> NDArray[np.float32]:
        """The probabilities that the CRF makes of scores."""
        unary: dict[str, Any] = {"probabilities" if self.normalised else "scores": scores}
        return np.asarray(crf.refine(pixels, **unary, callback=callback), np.float32)

    @property
    def channels(self) -> int | None:
        """The number of classes that the net tells apart; None where it gives labels only."""
        return self._output.classes

    @property
    def normalised(self) -> bool:
        """Whether the scores are probabilities already."""
        return self._output.normalised

    @property
    def context(self) -> int | None:
        """How far from a pixel the pixels lie on which its score depends (rows or columns); None if there is no end."""
        return self._tiling.context

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The net's scores for a picture, (C, H, W) at its size; two channels where the net has a single sigmoid."""
        whole: NDArray[np.float32] | None = None
        for strip in self.strips(image):
            if strip.scores.shape[1] == image.shape[0]:
                return strip.scores
            if whole is None:
                whole = np.empty((len(strip.scores), *image.shape[:2]), np.float32)
            whole[:, strip.rows] = strip.scores
        assert whole is not None
        return whole

    def strips(self, image: NDArray[np.uint8]) -> Iterator[Strip]:
        """The scores of a picture in strips of rows, from top to bottom: a row of tiles each, or all at once.

        For pictures whose scores do not fit into memory at once.
        """
        self._notes.clear()
        self._runner.notes.clear()
        if not self._views.single:
            self._notes.append(str(self._views))
        shown = for_channels(image, self._channels, gray=self._gray)
        for strip in self._tiling.strips(shown, self._notes.append):
            yield Strip(strip.start, self._output.scores(strip.scores))


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
