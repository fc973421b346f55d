"""DenseImageData: SegNet's and ENet's images with label maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydeeplab.data.lists import ImageList
from pydeeplab.data.resize import resize
from pydeeplab.data.transform import Augmenter
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError
from pydeeplab.layer import register
from pydeeplab.layers._pictures import Items, ListLayer, PictureBatch, Shapes


@register
class DenseImageData(ListLayer):
    """Images (N, C, h, w) and label maps (N, 1, h, w) from a list of ``image label`` lines.

    Mirroring and crops (``dense_image_data_param`` or ``transform_param``) move image and label together; crops are
    random in both phases, as in ENet. ``label_divide_factor`` makes label maps smaller by nearest neighbours.
    """

    type = "DenseImageData"
    top_count = (2, 2)
    has_label_maps = True

    @property
    def options(self) -> Any:
        return self.param.dense_image_data_param

    @property
    def _divisor(self) -> int:
        return max(1, int(self.options.label_divide_factor))

    def make_augmenter(self) -> Augmenter:
        options, transform = self.options, self.param.transform_param
        if bool(options.crop_height) != bool(options.crop_width):
            raise self.error("crop_height and crop_width go together; one of them is missing")
        if options.crop_height and transform.crop_size:
            raise self.error("give the crop either in dense_image_data_param or in transform_param, not in both")
        augmenter = Augmenter(
            transform,
            train=True,
            channels=self.channels,
            random=Twister(0),
            crop=(int(options.crop_height), int(options.crop_width)) if options.crop_height else None,
            mirror=bool(options.mirror or transform.mirror),
            backend=self.pixel_backend,
        )
        if self._divisor > 1 and (augmenter.crop or augmenter.scale_factors):
            raise self.error(
                "label_divide_factor and a crop or scale_factors exclude each other: use new_height, new_width"
            )
        return augmenter

    @property
    def transforms_randomly(self) -> bool:
        return bool(self.augmenter.mirror or self.augmenter.scale_factors or self.augmenter.crop)

    def read_list(self) -> ImageList:
        return ImageList(self.options.source, self.options.root_folder)

    def fixed_shapes(self) -> Shapes | None:
        size = self.item_size()
        return self._shapes(*size) if size else None

    def _shapes(self, height: int, width: int) -> Shapes:
        n, divisor = self.batch_size, self._divisor
        return [(n, self.channels, height, width), (n, 1, height // divisor, width // divisor)]

    def make(self, plan: Items) -> PictureBatch:
        batch: PictureBatch | None = None
        for index, (entry, draws) in enumerate(plan):
            try:
                image = self.read_pixels(entry)
                label = self.read_label_map(entry, image.shape[:2])
                if batch is None:
                    size = self.augmenter.output_size(*image.shape[:2])
                    batch = self.new_batch(self._shapes(*size))
                window = self.augmenter.window(image, draws, batch.size, label)
                if self._divisor > 1:
                    height, width = batch.shapes[1][2:]
                    window = replace(window, label=resize(label, height, width, "nearest"))
                batch.put(index, window)
            except DataError as error:
                raise self.at(entry, error) from error.__cause__
        assert batch is not None
        return batch
