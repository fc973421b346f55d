"""UniqueLabel: which labels occur in an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register

__all__ = ["NO_LABEL", "UniqueLabel"]

NO_LABEL = -1
"""What fills label lists that are shorter than their blob."""


@register
class UniqueLabel(Layer):
    """N x 1 x H x W labels to N x max_labels x 1 x 1 lists: distinct values, ascending, -1 in the places left.

    Values of ``ignore_label`` are left out, those of ``force_label`` are always in.

    Raises
    ------
    DataError
        An image has more than ``max_labels`` of them.

    Source: DeepLab UniqueLabel.
    """

    type = "UniqueLabel"
    unpropagated_bottoms = (0,)
    label_bottoms = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.unique_label_param
        self.forced = np.unique(np.array(param.force_label, np.float32))
        self.ignored = np.array(param.ignore_label, np.float32)
        if param.max_labels < 1 or param.max_labels < len(self.forced):
            raise self.error(
                f"unique_label_param.max_labels must be at least 1 and have room for {len(self.forced)} forced labels, "
                f"got {param.max_labels}"
            )
        self.max_labels = int(param.max_labels)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) != 4 or bottom[0].shape[1] != 1:
            raise self.shape_error(f"needs labels of shape N x 1 x H x W, got {bottom[0].shape}")
        top[0].reshape(bottom[0].shape[0], self.max_labels, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        lists = top[0].data.reshape(-1, self.max_labels)
        lists[...] = NO_LABEL
        for n, (labels, row) in enumerate(zip(bottom[0].data, lists, strict=True)):
            found = np.unique(labels)
            found = np.union1d(found[~np.isin(found, self.ignored)], self.forced)
            if len(found) > self.max_labels:
                raise self.error(
                    f"item {n} has {len(found)} distinct labels, but max_labels is {self.max_labels}. Increase it, or "
                    "add to ignore_label.",
                    DataError,
                )
            row[: len(found)] = found
