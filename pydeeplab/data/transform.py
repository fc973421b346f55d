"""Which part of a decoded picture and its label is an item of a batch: scale, pad, crop, mirror.

The random numbers of an item are drawn first, in Caffe's order (mirror, scale, row, column), and applied later: items
can then be decoded and transformed in any order, by several workers, and come out the same. What the net reads of the
pixels, `pydeeplab.data.pixels` computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend, get_backend
from pydeeplab.data.pixels import PixelTransform, Window
from pydeeplab.data.resize import resize
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError, UsageError
from pydeeplab.formats import read_mean

__all__ = ["Augmenter", "Draws"]


@dataclass(frozen=True)
class Draws:
    """The raw random numbers of one item, each to be taken modulo the number of choices; 0 where nothing is random."""

    mirror: int = 0
    scale: int = 0
    row: int = 0
    column: int = 0


class Augmenter:
    """Applies a TransformationParameter to pictures and labels.

    Parameters
    ----------
    param : TransformationParameter
    train : bool
        Random crops; centre crops otherwise. Mirroring and scale factors are random in both phases, as in Caffe.
    channels : {1, 3}
    pad : bool
        Fill pictures smaller than the crop at the bottom and right: with the mean (so with 0 afterwards), labels with
        ``ignore_label``. Without, they are an error.
    ignore_label : int
    random : Twister
        Where draws come from.
    crop : (height, width), optional
        Overrides the parameter's crop size.
    mirror : bool, optional
        Overrides the parameter's.
    backend : Backend, optional
        Whose kernels make numbers of pixels: see `transform`. The CPU's by default.

    Attributes
    ----------
    transform : PixelTransform
        What a net reads of a `window`.

    Raises
    ------
    UsageError
        Contradicting crop sizes, a number of means that does not fit, scale factors that are not positive.
    """

    def __init__(
        self,
        param: Any,
        *,
        train: bool,
        channels: int,
        random: Twister,
        pad: bool = False,
        ignore_label: int = 255,
        crop: tuple[int, int] | None = None,
        mirror: bool | None = None,
        backend: Backend | None = None,
    ):
        self.train = train
        self.channels = channels
        self.random = random
        self.pad = pad
        self.ignore_label = ignore_label
        self.mirror = bool(param.mirror) if mirror is None else mirror
        self.scale_factors = [np.float32(f) for f in param.scale_factors]
        if any(not f > 0 for f in self.scale_factors):
            raise UsageError(f"scale_factors must be positive, got {', '.join(f'{f:g}' for f in self.scale_factors)}")
        self.crop = crop or _crop_size(param)
        if param.mean_file and param.mean_value:
            raise UsageError("mean_file and mean_value cannot both be given")
        from_file = read_mean(param.mean_file) if param.mean_file else None
        self.mean_image = from_file if from_file is not None and from_file.ndim == 3 else None
        mean = _means(from_file if from_file is not None and from_file.ndim == 1 else param.mean_value, channels)
        self.transform = PixelTransform(
            backend or get_backend("cpu"), mean, float(param.scale), reverse=channels == 3, mean_image=self.mean_image
        )

    def draw(self) -> Draws:
        """Take the random numbers of the next item: only those that its settings need, in Caffe's order."""
        mirror = self.random.next() if self.mirror else 0
        scale = self.random.next() if self.scale_factors else 0
        random_crop = self.train and self.crop is not None
        row = self.random.next() if random_crop else 0
        column = self.random.next() if random_crop else 0
        return Draws(mirror, scale, row, column)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the window of a picture of this size."""
        return self.crop or (height, width)

    def window(
        self,
        image: NDArray[np.uint8],
        draws: Draws,
        size: tuple[int, ...] | None = None,
        label: NDArray[Any] | None = None,
    ) -> Window:
        """What of a picture, and of its label map, goes into a batch.

        Parameters
        ----------
        image : (H, W, 3) RGB or (H, W) grey
        draws : Draws
        size : (height, width), optional
            Of the batch's pictures; by default the `output_size`.
        label : (H, W) integers, optional

        Raises
        ------
        DataError
            Sizes of image and label differ, or the picture is smaller than the crop (and ``pad`` is off) or does not
            have the size of the batch (when there is no crop) or of the mean image (when there is one).
        """
        pixels = image.reshape(*image.shape[:2], -1)
        self._check_channels(pixels.shape[2])
        if label is not None and label.shape != pixels.shape[:2]:
            raise DataError(f"the image is {_text(pixels)} (height x width), its label map {_text(label)}")
        if self.scale_factors:
            pixels, label = self._rescale(pixels, label, self.scale_factors[draws.scale % len(self.scale_factors)])
        size = size or self.output_size(*image.shape[:2])
        row, column = self._corner(pixels.shape[:2], size, draws)
        self._check_mean((pixels.shape[2], *pixels.shape[:2]), size)
        return Window(
            np.ascontiguousarray(pixels), row, column, self._mirrors(draws), label=label, ignore_label=self.ignore_label
        )

    def window_of_planes(self, planes: NDArray[Any], draws: Draws, size: tuple[int, ...] | None = None) -> Window:
        """As `window`, for bytes or floats of shape (C, H, W), blue first, that are not rescaled.

        Raises
        ------
        DataError
            The number of channels differs from the batch's, or the picture is smaller than the crop or does not have
            the size of the mean image (when there is one).
        """
        self._check_channels(len(planes))
        size = size or self.output_size(*planes.shape[1:])
        row, column = self._corner(planes.shape[1:], size, draws)
        self._check_mean(planes.shape, size)
        return Window(planes, row, column, self._mirrors(draws), in_planes=True).cut(*size)

    def _mirrors(self, draws: Draws) -> bool:
        return self.mirror and draws.mirror % 2 == 1

    def _check_channels(self, count: int) -> None:
        if count != self.channels:
            raise DataError(f"expected {self.channels} channels, got {count}")

    def _check_mean(self, shape: tuple[int, ...], window: tuple[int, ...]) -> None:
        """See whether a mean image has a mean for all pixels."""
        if self.mean_image is None:
            return
        if self.mean_image.shape != shape:
            raise DataError(
                f"the mean file's image has shape {self.mean_image.shape}, this image {shape} (channels, "
                "height, width); they must be equal: resize with new_height and new_width"
            )
        if shape[1] < window[0] or shape[2] < window[1]:
            raise DataError(
                f"the mean file's image is {shape[1]} x {shape[2]} (height x width), smaller than the crop "
                f"{window[0]} x {window[1]}: padded pixels have no mean; use mean_value or a smaller crop"
            )

    def _rescale(
        self, pixels: NDArray[np.uint8], label: NDArray[Any] | None, factor: np.float32
    ) -> tuple[NDArray[np.uint8], NDArray[Any] | None]:
        if factor == 1:
            return pixels, label
        height, width = (max(1, int(np.float32(size) * factor)) for size in pixels.shape[:2])
        return resize(pixels, height, width), None if label is None else resize(label, height, width, "nearest")

    def _corner(self, size: tuple[int, ...], window: tuple[int, ...], draws: Draws) -> tuple[int, int]:
        """Row and column of the window's top left pixel."""
        if self.crop is None and size != window:
            raise DataError(
                f"the image is {size[0]} x {size[1]} (height x width), the batch {window[0]} x {window[1]}; images of "
                "several sizes need a crop_size, new_height and new_width, or batch_size 1"
            )
        if not self.pad and (size[0] < window[0] or size[1] < window[1]):
            raise DataError(
                f"the image is {size[0]} x {size[1]} (height x width), smaller than the crop {window[0]} x {window[1]}"
            )
        free = [max(0, have - need) for have, need in zip(size, window, strict=True)]
        if self.train:
            return draws.row % (free[0] + 1), draws.column % (free[1] + 1)
        return free[0] // 2, free[1] // 2


def _text(array: NDArray[Any]) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"


def _crop_size(param: Any) -> tuple[int, int] | None:
    """(height, width) of the crop, or None."""
    square, height, width = int(param.crop_size), int(param.crop_height), int(param.crop_width)
    if square and (height or width):
        raise UsageError("give either crop_size or crop_height and crop_width, not both")
    if square:
        return square, square
    if bool(height) != bool(width):
        raise UsageError("crop_height and crop_width go together; one of them is missing")
    return (height, width) if height else None


def _means(values: Sequence[float] | NDArray[np.float32], channels: int) -> NDArray[np.float64]:
    if len(values) not in (0, 1, channels):
        raise UsageError(
            f"got {len(values)} mean_value entries for {channels} channel(s); give none, one or {channels}"
        )
    means = np.zeros(channels)
    if len(values):
        means[...] = np.asarray(values, np.float32)
    return means
