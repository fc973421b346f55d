"""Running a net on one picture or tile: its pixels in, scores of the same size out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import get_backend
from pydeeplab.data.pixels import PixelTransform, Window
from pydeeplab.errors import LayerError, ShapeError, UsageError
from pydeeplab.net import Net
from pydeeplab.segmentation.views import Views

__all__ = ["Runner"]

Scores = NDArray[np.float32]


class Runner:
    """Shows a net pixels, and makes its scores as large as they are.

    Parameters
    ----------
    net : Net
    data, output : str
        The blobs that take the picture and give the scores.
    mean : (C,) float64 array
        Subtracted per channel.
    scale : float
        Factor after the mean.
    reverse : bool
        Whether the net's channels come in the reverse order of the pixels'.
    views : Views
        The scales and mirror images to show.
    """

    def __init__(
        self, net: Net, data: str, output: str, *, mean: NDArray[np.float64], scale: float, reverse: bool, views: Views
    ):
        self.net, self.data, self.output = net, data, output
        self.views = views
        self._transform = PixelTransform(net.backend, mean, scale, reverse=reverse)
        self._host_transform = PixelTransform(get_backend("cpu"), mean, scale, reverse=reverse)
        self.notes: list[str] = []

    def fits(self, height: int, width: int) -> bool:
        """Give the net's input a size; False if the net cannot have it."""
        blob = self.net.blobs[self.data]
        wanted = (1, blob.shape[1], height, width)
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

    def __call__(self, pixels: NDArray[np.uint8], height: int, width: int) -> Scores:
        """Scores (C, h, w) of pixels (h, w, channels), shown padded at the bottom and right to ``height x width``."""
        region, size = (pixels.shape[0], pixels.shape[1]), (height, width)
        fused: Scores | None = None
        for scale, mirrors in self.views:
            shown = Window(pixels) if scale == 1 else self._resized(pixels, size, scale)
            pair = [self._forward(shown, mirror, region, size) for mirror in mirrors]
            fused = self.views.fused(fused, self.views.average(pair))
        assert fused is not None
        return np.ascontiguousarray(self.views.finished(fused)[:, : region[0], : region[1]])

    def _resized(self, pixels: NDArray[np.uint8], size: tuple[int, int], scale: Fraction) -> Scores:
        """The padded picture at a scale, resized as multi-scale nets do it (Interp): bilinear, corners on corners."""
        whole = np.empty((self.net.blobs[self.data].shape[1], *size), np.float32)
        self._host_transform(Window(pixels), whole)
        small = np.empty((len(whole), *(int(scale * (side - 1)) + 1 for side in size)), np.float32)
        get_backend("cpu").kernels.interp_forward(whole, small, 0, 0, *size)
        return small

    def _forward(self, shown: Window | Scores, mirror: bool, region: tuple[int, int], size: tuple[int, int]) -> Scores:
        """The net's scores for one view, a copy at the size of the padded picture."""
        height, width = size if isinstance(shown, Window) else shown.shape[1:]
        if not self.fits(height, width):
            raise ShapeError(f"the net cannot run at {height} x {width}")
        self._show(shown, mirror)
        self._tell_size(*region)
        self.net.forward()
        scores = self.net.blobs[self.output].look()[0]
        if scores.shape[1] > height or scores.shape[2] > width:
            raise UsageError(
                f"blob '{self.output}' is {scores.shape[1]} x {scores.shape[2]}, larger than the input "
                f"{height} x {width}; name the blob with the scores: output="
            )
        return scores.copy() if scores.shape[1:] == size else self._enlarged(scores, *size)

    def _show(self, shown: Window | Scores, mirror: bool) -> None:
        """Fill the net's input: a window's pixels are transformed where the net computes."""
        blob = self.net.blobs[self.data]
        if isinstance(shown, Window):
            self._transform(replace(shown, mirror=mirror), blob.write()[0])
        else:
            blob.data[0] = np.flip(shown, 2) if mirror else shown

    def _tell_size(self, height: int, width: int) -> None:
        """Fill an input that wants the picture's size (data_dim, for a DenseCRF layer in the net)."""
        for name in self.net.inputs:
            blob = self.net.blobs[name]
            if name != self.data and blob.count == 2:
                blob.data.reshape(-1)[:] = height, width

    def _enlarged(self, scores: NDArray[Any], height: int, width: int) -> Scores:
        note = f"scores enlarged from {scores.shape[1]} x {scores.shape[2]} to {height} x {width}"
        if self.views.single and note not in self.notes:
            self.notes.append(note)
        large = np.empty((len(scores), height, width), np.float32)
        get_backend("cpu").kernels.interp_forward(np.ascontiguousarray(scores), large, 0, 0, *scores.shape[1:])
        return large
