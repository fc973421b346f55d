"""WindowData: rectangles of images, foreground and background in a given proportion (R-CNN)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.images import read_image
from pydeeplab.data.lists import MissingFileError
from pydeeplab.data.resize import resize
from pydeeplab.errors import DataError
from pydeeplab.formats import read_mean
from pydeeplab.layer import register
from pydeeplab.layers._batches import Batch, BatchLayer, Shapes


@dataclass(frozen=True)
class Window:
    """A labelled rectangle of an image; the corners are inclusive pixels."""

    image: str
    label: int
    overlap: float
    box: tuple[int, int, int, int]
    """x1, y1, x2, y2"""


def read_windows(path: str, root_folder: str = "") -> list[Window]:
    """Read a window file: per image ``# index path channels height width n`` and n lines ``label overlap x1 y1 x2 y2``.

    Raises
    ------
    DataError
        The file cannot be read, or a word is not what belongs in its place (the message counts words).
    """
    try:
        words = Path(path).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        raise MissingFileError(f"window file '{path}' does not exist (looked in {Path.cwd()})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"window file '{path}' cannot be read: {getattr(error, 'strerror', None) or error}") from None
    windows: list[Window] = []
    place = iter(enumerate(words, 1))

    def number(kind: type, what: str) -> float:
        index, word = next(place, (len(words), "the end of the file"))
        try:
            return float(kind(word))
        except ValueError:
            raise DataError(f"window file '{path}', word {index}: expected {what}, got '{word}'") from None

    for index, word in place:
        if word != "#":
            raise DataError(f"window file '{path}', word {index}: expected '#', got '{word}'")
        number(int, "the image's index")
        image = next(place, (0, ""))[1]
        for what in ("channels", "height", "width"):
            number(int, what)
        for _ in range(int(number(int, "the number of windows"))):
            label, overlap = int(number(int, "a label")), number(float, "an overlap")
            box = [int(number(int, f"corner {corner}")) for corner in ("x1", "y1", "x2", "y2")]
            windows.append(Window(root_folder + image, label, overlap, (box[0], box[1], box[2], box[3])))
    if not windows:
        raise DataError(f"window file '{path}' holds no windows")
    return windows


@register
class WindowData(BatchLayer):
    """Windows (N, C, crop, crop), warped to the crop size, and their labels (N); 0 is background."""

    type = "WindowData"
    top_count = (2, 2)

    def open_source(self) -> None:
        param, transform = self.param.window_data_param, self.param.transform_param
        self.batch_size = self.check_batch_size(int(param.batch_size))
        self.crop = int(transform.crop_size or param.crop_size)
        if not self.crop:
            raise self.error("needs transform_param.crop_size: the size that windows are warped to")
        if param.crop_mode not in ("warp", "square"):
            raise self.error(f"crop_mode must be warp or square, got '{param.crop_mode}'")
        if 2 * int(param.context_pad) >= self.crop:
            raise self.error(f"context_pad {param.context_pad} leaves nothing of a crop of {self.crop}")
        self.scale = float(transform.scale if transform.HasField("scale") else param.scale)
        self.mirror = bool(transform.mirror or param.mirror)
        self._mean = self._read_mean(transform.mean_file or param.mean_file)
        self._random = self.seed()
        windows = read_windows(param.source, param.root_folder)
        self.foreground = [w for w in windows if w.overlap >= param.fg_threshold]
        self.background = [w for w in windows if w.overlap < min(param.bg_threshold, param.fg_threshold)]
        self._foreground_count = int(np.float32(self.batch_size) * np.float32(param.fg_fraction))
        if self._foreground_count and not self.foreground:
            raise DataError(
                f"'{param.source}' has no window with an overlap of fg_threshold {param.fg_threshold:g} or more"
            )
        if self._foreground_count < self.batch_size and not self.background:
            raise DataError(f"'{param.source}' has no window with an overlap below bg_threshold {param.bg_threshold:g}")
        if any(w.label < 1 for w in self.foreground):
            raise DataError(f"'{param.source}': foreground windows need labels above 0")

    def _read_mean(self, path: str) -> NDArray[np.float32]:
        """Mean of each pixel of the crop, (3, crop, crop), blue first."""
        if path:
            mean = read_mean(path)
            if mean.ndim == 1:
                return np.broadcast_to(mean.reshape(-1, 1, 1), (3, self.crop, self.crop))
            offset = (mean.shape[2] - self.crop) // 2
            if offset < 0 or mean.shape[0] != 3:
                raise DataError(
                    f"mean file '{path}' has shape {mean.shape}; expected 3 channels, {self.crop} or more wide"
                )
            return mean[:, offset : offset + self.crop, offset : offset + self.crop]
        values = np.asarray(self.param.transform_param.mean_value or [0], np.float32)
        if len(values) not in (1, 3):
            raise self.error(f"got {len(values)} mean_value entries; give one or three")
        return np.broadcast_to(values.reshape(-1, 1, 1), (3, self.crop, self.crop))

    def fixed_shapes(self) -> Shapes | None:
        return [(self.batch_size, 3, self.crop, self.crop), (self.batch_size,)]

    def _draw(self) -> Iterator[tuple[Window, bool]]:
        """The next batch's windows, background first, and whether each is mirrored."""
        foreground = self._foreground_count
        for windows, count in ((self.background, self.batch_size - foreground), (self.foreground, foreground)):
            for _ in range(count):
                yield windows[self._random.below(len(windows))], self.mirror and self._random.below(2) == 1

    def plan(self) -> list[tuple[Window, bool]]:
        """The next batch's windows, and whether each is mirrored."""
        return list(self._draw())

    @property
    def position(self) -> dict[str, Any]:
        return {"random": self._random.state}

    @position.setter
    def position(self, saved: dict[str, Any]) -> None:
        self._random.state = saved["random"]

    def make(self, plan: list[tuple[Window, bool]]) -> Batch:
        data = np.zeros((self.batch_size, 3, self.crop, self.crop), np.float32)
        labels = np.zeros(self.batch_size, np.float32)
        for index, (window, mirror) in enumerate(plan):
            self._place(window, mirror, data[index])
            labels[index] = window.label if window.overlap >= self.param.window_data_param.fg_threshold else 0
        return Batch([data, labels])

    def _place(self, window: Window, mirror: bool, out: NDArray[np.float32]) -> None:
        image = read_image(window.image)
        (top, bottom), (left, right), rows, columns = self._geometry(window, image.shape[:2], mirror)
        piece = resize(image[top:bottom, left:right], rows.stop - rows.start, columns.stop - columns.start)
        if mirror:
            piece = piece[:, ::-1]
        planes = piece[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)
        out[:, rows, columns] = (planes - self._mean[:, rows, columns]) * np.float32(self.scale)

    def _geometry(
        self, window: Window, size: tuple[int, ...], mirror: bool
    ) -> tuple[tuple[int, int], tuple[int, int], slice, slice]:
        """Rows and columns to cut from the image, and the rows and columns of the crop that they are warped to.

        What the window reaches beyond the image is left free on the side where it lies, or with ``mirror`` (left and
        right) on the other one.
        """
        x1, y1, x2, y2 = window.box
        param = self.param.window_data_param
        if param.context_pad or param.crop_mode == "square":
            grow = self.crop / (self.crop - 2 * int(param.context_pad))
            half = np.array([y2 - y1 + 1, x2 - x1 + 1]) / 2
            centre = np.array([y1, x1]) + half
            if param.crop_mode == "square":
                half[:] = half.max()
            low, high = _round(centre - half * grow), _round(centre + half * grow)
        else:
            low, high = np.array([y1, x1]), np.array([y2, x2])
        spans, targets = [], []
        for start, stop, length, turned in zip(low, high, size, (False, mirror), strict=True):
            first, last = max(0, int(start)), min(length - 1, int(stop))
            if first > last:
                raise DataError(f"window {window.box} lies outside the image '{window.image}' ({size[0]} x {size[1]})")
            warp = self.crop / (stop - start + 1)
            begin = int(_round((stop - last if turned else first - start) * warp))
            extent = max(1, min(int(_round((last - first + 1) * warp)), self.crop - begin))
            spans.append((first, last + 1))
            targets.append(slice(begin, begin + extent))
        return spans[0], spans[1], targets[0], targets[1]


def _round(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Nearest whole numbers, halves away from zero, as C's ``round``."""
    return (np.sign(values) * np.floor(np.abs(values) + 0.5)).astype(np.int64)
