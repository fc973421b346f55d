"""ImageSegData: images with label maps, scaled, padded, cropped and mirrored together."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.lists import ImageList, ListEntry
from pydeeplab.errors import DataError
from pydeeplab.layer import register
from pydeeplab.layers._pictures import Items, ListLayer, PictureBatch, Shapes

NONE, IMAGE, PIXEL = 0, 1, 2


@register
class ImageSegData(ListLayer):
    """DeepLab's data layer: image (N, C, h, w), label map (N, 1, h, w) and size (N, 1, 1, 2) per item.

    Labels come from ``image_data_param.label_type``: PIXEL a label map, IMAGE one number for the whole image, NONE
    ``ignore_label`` everywhere. Unlike the original, label maps are resized with nearest neighbours, palette PNGs are
    read as indices, and without a crop a batch of one takes each image's own size. A PIXEL list that has no labels at
    all is read as NONE, with a warning.
    """

    type = "ImageSegData"
    top_count = (3, 3)
    auto_tops = True
    pad_images = True
    has_label_maps = True

    @property
    def options(self) -> Any:
        return self.param.image_data_param

    @property
    def ignore_label(self) -> int:
        return int(self.options.ignore_label)

    def read_list(self) -> ImageList:
        self.fill_label = self.ignore_label
        self.label_type = int(self.options.label_type)
        items = ImageList(self.options.source, self.options.root_folder, label_is_path=self.label_type == PIXEL)
        if self.label_type != NONE and not items.labelled:
            self.fill_label = self.ignore_label if self.label_type == PIXEL else 0
            self.label_type = NONE
            warnings.warn(
                f"layer '{self.name}': '{items.path}' lists no labels, so every label is {self.fill_label}; "
                "write label_type: NONE if that is meant",
                stacklevel=2,
            )
        self.needs_labels = self.label_type == PIXEL
        return items

    def fixed_shapes(self) -> Shapes | None:
        size = self.item_size()
        return self._shapes(*size) if size else None

    def _shapes(self, height: int, width: int) -> Shapes:
        n = self.batch_size
        return [(n, self.channels, height, width), (n, 1, height, width), (n, 1, 1, 2)]

    def _label(self, entry: ListEntry, size: tuple[int, ...]) -> NDArray[Any]:
        if self.label_type == PIXEL:
            return self.read_label_map(entry, size)
        if self.label_type == NONE:
            return np.full(size, self.fill_label, np.int32)
        try:
            return np.full(size, int(entry.label or ""), np.int32)
        except ValueError:
            raise DataError(
                f"expected a whole number after the image (label_type IMAGE), got '{entry.label}'"
            ) from None

    def make(self, plan: Items) -> PictureBatch:
        batch: PictureBatch | None = None
        for index, (entry, draws) in enumerate(plan):
            try:
                image = self.read_pixels(entry)
                label = self._label(entry, image.shape[:2])
                height, width = self.augmenter.output_size(*image.shape[:2])
                if batch is None:
                    batch = self.new_batch(self._shapes(height, width))
                batch.put(index, self.augmenter.window(image, draws, batch.size, label))
                batch.arrays[2][index] = min(height, image.shape[0]), min(width, image.shape[1])
            except DataError as error:
                raise self.at(entry, error) from error.__cause__
        assert batch is not None
        return batch
