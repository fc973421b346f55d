"""DomainTransform: edge-aware smoothing that learns its edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register


class _Transform(Layer):
    """What both forms share; bottoms: features N x C x H x W, edges N x 1 x H x W, sizes N x 1 x 1 x 2."""

    bottom_count = (3, 3)
    unpropagated_bottoms = (2,)
    clamp = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.domain_transform_param
        if param.num_iter < 1:
            raise self.error(f"domain_transform_param.num_iter must be at least 1, got {param.num_iter}")
        for name in ("spatial_sigma", "range_sigma"):
            if getattr(param, name) <= 0:
                raise self.error(f"domain_transform_param.{name} must be positive, got {getattr(param, name):g}")
        if not 0 <= param.min_weight <= 1:
            raise self.error(f"domain_transform_param.min_weight must be in [0, 1], got {param.min_weight:g}")
        self._settings = (param.num_iter, param.spatial_sigma, param.range_sigma, param.min_weight)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        features, edges = bottom[0].shape, bottom[1].shape
        if len(features) != 4 or edges != (features[0], 1, *features[2:]):
            raise self.shape_error(
                f"needs features N x C x H x W and edges N x 1 x H x W of the same size, got {features} and {edges}"
            )
        if bottom[2].count != 2 * features[0]:
            raise self.shape_error(f"needs (height, width) of each item, N x 1 x 1 x 2, got {bottom[2].shape}")
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        items, _, height, width = bottom[0].shape
        sizes = np.trunc(bottom[2].data.reshape(items, 2))
        outside = np.flatnonzero(~((sizes >= 0) & (sizes <= (height, width))).all(axis=1))
        if outside.size:
            n = int(outside[0])
            raise self.error(
                f"item {n} has size {sizes[n, 0]:g} x {sizes[n, 1]:g}, which does not fit into {height} x {width}",
                DataError,
            )
        self.kernels.domain_transform_forward(
            bottom[0].read(),
            bottom[1].read().reshape(items, height, width),
            bottom[2].read().reshape(items, 2),
            top[0].write(),
            *self._settings,
            self.clamp,
        )


@register
class DomainTransform(_Transform):
    """Recursive filter of features, stopped by edges; gradients reach features and edges.

    ``domain_transform_param``: ``num_iter``, ``spatial_sigma`` (pixels), ``range_sigma``, ``min_weight``. Only the part
    of each item that its size names is filtered; the rest is copied.

    Source: DeepLab DomainTransform; Chen et al. 2016, "Semantic image segmentation with task-specific edge detection".
    """

    type = "DomainTransform"

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not any(propagate_down[:2]):
            return
        items, _, height, width = bottom[0].shape
        spare = self.context.workspace.get(max(bottom[0].count, bottom[1].count))
        features = bottom[0].write_diff() if propagate_down[0] else spare[: bottom[0].count].reshape(bottom[0].shape)
        edges = bottom[1].write_diff() if propagate_down[1] else spare[: bottom[1].count]
        self.kernels.domain_transform_backward(
            bottom[0].read(),
            bottom[1].read().reshape(items, height, width),
            bottom[2].read().reshape(items, 2),
            top[0].read_diff(),
            features,
            edges.reshape(items, height, width),
            *self._settings,
        )


@register
class DomainTransformForwardOnly(_Transform):
    """DomainTransform for testing: weights are not clamped, and there is no gradient.

    Source: DeepLab DomainTransformForwardOnly.
    """

    type = "DomainTransformForwardOnly"
    clamp = False
