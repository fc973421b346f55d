"""Label maps of DeepLab v1's weakly supervised nets: CensorLabel, IgnoreOverlay, Histogram, OneHot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register
from pydeeplab.layers._loss import class_labels
from pydeeplab.layers.unique_label import NO_LABEL


def _must_be_map(layer: Layer, shape: tuple[int, ...]) -> None:
    if len(shape) != 4 or shape[1] != 1:
        raise layer.shape_error(f"needs labels of shape N x 1 x H x W, got {shape}")


@register
class CensorLabel(Layer):
    """Keeps those labels of a map that the item's list (N x L x 1 x 1, -1: none) holds; others become ``ignore_label``.

    Source: DeepLab v1 CENSOR_LABEL.
    """

    type = "CensorLabel"
    bottom_count = (2, 2)
    unpropagated_bottoms = (0, 1)
    label_bottoms = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.param.censor_label_param.HasField("ignore_label"):
            raise self.error("censor_label_param.ignore_label must be given")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        _must_be_map(self, bottom[0].shape)
        lists = bottom[1].shape
        if len(lists) < 2 or lists[0] != bottom[0].shape[0] or lists[2:] not in ((), (1, 1)):
            raise self.shape_error(f"needs a list N x L x 1 x 1 for {bottom[0].shape[0]} items, got shape {lists}")
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        censored = self.param.censor_label_param.ignore_label
        for labels, listed, kept in zip(bottom[0].data, bottom[1].data, top[0].data, strict=True):
            kept[...] = np.where(np.isin(labels, listed[listed != NO_LABEL]), labels, censored)


@register
class IgnoreOverlay(Layer):
    """The second bottom, but ``ignore_label`` wherever the first one, truncated, is that.

    Source: DeepLab v1 IGNORE_OVERLAY.
    """

    type = "IgnoreOverlay"
    bottom_count = (2, 2)
    unpropagated_bottoms = (0, 1)
    label_bottoms = (0, 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].shape != bottom[1].shape:
            raise self.shape_error(f"the bottoms must have one shape, got {bottom[0].shape} and {bottom[1].shape}")
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        ignored = self.param.ignore_overlay_param.ignore_label
        top[0].data[...] = np.where(np.trunc(bottom[0].data) == ignored, ignored, bottom[1].data)


@register
class Histogram(Layer):
    """How often each of ``num_labels`` labels occurs in the batch: N x num_labels x 1 x 1.

    As in DeepLab v1 the counts of the whole batch are in item 0, and the other items are 0.

    Raises
    ------
    DataError
        A label is no whole number, or neither in ``ignore_label`` nor in 0..num_labels-1.

    Source: DeepLab v1 HISTOGRAM.
    """

    type = "Histogram"
    unpropagated_bottoms = (0,)
    label_bottoms = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.histogram_param
        if param.num_labels < 1:
            raise self.error(f"histogram_param.num_labels must be at least 1, got {param.num_labels}")
        self.num_labels = int(param.num_labels)
        self.ignored = set(param.ignore_label)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        _must_be_map(self, bottom[0].shape)
        top[0].reshape(bottom[0].shape[0], self.num_labels, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        items, _, height, width = bottom[0].shape
        labels, used = class_labels(
            self, bottom[0], items, height * width, self.num_labels, self.ignored, (height, width)
        )
        fractional = bottom[0].data.reshape(labels.shape) != labels
        if fractional.any():
            value = bottom[0].data.reshape(labels.shape)[fractional][0]
            raise self.error(f"label {value:g} is no whole number; resize labels by nearest neighbour", DataError)
        top[0].data[...] = 0
        if items:
            top[0].data[0, :, 0, 0] = np.bincount(labels[used], minlength=self.num_labels)


@register
class OneHot(Layer):
    """Marks, in num_labels channels of 0, each label of the C channels below with a 1; -1 marks none.

    Source: DeepLab v1 ONEHOT.
    """

    type = "OneHot"
    unpropagated_bottoms = (0,)
    label_bottoms = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.num_labels = int(self.param.onehot_param.num_labels)
        if self.num_labels < 1:
            raise self.error(f"onehot_param.num_labels must be at least 1, got {self.num_labels}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) != 4:
            raise self.shape_error(f"needs labels of shape N x C x H x W, got {bottom[0].shape}")
        items, _, height, width = bottom[0].shape
        top[0].reshape(items, self.num_labels, height, width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        items, channels, height, width = bottom[0].shape
        labels, used = class_labels(
            self, bottom[0], items, channels * height * width, self.num_labels, (NO_LABEL,), (height, width)
        )
        top[0].data[...] = 0
        n, c, y, x = np.nonzero(used.reshape(bottom[0].shape))
        top[0].data[n, labels.reshape(bottom[0].shape)[n, c, y, x], y, x] = 1
