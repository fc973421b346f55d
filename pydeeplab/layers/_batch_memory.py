"""What a batch is made in and waits in until the net takes it: arrays of the host.

Threads that read ahead put items into batches; the thread that runs the net calls `fill`. For a net on a device the
pictures wait as bytes, a quarter of the numbers that they become, and its kernels do the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.data.pixels import PixelTransform, Window
from pydeeplab.layer import Workspace

__all__ = ["Batch", "PictureBatch", "SentBatch", "Shapes"]

Shapes = Sequence[tuple[int, ...]]


class Batch:
    """One array per top, in ``arrays``; ``shapes`` are those of the tops."""

    def __init__(self, arrays: list[NDArray[Any]], shapes: Shapes | None = None):
        self.arrays = arrays
        self.shapes = list(shapes or [array.shape for array in arrays])

    @classmethod
    def empty(cls, shapes: Shapes) -> Batch:
        """Arrays with undefined contents."""
        return cls([np.empty(shape, np.float32) for shape in shapes])

    def fill(self, tops: Sequence[Blob]) -> None:
        """Give the tops their shapes and contents."""
        for blob, array in zip(tops, self.arrays, strict=False):
            _write(blob, array)


class PictureBatch(Batch):
    """A batch whose first top are pictures (N, C, h, w) and whose second one may be label maps (N, 1, h', w').

    Parameters
    ----------
    shapes
        Of the tops.
    transform : PixelTransform
        For a backend of the host.
    """

    def __init__(self, shapes: Shapes, transform: PixelTransform):
        super().__init__([np.empty(shape, np.float32) for shape in shapes])
        self._transform = transform

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width) of the pictures."""
        return self.shapes[0][2:]

    def put(self, index: int, window: Window) -> None:
        """Take an item: its picture, and its label map if it has one."""
        self._transform(window, self.arrays[0][index])
        if window.label is not None:
            window.place_label(self.arrays[1][index, 0])


class SentBatch(PictureBatch):
    """The same for a transform on a device: pictures and label maps are sent there as bytes.

    Pixels that are no bytes are sent as they are, and so are label maps with labels that are none.

    Parameters
    ----------
    shapes, transform
        See `PictureBatch`.
    maps : bool
        Whether the second top are label maps.
    workspace : Workspace
        Where bytes lie on the device until the kernels have read them.
    """

    def __init__(self, shapes: Shapes, transform: PixelTransform, *, maps: bool, workspace: Workspace):
        count, *item = shapes[0]
        arrays: list[NDArray[Any]] = [np.empty((count, math.prod(item)), np.uint8)]
        if maps:
            arrays.append(np.empty(shapes[1], np.uint8))
        arrays += [np.empty(shape, np.float32) for shape in shapes[len(arrays) :]]
        Batch.__init__(self, arrays, shapes)
        self._transform, self._maps, self._workspace = transform, maps, workspace
        self._windows: dict[int, Window] = {}
        self._other_labels: dict[int, NDArray[np.float32]] = {}

    def put(self, index: int, window: Window) -> None:
        """Take an item: copies of what the window shows."""
        shown = window.cut(*self.size)
        if shown.pixels.dtype == np.uint8:
            room = self.arrays[0][index, : shown.pixels.size].reshape(shown.pixels.shape)
            room[...] = shown.pixels
            shown = replace(shown, pixels=room)
        self._windows[index] = shown
        if window.label is not None:
            self._put_label(index, window)

    def _put_label(self, index: int, window: Window) -> None:
        self._other_labels.pop(index, None)
        room = self.arrays[1][index, 0]
        if not window.label_fits(room.dtype):
            room = self._other_labels[index] = np.empty(room.shape, np.float32)
        window.place_label(room)

    def fill(self, tops: Sequence[Blob]) -> None:
        self._fill_pictures(tops[0])
        for blob, array in zip(tops[1:], self.arrays[1:], strict=False):
            if array.dtype == np.uint8:
                self._fill_maps(blob, array)
            else:
                _write(blob, array)

    def _fill_pictures(self, blob: Blob) -> None:
        blob.reshape(*self.shapes[0])
        numbers = blob.write()
        sent = self._send(self.arrays[0]) if any(_as_bytes(w) for w in self._windows.values()) else None
        for index, window in self._windows.items():
            if sent is not None and _as_bytes(window):
                pixels = sent[index][: window.pixels.size].reshape(window.pixels.shape)
                window = replace(window, pixels=pixels)
            self._transform(window, numbers[index])

    def _fill_maps(self, blob: Blob, maps: NDArray[np.uint8]) -> None:
        blob.reshape(*maps.shape)
        numbers = blob.write()
        self._transform.widen(self._send(maps), numbers)
        for index, label in self._other_labels.items():
            numbers[index, 0] = label

    def _send(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bytes on the device, there until the next call."""
        sent = self._workspace.bytes(values.size)
        sent[...] = values.reshape(-1)
        return sent.reshape(values.shape)


def _as_bytes(window: Window) -> bool:
    return window.pixels.dtype == np.uint8


def _write(blob: Blob, array: NDArray[Any]) -> None:
    blob.reshape(*array.shape)
    blob.data[...] = array
