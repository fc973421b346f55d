"""What all layers that read batches of data have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from pydeeplab.blob import Blob
from pydeeplab.data.lists import MissingFileError
from pydeeplab.data.prefetch import Prefetcher
from pydeeplab.data.transform import Augmenter
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError, UnsupportedError
from pydeeplab.layer import TRAIN, Layer, LayerContext
from pydeeplab.layers._batch_memory import Batch, Shapes
from pydeeplab.randomness import data_seeds

__all__ = ["Batch", "BatchLayer", "Shapes"]

_ADVICE = "Correct source or root_folder, or what --define gives for them (such as --define DATA_ROOT=FOLDER)."
_SPARE_BATCHES = 2


class BatchLayer(Layer):
    """A layer without bottoms whose tops are the next batch of some data set.

    A subclass opens its source in `open_source`, decides what the next batch is in `plan` (in order; everything random
    happens there) and makes it in `make`, which runs in background threads, several batches at a time. What `plan`
    changes is its ``position``, which can be read and put back.
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
        """The batch of a plan; called in any thread, so it changes nothing of the layer."""
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
        """A batch of these shapes with undefined contents; one that was used before where it fits."""
        try:
            used = self._spare.popleft()
        except IndexError:
            return self.empty_batch(shapes)
        return used if used.shapes == list(shapes) else self.empty_batch(shapes)

    def empty_batch(self, shapes: Shapes) -> Batch:
        """New memory for a batch of these shapes."""
        return Batch.empty(shapes)

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
            shapes = self._pending[1].shapes
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
        batch.fill(top)
        self._spare.append(batch)
