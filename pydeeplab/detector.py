"""A net that scores windows of images, as in R-CNN: pycaffe's ``Detector``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab import io
from pydeeplab.classifier import make_transformer
from pydeeplab.errors import DataError, UnsupportedError, UsageError
from pydeeplab.layer import TEST
from pydeeplab.net import Net

__all__ = ["Detector"]


class Detector(Net):
    """A net with one image input, run on windows of images warped to its input size.

    Parameters
    ----------
    model_file, pretrained_file : path
        The deploy prototxt and the weights.
    mean, input_scale, raw_scale, channel_swap
        As for `pydeeplab.Classifier`.
    context_pad : int, optional
        Pixels of the input, on each side, that show the window's surroundings; outside the image there is the mean.

    Examples
    --------
    ::

        detector = pydeeplab.Detector("deploy.prototxt", "rcnn.caffemodel", mean=mean, raw_scale=255,
                                      channel_swap=(2, 1, 0), context_pad=16)
        for found in detector.detect_windows([("cat.jpg", [(10, 20, 200, 180)])]):
            print(found["window"], found["prediction"].argmax())
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        mean: NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ):
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = make_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def configure_crop(self, context_pad: int | None) -> None:
        """Set the context around windows (see the class), and the colour of what lies outside an image.

        Raises
        ------
        UsageError
            The context would leave nothing of the input to the window.
        """
        name = self.inputs[0]
        height, width = self.blobs[name].shape[2:]
        self.context_pad = int(context_pad or 0)
        self.crop_dims = np.array([height, width, self.blobs[name].shape[1]])
        self.crop_mean = np.zeros(self.crop_dims, np.float32)
        if not 0 <= 2 * self.context_pad < min(height, width):
            raise UsageError(f"context_pad must be at least 0 and less than half of {min(height, width)}")
        if self.context_pad and name in self.transformer.mean:
            self.crop_mean = self._mean_image(name)

    def _mean_image(self, name: str) -> NDArray[np.float32]:
        """The image (H x W x C, in the scale and channel order of images) that the transformer turns into zeros."""
        t = self.transformer
        mean = np.broadcast_to(t.mean[name], self.crop_dims[[2, 0, 1]]) / t.raw_scale.get(name, 1.0)
        if name in t.channel_swap:
            mean = mean[np.argsort(t.channel_swap[name])]
        return np.ascontiguousarray(mean.transpose(1, 2, 0), np.float32)

    def detect_windows(
        self, images_windows: Iterable[tuple[str | os.PathLike[str], Iterable[Sequence[float]]]]
    ) -> list[dict[str, Any]]:
        """Score windows of images.

        Parameters
        ----------
        images_windows : iterable of (file name, windows)
            A window is (ymin, xmin, ymax, xmax) in pixels.

        Returns
        -------
        list of dict
            One for each window: "window", "prediction" (a vector of the net's first output), "filename".
        """
        name = self.inputs[0]
        ready, found = [], []
        for filename, windows in images_windows:
            image = io.load_image(filename).astype(np.float32)
            for window in windows:
                ready.append(self.transformer.preprocess(name, self.crop(image, window)))
                found.append({"window": window, "filename": filename})
        if not ready:
            return []
        images: dict[str, Any] = {name: np.stack(ready).astype(np.float32)}
        scores = self.forward_all(**images)[self.outputs[0]]
        if scores.ndim == 4 and scores.shape[2:] == (1, 1):
            scores = scores[:, :, 0, 0]
        return [{**entry, "prediction": score} for entry, score in zip(found, scores, strict=True)]

    def detect_selective_search(self, image_fnames: Iterable[str | os.PathLike[str]]) -> NoReturn:
        """Raise `UnsupportedError`: the windows that pycaffe takes here come from MATLAB code."""
        raise UnsupportedError(
            "selective search needs MATLAB code that is no part of pydeeplab. Propose windows with another tool, and "
            "give them to detect_windows([(filename, windows), ...])"
        )

    def crop(self, im: NDArray[Any], window: ArrayLike) -> NDArray[np.float32]:
        """Cut a window, with its context if `configure_crop` asked for any, and warp it to the net's input size.

        Parameters
        ----------
        im : H x W x C array
        window : (ymin, xmin, ymax, xmax)
            In pixels.

        Returns
        -------
        H x W x C array
            Of the size of the net's input when there is context; else the window as it is, which the transformer
            resizes.

        Raises
        ------
        DataError
            The window has no pixel in the image.
        """
        box = np.round(np.asarray(window, float)).astype(int)
        if not self.context_pad:
            cut = np.asarray(im[max(box[0], 0) : max(box[2], 0), max(box[1], 0) : max(box[3], 0)], np.float32)
            return self._checked(cut, im, window)
        size = self.crop_dims[:2]
        # The window grows about its centre until its own part fills the input less its margins.
        half = (box[2:] - box[:2] + 1) / 2
        centre = box[:2] + half
        grown = half * size / (size - 2 * self.context_pad)
        low, high = np.round(centre - grown).astype(int), np.round(centre + grown).astype(int)
        scale = size / (high - low + 1)
        margin = np.minimum(np.round(np.maximum(0, -low) * scale).astype(int), size - 1)
        limit = np.array(im.shape[:2])
        low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
        cut = self._checked(np.asarray(im[low[0] : high[0], low[1] : high[1]], np.float32), im, window)
        warped = np.minimum(np.maximum(1, np.round((high - low + 1) * scale).astype(int)), size - margin)
        result = self.crop_mean.copy()
        rows, columns = (slice(m, m + w) for m, w in zip(margin, warped, strict=True))
        result[rows, columns] = io.resize_image(cut, [int(w) for w in warped])
        return result

    def _checked(self, cut: NDArray[np.float32], im: NDArray[Any], window: ArrayLike) -> NDArray[np.float32]:
        if not cut.size:
            raise DataError(
                f"the window {tuple(np.ravel(window))} holds no pixel of an image of {im.shape[0]} x {im.shape[1]}"
            )
        return cut
