"""What losses and accuracies share: labels that are checked, and the ways to normalise a sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer
from pydeeplab.proto import caffe_pb2

__all__ = ["LOG_THRESHOLD", "LossLayer", "bad_label", "check_label_count", "class_labels", "normalization_of"]

LOG_THRESHOLD = 1e-20
"""The least probability of which InfogainLoss and MultinomialLogisticLoss take the logarithm."""

FULL, VALID, BATCH_SIZE, NONE = range(4)


def normalization_of(loss_param: Any, default: int = caffe_pb2.LossParameter.VALID) -> int:
    """The normalisation that a LossParameter asks for: the new field, else the old one, else ``default``."""
    if loss_param.HasField("normalization"):
        return int(loss_param.normalization)
    if loss_param.HasField("normalize"):
        return VALID if loss_param.normalize else BATCH_SIZE
    return default


def bad_label(
    layer: Layer, value: float, index: int, spatial: Sequence[int], classes: int, ignored: Iterable[int]
) -> Exception:
    """The error for a label that is no class.

    Parameters
    ----------
    value
        The label.
    index
        Its place among all labels, flat, item by item.
    spatial
        Size of one item's label map: (height, width), or anything else for labels that are no map.
    classes, ignored
        What would have been right: 0..classes-1, or an ignored label.
    """
    item, position = divmod(index, max(int(np.prod(spatial)), 1))
    where = f"item {item}"
    if len(spatial) == 2:
        where += f", pixel y={position // spatial[1]}, x={position % spatial[1]}"
    elif int(np.prod(spatial)) > 1:
        where += f", position {position}"
    names = ", ".join(map(str, sorted(ignored)))
    return layer.error(
        f"unexpected label {value:g} at {where}: labels must be classes 0..{classes - 1}"
        f"{f' or ignored ({names})' if names else ' (none is ignored)'}. Set ignore_label if this value marks void "
        "pixels; look at num_output if it is a class; values that are in no label file come from blending labels in a "
        "resize (crop sizes must be k * shrink_factor + 1) or from colour or palette images read as grey.",
        DataError,
    )


def check_label_count(layer: Layer, scores: Blob, labels: Blob, outer: int, inner: int) -> None:
    """Check that there is a label for each prediction."""
    if labels.count != outer * inner:
        raise layer.shape_error(
            f"scores of shape {scores.shape} need {outer} x {inner} = {outer * inner} labels, got {labels.count} "
            f"(shape {labels.shape}). The axis of the classes takes no part in the labels' shape."
        )


def class_labels(
    layer: Layer, labels: Blob, outer: int, inner: int, classes: int, ignored: Iterable[int], spatial: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Labels as integers of shape (outer, inner), and which of them are not ignored.

    Raises
    ------
    DataError
        A label is neither ignored nor a class.
    """
    values = labels.data.reshape(outer, inner)
    in_range = (values > -(2.0**31)) & (values < 2.0**31)
    found = np.where(in_range, values, -(2.0**31)).astype(np.int64)
    used = ~np.isin(found, np.array(list(ignored), np.int64))
    bad = used & ((found < 0) | (found >= classes))
    if bad.any():
        index = int(np.argmax(bad))
        raise bad_label(layer, float(values.reshape(-1)[index]), index, spatial, classes, ignored)
    return found, used


class LossLayer(Layer):
    """Base of losses of predictions and labels: one scalar top, made up if the prototxt names none."""

    bottom_count = (2, 2)
    top_count = (1, 1)
    auto_tops = True
    is_loss = True
    unpropagated_bottoms: ClassVar[tuple[int, ...]] = (1,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not bottom[0].shape or not bottom[1].shape or bottom[0].shape[0] != bottom[1].shape[0]:
            raise self.shape_error(
                f"predictions and labels must have as many items, got shapes {bottom[0].shape} and {bottom[1].shape}"
            )
        top[0].reshape()

    def set_loss(self, top: Sequence[Blob], value: float) -> None:
        """Store the loss."""
        top[0].data[...] = value

    def loss_weight(self, top: Sequence[Blob]) -> float:
        """The gradient that comes from above: the loss weight."""
        return float(top[0].diff.reshape(-1)[0])

    def must_match(self, bottom: Sequence[Blob]) -> None:
        """Check that the two bottoms have as many elements."""
        if bottom[0].count != bottom[1].count:
            raise self.shape_error(
                f"the bottoms must have the same number of elements, got shapes {bottom[0].shape} and {bottom[1].shape}"
            )

    @staticmethod
    def divisor(normalization: int, items: int, positions: int, valid: float) -> float:
        """What the summed loss is divided by, at least 1."""
        return max(1.0, float({FULL: items * positions, VALID: valid, BATCH_SIZE: items, NONE: 1}[normalization]))
