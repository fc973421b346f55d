"""BiasChannel and AdaptiveBiasChannel: the E-step of weakly supervised training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register
from pydeeplab.layers._loss import class_labels
from pydeeplab.layers.unique_label import NO_LABEL


def _check_label_list(layer: Layer, bottom: Sequence[Blob]) -> None:
    """Check the shapes of scores and of their items' label lists."""
    scores, labels = bottom[0].shape, bottom[1].shape
    if len(scores) != 4 or len(labels) < 2 or labels[0] != scores[0] or labels[1] < 1 or labels[2:] not in ((), (1, 1)):
        raise layer.shape_error(
            f"needs scores N x C x H x W and label lists N x L x 1 x 1, got shapes {scores} and {labels}"
        )


@register
class BiasChannel(Layer):
    """Adds biases to the scores of those classes that are known to be present.

    With label_type IMAGE the labels are lists, N x L x 1 x 1 (-1: none): a listed class's score grows by ``fg_bias``,
    or by ``bg_bias`` for class 0. With PIXEL they are maps, N x 1 x H x W: there the label's score grows by ``fg_bias``
    and, where ``background_label`` or ``bg_bias`` is given, the background's by ``bg_bias``, also at its own pixels.

    Raises
    ------
    DataError
        A label is neither ignored nor in 0..C-1.

    Source: DeepLab BiasChannel; Papandreou et al. 2015, "EM-Fixed".
    """

    type = "BiasChannel"
    bottom_count = (2, 2)
    unpropagated_bottoms = (1,)
    label_bottoms = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.bias_channel_param
        for name in ("bg_bias", "fg_bias"):
            if getattr(param, name) < 0:
                raise self.error(f"bias_channel_param.{name} must not be negative, got {getattr(param, name):g}")
        self.ignored = {NO_LABEL, *param.ignore_label}
        self.per_pixel = param.label_type == param.PIXEL
        has_background = param.HasField("background_label") or param.HasField("bg_bias")
        self.background = int(param.background_label) if has_background else None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        scores, labels = bottom[0].shape, bottom[1].shape
        if not self.per_pixel:
            _check_label_list(self, bottom)
        elif len(scores) != 4 or labels != (scores[0], 1, *scores[2:]):
            raise self.shape_error(f"label_type PIXEL needs labels N x 1 x H x W for scores {scores}, got {labels}")
        if self.per_pixel and self.background is not None and not 0 <= self.background < scores[1]:
            raise self.error(
                f"bias_channel_param.background_label must be in 0..{scores[1] - 1}, got {self.background}"
            )
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        y[...] = bottom[0].data
        items, classes, height, width = y.shape
        inner = height * width if self.per_pixel else bottom[1].shape[1]
        spatial = (height, width) if self.per_pixel else (inner,)
        labels, used = class_labels(self, bottom[1], items, inner, classes, self.ignored, spatial)
        param = self.param.bias_channel_param
        if self.per_pixel:
            self._add_per_pixel(y.reshape(items, classes, inner), np.where(used, labels, 0), used)
            return
        for scores, listed in zip(y, np.where(used, labels, NO_LABEL), strict=True):
            for label in listed[listed != NO_LABEL]:
                scores[label] += param.fg_bias if label else param.bg_bias

    def _add_per_pixel(self, y: NDArray[Any], labels: NDArray[np.int64], used: NDArray[np.bool_]) -> None:
        param = self.param.bias_channel_param
        foreground = used if self.background is None else used & (labels != self.background)
        if self.background is not None:
            y[:, self.background] += np.where(used, param.bg_bias, 0).astype(y.dtype)
        index = labels[:, None]
        bias = np.where(foreground, param.fg_bias, 0).astype(y.dtype)[:, None]
        np.put_along_axis(y, index, np.take_along_axis(y, index, axis=1) + bias, axis=1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff


@register
class AdaptiveBiasChannel(Layer):
    """Raises the scores of the classes present until each wins a given portion of the image.

    Labels are lists, N x L x 1 x 1 (-1: none). ``suppress_others`` puts the scores of absent classes below all present
    ones. Then, ``num_iter`` times and in random order (background first), each present class is raised so that it
    reaches the maximum in ``fg_portion`` (class 0: ``bg_portion``) of the pixels. At last the mean of the maximum is
    restored. An image without labels is left as it is. There is no gradient: the result only yields labels.

    Source: DeepLab AdaptiveBiasChannel; Papandreou et al. 2015, "EM-Adapt".
    """

    type = "AdaptiveBiasChannel"
    bottom_count = (2, 2)
    unpropagated_bottoms = (0, 1)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.adaptive_bias_channel_param
        if param.num_iter < 1:
            raise self.error(f"adaptive_bias_channel_param.num_iter must be at least 1, got {param.num_iter}")
        if param.margin_others < 0:
            raise self.error(
                f"adaptive_bias_channel_param.margin_others must not be negative, got {param.margin_others:g}"
            )
        for name in ("bg_portion", "fg_portion"):
            if not 0 <= getattr(param, name) <= 1:
                raise self.error(f"adaptive_bias_channel_param.{name} must be in [0, 1], got {getattr(param, name):g}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        _check_label_list(self, bottom)
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data
        items, classes = bottom[0].shape[:2]
        labels, used = class_labels(
            self, bottom[1], items, bottom[1].shape[1], classes, (NO_LABEL,), (bottom[1].shape[1],)
        )
        for scores, listed, mask in zip(top[0].data, labels, used, strict=True):
            present = np.unique(listed[mask])
            if present.size and scores[0].size:
                self._adapt(scores.reshape(classes, -1), present)

    def _adapt(self, scores: NDArray[Any], present: NDArray[np.int64]) -> None:
        """Change one image's C x pixels scores in place."""
        param = self.param.adaptive_bias_channel_param
        if param.suppress_others:
            least = scores[present].min(axis=0)
            absent = np.setdiff1d(np.arange(len(scores)), present)
            others = scores[absent]
            scores[absent] = np.where(others > least, least - scores.dtype.type(param.margin_others), others)
        best = scores[present].max(axis=0)
        mean = best.mean(dtype=np.float64)
        background, rest = present[present == 0], present[present != 0]
        for _ in range(param.num_iter):
            for label in (*background, *self.context.random.permutation(rest)):
                portion = param.fg_portion if label else param.bg_portion
                rank = min(int(np.float32(portion) * np.float32(best.size)), best.size - 1)
                scores[label] += np.partition(best - scores[label], rank)[rank]
                np.maximum(best, scores[label], out=best)
        scores += scores.dtype.type(mean - best.mean(dtype=np.float64))
