"""What all layers that read batches of data have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.lists import ImageList, ListEntry, MissingFileError
from pydeeplab.data.order import Order
from pydeeplab.data.prefetch import Prefetcher
from pydeeplab.data.resize import resize
from pydeeplab.data.transform import Augmenter, Draws
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError, PydeeplabError, UnsupportedError
from pydeeplab.layer import TRAIN, Layer, LayerContext
from pydeeplab.randomness import data_seeds

__all__ = ["Batch", "BatchLayer", "Items", "ListLayer", "Shapes"]

Batch = list[NDArray[Any]]
"""One array per top."""

_ADVICE = "Correct source or root_folder, or what --define gives for them (such as --define DATA_ROOT=FOLDER)."
_SPARE_BATCHES = 2

Shapes = Sequence[tuple[int, ...]]
Items = list[tuple[ListEntry, Draws]]


class BatchLayer(Layer):
    """A layer without bottoms whose tops are the next batch of some data set.

    A subclass opens its source in `open_source`, decides what the next batch is in `plan` (in order; everything random
    happens there) and makes its arrays in `make`, which runs in background threads, several batches at a time. What
    `plan` changes is its ``position``, which can be read and put back.
    """

    bottom_count = (0, 0)
    reshapes_always = True
    augmenter: Augmenter | None = None

    def __init__(self, param: Any, context: LayerContext):
        super().__init__(param, context)
        self._ahead: Prefetcher[Any, Batch] = Prefetcher(self.plan, self.make, lambda: self.position)
        self._pending: tuple[Any, Batch] | None = None
        self._spare: deque[Batch] = deque(maxlen=_SPARE_BATCHES)

    def open_source(self) -> None:
        """Read what says which data there is; called once."""
        raise NotImplementedError

    def plan(self) -> Any:
        """What the next batch consists of; moves the position on."""
        raise NotImplementedError

    def make(self, plan: Any) -> Batch:
        """The arrays of a plan; called in any thread, so it changes nothing of the layer."""
        raise NotImplementedError

    @property
    def position(self) -> dict[str, Any]:
        """Where `plan` stands: numbers, strings and arrays, in nested dicts."""
        raise NotImplementedError

    @position.setter
    def position(self, saved: dict[str, Any]) -> None:
        raise NotImplementedError

    @property
    def state(self) -> dict[str, Any]:
        """Where the layer stands, to be put back later: ``layer.state = saved``.

        It is the position of the next batch that a forward uses, however many more were made ahead: numbers, strings,
        None and arrays (not to be changed), in nested dicts. A layer built from the same prototxt goes on from there
        exactly. Setting a state that does not fit leaves the layer where it was.
        """
        state: dict[str, Any] = self._pending[0] if self._pending else self._ahead.state
        return state

    @state.setter
    def state(self, saved: dict[str, Any]) -> None:
        position = self.position
        try:
            self.position = saved
        except Exception:
            self.position = position
            raise
        self._ahead.clear()
        self._pending = None

    def fixed_shapes(self) -> Shapes | None:
        """The tops' shapes where the parameters alone tell them, else None (they are those of the next batch)."""
        return None

    def new_batch(self, shapes: Shapes) -> Batch:
        """Arrays of these shapes with undefined contents; memory of batches that were used before where it fits."""
        try:
            used = self._spare.popleft()
        except IndexError:
            used = []
        if [array.shape for array in used] == list(shapes):
            return used
        return [np.empty(shape, np.float32) for shape in shapes]

    def seed(self) -> Twister:
        """A new generator, seeded as Caffe does: by the next number of the global one."""
        return Twister(data_seeds().next())

    def check_batch_size(self, size: int) -> int:
        """``size`` if it is one."""
        if size < 1:
            raise self.error(f"batch_size must be at least 1, got {size}")
        return size

    @property
    def transforms_randomly(self) -> bool:
        """Whether items are mirrored, scaled or cropped by chance."""
        transform = self.param.transform_param
        crops = self.phase == TRAIN and bool(transform.crop_size or transform.crop_height)
        return bool(transform.mirror or transform.scale_factors) or crops

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        # Caffe takes numbers from its global generator for: the transformation, what the source needs, the
        # transformation once more (this one counts), and the thread that reads ahead.
        seeds = data_seeds()
        if self.transforms_randomly:
            seeds.next()
        self._open()
        if self.transforms_randomly and self.augmenter is not None:
            self.augmenter.random = self.seed()
        seeds.next()

    def _open(self) -> None:
        try:
            self.open_source()
        except UnsupportedError as error:
            raise self.error(str(error), UnsupportedError) from None
        except MissingFileError as error:
            raise self.error(f"{error}. {_ADVICE}", MissingFileError) from None
        except DataError as error:
            raise self.error(str(error), DataError) from error.__cause__

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = self.fixed_shapes()
        if shapes is None:
            if self._pending is None:
                state = self.state
                self._pending = state, self._fetch()
            shapes = [array.shape for array in self._pending[1]]
        for blob, shape in zip(top, shapes, strict=False):
            blob.reshape(*shape)

    def _fetch(self) -> Batch:
        try:
            return self._ahead.next()
        except DataError as error:
            raise self.error(str(error), DataError) from error.__cause__

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        batch = self._pending[1] if self._pending is not None else self._fetch()
        self._pending = None
        for blob, array in zip(top, batch, strict=False):
            blob.reshape(*array.shape)
            blob.data[...] = array
        self._spare.append(batch)


class ListLayer(BatchLayer):
    """A batch layer over the images of a list file; a subclass names its parameter message in `options`."""

    pad_images = False
    augmenter: Augmenter

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
