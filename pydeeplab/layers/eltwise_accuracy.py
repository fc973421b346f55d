"""EltwiseAccuracy: the share of pixels whose label is among the best predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._loss import check_label_count, class_labels


@register
class EltwiseAccuracy(Layer):
    """Share of the pixels (N x C x H x W scores, N x 1 x H x W labels) whose label is among the ``top_k`` best scores.

    Of equal scores that of the higher class counts as better. Pixels labelled ``ignore_label`` do not count; nothing
    to count gives 0.

    Source: DeconvNet's Caffe. Deviation: other labels that are no class are an error there only by chance.
    """

    type = "EltwiseAccuracy"
    bottom_count = (2, 2)
    unpropagated_bottoms = (0, 1)
    label_bottoms = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.eltwise_accuracy_param
        self.ignored = [int(param.ignore_label)] if param.HasField("ignore_label") else []
        self.top_k = int(param.top_k)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.shape_error(f"scores need 4 axes, N x C x H x W, got shape {shape}")
        if not 1 <= self.top_k <= shape[1]:
            raise self.error(f"eltwise_accuracy_param.top_k must be in 1..{shape[1]} (the classes), got {self.top_k}")
        check_label_count(self, bottom[0], bottom[1], shape[0], shape[2] * shape[3])
        top[0].reshape(1, 1, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        items, classes, *spatial = bottom[0].shape
        pixels = spatial[0] * spatial[1]
        scores = bottom[0].data.reshape(items, classes, pixels)
        labels, used = class_labels(self, bottom[1], items, pixels, classes, self.ignored, spatial)
        index = np.where(used, labels, 0)[:, None]
        own = np.take_along_axis(scores, index, axis=1)
        higher = np.arange(classes)[:, None] > index
        rivals = np.count_nonzero((scores > own) | ((scores == own) & higher), axis=1)
        hits = used & (rivals < self.top_k)
        top[0].data[...] = int(hits.sum()) / max(int(used.sum()), 1)
