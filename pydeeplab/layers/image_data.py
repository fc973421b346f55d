"""ImageData: images with a class number each, for classification."""

from __future__ import annotations

from typing import Any

from pydeeplab.data.lists import ImageList
from pydeeplab.errors import DataError
from pydeeplab.layer import register
from pydeeplab.layers._pictures import Items, ListLayer, PictureBatch, Shapes


@register
class ImageData(ListLayer):
    """Images (N, C, h, w) and labels (N) from a list of ``path number`` lines; paths may hold spaces."""

    type = "ImageData"
    top_count = (1, 2)
    needs_labels = False

    @property
    def options(self) -> Any:
        return self.param.image_data_param

    def read_list(self) -> ImageList:
        return ImageList(self.options.source, self.options.root_folder, label_is_path=False, split_last=True)

    def fixed_shapes(self) -> Shapes | None:
        size = self.item_size()
        return self._shapes(*size) if size else None

    def _shapes(self, height: int, width: int) -> Shapes:
        return [(self.batch_size, self.channels, height, width), (self.batch_size,)]

    def make(self, plan: Items) -> PictureBatch:
        batch: PictureBatch | None = None
        for index, (entry, draws) in enumerate(plan):
            try:
                image = self.read_pixels(entry)
                if batch is None:
                    batch = self.new_batch(self._shapes(*self.augmenter.output_size(*image.shape[:2])))
                batch.put(index, self.augmenter.window(image, draws, batch.size))
                batch.arrays[1][index] = int(entry.label or "")
            except ValueError as error:
                if isinstance(error, DataError):
                    raise self.at(entry, error) from error.__cause__
                wrong = DataError(f"expected a whole number after the image, got '{entry.label or ''}'")
                raise self.at(entry, wrong) from None
        assert batch is not None
        return batch
