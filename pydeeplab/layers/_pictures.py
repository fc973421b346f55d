"""What layers have in common whose batches are pictures: how pixels become numbers, and lists of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend import Backend, get_backend
from pydeeplab.blob import Blob
from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.lists import ImageList, ListEntry, MissingFileError
from pydeeplab.data.order import Order
from pydeeplab.data.resize import resize
from pydeeplab.data.transform import Augmenter, Draws
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError, PydeeplabError
from pydeeplab.layer import TRAIN
from pydeeplab.layers._batch_memory import PictureBatch, SentBatch, Shapes
from pydeeplab.layers._batches import BatchLayer
from pydeeplab.randomness import data_seeds

__all__ = ["Items", "ListLayer", "PictureBatch", "PictureLayer", "Shapes"]

Items = list[tuple[ListEntry, Draws]]


class PictureLayer(BatchLayer):
    """A batch layer whose first top are pictures, as its ``augmenter`` shows them."""

    augmenter: Augmenter
    has_label_maps = False
    """Whether the second top are label maps."""

    @property
    def pixel_backend(self) -> Backend:
        """Whose kernels make numbers of pixels: the device's, else the CPU's in the threads that read ahead."""
        backend = self.context.backend
        return backend if backend.on_device else get_backend("cpu")

    def empty_batch(self, shapes: Shapes) -> PictureBatch:
        """New memory for a batch of these shapes."""
        transform = self.augmenter.transform
        if not transform.backend.on_device:
            return PictureBatch(shapes, transform)
        return SentBatch(shapes, transform, maps=self.has_label_maps, workspace=self.context.workspace)

    def new_batch(self, shapes: Shapes) -> PictureBatch:
        """A batch of these shapes with undefined contents; one that was used before where it fits."""
        batch = super().new_batch(shapes)
        assert isinstance(batch, PictureBatch)
        return batch


class ListLayer(PictureLayer):
    """A picture layer over the images of a list file; a subclass names its parameter message in `options`."""

    pad_images = False

    @property
    def options(self) -> Any:
        """The message that holds source, batch_size, shuffle, rand_skip, new_height, new_width and is_color."""
        raise NotImplementedError

    def make_augmenter(self) -> Augmenter:
        """The transformation of this layer's items."""
        return Augmenter(
            self.param.transform_param,
            train=self.phase == TRAIN,
            channels=self.channels,
            random=Twister(0),
            pad=self.pad_images,
            ignore_label=self.ignore_label,
            backend=self.pixel_backend,
        )

    def read_list(self) -> ImageList:
        """The list of items."""
        raise NotImplementedError

    needs_labels = True

    @property
    def ignore_label(self) -> int:
        """What padded pixels of label maps get."""
        return 255

    @property
    def channels(self) -> int:
        """3, or 1 for grey."""
        return 3 if self.options.is_color else 1

    @property
    def new_size(self) -> tuple[int, int] | None:
        """(height, width) that images are resized to, or None."""
        height, width = int(self.options.new_height), int(self.options.new_width)
        return (height, width) if height else None

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        options = self.options
        if bool(options.new_height) != bool(options.new_width):
            raise self.error("new_height and new_width go together; one of them is missing")
        if not options.source:
            raise self.error("has no source: name the list file")
        self.batch_size = self.check_batch_size(int(options.batch_size))
        try:
            self.augmenter = self.make_augmenter()
        except PydeeplabError as error:
            raise self.error(str(error), type(error)) from None
        super().setup(bottom, top)

    def open_source(self) -> None:
        self.list = self.read_list()
        absent = self.list.missing(labels=self.needs_labels)
        if absent:
            entry, path = absent[0]
            count = f" ({len(absent)} files of the list are missing)" if len(absent) > 1 else ""
            advice = self.list.slash_advice(path)
            joined = f". {advice.removesuffix('.')}" if advice else ""
            raise MissingFileError(f"{self.list.where(entry)}: '{path}' does not exist{count}{joined}")
        skip_range = int(self.options.rand_skip)
        shuffle = self.seed() if self.options.shuffle else None
        self.order = Order(len(self.list), shuffle, data_seeds().below(skip_range) if skip_range else 0)

    def plan(self) -> Items:
        """The next batch's items with their random numbers."""
        return [(self.list[self.order.next()], self.augmenter.draw()) for _ in range(self.batch_size)]

    @property
    def position(self) -> dict[str, Any]:
        return {"order": self.order.state, "draws": self.augmenter.random.state}

    @position.setter
    def position(self, saved: dict[str, Any]) -> None:
        self.order.state = saved["order"]
        self.augmenter.random.state = saved["draws"]

    def item_size(self) -> tuple[int, int] | None:
        """(height, width) of all items, or None where it is each image's own."""
        return self.augmenter.crop or self.new_size

    def read_pixels(self, entry: ListEntry) -> NDArray[np.uint8]:
        """The image of an entry, resized if that is asked for."""
        image = read_image(entry.image, gray=self.channels == 1)
        return resize(image, *self.new_size) if self.new_size else image

    def read_label_map(self, entry: ListEntry, size: tuple[int, ...]) -> NDArray[Any]:
        """The label map of an entry, resized to (height, width) if that is asked for, with nearest neighbours."""
        if entry.label is None:
            raise DataError("the line names no label; expected 'image label'")
        label = read_label(entry.label)
        return resize(label, *self.new_size, "nearest") if self.new_size else label

    def at(self, entry: ListEntry, error: DataError) -> DataError:
        """The error, with the list's line before it."""
        return DataError(f"{self.list.where(entry)}: {error}")
