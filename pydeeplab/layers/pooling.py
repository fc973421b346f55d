"""Pooling: the largest, the mean or a random one of the pixels in a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import UnsupportedError
from pydeeplab.layer import TEST, TRAIN, Geometry, Layer, register
from pydeeplab.layers.pooling_window import PoolingWindow, read_pooling_window

MOST_EXACT = 2**24
"""Positions up to here are exact as float32."""


@register
class Pooling(Layer):
    """MAX, AVE or STOCHASTIC pooling of N x C x H x W.

    Output size: ceil((size + 2 pad - kernel_size) / stride) + 1 (floor with ``round_mode: FLOOR``), less one where the
    last window would start beyond image and padding. With ``dilation`` d a window is d (kernel_size - 1) + 1 wide and
    sees every d-th pixel. ``overhang`` states how far the last window may reach beyond image and padding, in place of
    the stride - 1 of rounding up and the 0 of rounding down: floor((size + 2 pad - width + overhang) / stride) + 1.

    MAX: the first of the largest, and with a second top its position h W + w, for Upsample and Unpooling. AVE: the sum
    over kernel_size pixels, counting padding as 0, over their number. STOCHASTIC: in training a pixel with probability
    proportional to its value, in testing the mean weighted by the values; values must not be negative.

    Source: Caffe Pooling; the dilation is that of Caffe's OpenCL branch, the overhang pydeeplab's own.
    """

    type = "Pooling"
    top_count = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.pooling_param
        self._method = {param.MAX: "max", param.AVE: "ave"}.get(param.pool, "stochastic")
        self._window: PoolingWindow | None = None
        if not param.global_pooling:
            self._window = read_pooling_window(self, param)
            if self._method == "stochastic" and any(self._window.pad):
                raise self.error("pad works with MAX and AVE pooling only")
        elif any(param.HasField(f) for f in ("kernel_size", "kernel_h", "kernel_w")):
            raise self.error("with global_pooling the kernel is the whole image: leave kernel_size out")
        elif param.pad or param.pad_h or param.pad_w or {1} != {param.stride, param.stride_h or 1, param.stride_w or 1}:
            raise self.error("with global_pooling pad must be 0 and stride 1")
        if len(top) > 1 and self._method != "max":
            raise self.error("only MAX pooling has a second top, the positions of the largest; remove it")
        self.repeatable = self._method != "stochastic"  # type: ignore[misc]
        self._index = np.empty(0, np.int32)
        self._index_valid = False
        self._uniform = self.new_blob(0)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.shape_error(f"needs a bottom of 4 axes, N x C x H x W, got shape {shape}")
        image = shape[2], shape[3]
        if min(image) < 1:
            raise self.shape_error(f"cannot pool an image without pixels: the bottom's shape is {shape}")
        self._used = self._window or PoolingWindow(image, (1, 1), (0, 0))
        pooled = self._used.pooled(image)
        if min(pooled) < 1:
            kernel, pad = self._used.extent, self._used.pad
            raise self.shape_error(
                f"the kernel, {kernel[0]} x {kernel[1]}, is larger than the padded bottom: {image[0]} x {image[1]} "
                f"with pad {pad[0]} x {pad[1]}. Use a larger input, a smaller kernel_size, or global_pooling."
            )
        for blob in top:
            blob.reshape(*shape[:2], *pooled)
        if len(top) > 1 and image[0] * image[1] > MOST_EXACT:
            raise self.shape_error(
                f"positions in {image[0]} x {image[1]} pixels are not exact as float32 (at most {MOST_EXACT} pixels)"
            )

    def _indices(self, top: Blob) -> NDArray[Any]:
        """Memory for the position of the pixel that each window chose."""
        if self._index.size < top.count:
            self._index = self.context.backend.empty(top.count, np.dtype(np.int32))
        return self._index[: top.count].reshape(top.shape)

    def backward_reads(self) -> tuple[bool, bool]:
        return self._method == "max" and self.phase != TRAIN, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y, window = bottom[0].read(), top[0].write(), self._used.arguments
        self._index_valid = False
        if self._method == "ave":
            self.kernels.ave_pool_forward(x, y, *window)
        elif self._method == "stochastic":
            self._forward_stochastic(x, y)
        elif self.phase == TRAIN or len(top) > 1:
            self.kernels.max_pool_forward(x, y, self._indices(top[0]), *window)
            self._index_valid = True
        else:
            self.kernels.max_pool_forward(x, y, None, *window)
        if len(top) > 1:
            self.kernels.pool_mask(self._indices(top[0]).reshape(-1), top[1].write().reshape(-1))

    def _forward_stochastic(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        if self.phase == TEST:
            self.kernels.stochastic_pool_average(x, y, *self._used.arguments)
            return
        self._uniform.reshape(*y.shape)
        self._uniform.data[...] = self.context.random.random(y.shape, np.float32)
        index = self._indices(self._uniform)
        self.kernels.stochastic_pool_forward(x, self._uniform.read(), y, index, *self._used.arguments)
        self._index_valid = True

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dy, dx = top[0].read_diff(), bottom[0].write_diff()
        if self._method == "ave":
            self.kernels.ave_pool_backward(dy, dx, *self._used.arguments)
            return
        if not self._index_valid:
            self._find_indices(bottom[0], top[0])
        self.kernels.max_pool_backward(dy, self._indices(top[0]), dx, *self._used.arguments)

    def _find_indices(self, bottom: Blob, top: Blob) -> None:
        """Do what the TEST phase's forward left out."""
        if self._method == "stochastic":
            raise self.error("STOCHASTIC pooling has a gradient in the TRAIN phase only", UnsupportedError)
        unused = self.context.workspace.get(top.count).reshape(top.shape)
        self.kernels.max_pool_forward(bottom.read(), unused, self._indices(top), *self._used.arguments)
        self._index_valid = True

    @property
    def geometry(self) -> Geometry | None:
        if self._window is None:
            return None
        return Geometry(self._window.kernel, self._window.stride, self._window.pad, self._window.dilation)
