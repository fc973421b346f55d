"""MultiStageMeanfield: the mean-field iterations of a fully connected CRF as a layer that learns (CRF-RNN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.crf import PermutohedralLattice
from pydeeplab.crf.memory import Memory
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register

Rows = NDArray[Any]


@dataclass
class _Iteration:
    """What backward needs of one iteration: probabilities and what the two filters made of them, (pixels, classes)."""

    q: Rows
    spatial: Rows
    bilateral: Rows


@register
class MultiStageMeanfield(Layer):
    """Scores that agree with the picture, by unrolled mean-field iterations.

    Bottoms: unary scores u and the scores to begin with (both N x C x H x W), and the image (N x B x H x W). Each of
    ``num_iterations`` turns x into u - M (S k_s(q) + B k_b(q)) with q = softmax(x), where k_s and k_b are normalised
    Gaussian filters over positions (theta_gamma pixels) and over positions and colours (theta_alpha pixels,
    theta_beta). The top holds the last scores; no softmax follows. Parameters, each 1 x 1 x C x C: the spatial weights
    S, the bilateral weights B, and the compatibility M. Gradients reach both scores and the parameters, not the image.

    S and B begin as multiples of the identity: ``spatial_filter_weight`` and ``bilateral_filter_weight``, else a number
    per class from the files ``spatial.par`` and ``bilateral.par`` (in the working folder or beside the prototxt), else
    3 and 5; M begins as Potts' model, minus the identity. ``compatibility_mode`` and ``threshold`` have no effect.

    Source: Zheng et al., "Conditional Random Fields as Recurrent Neural Networks", 2015, and the Caffe layer of that
    name. Deviations: parameter gradients accumulate, shapes may change, and missing .par files are no error.
    """

    type = "MultiStageMeanfield"
    bottom_count = (3, 3)
    unpropagated_bottoms = (2,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.multi_stage_meanfield_param
        if param.num_iterations < 1:
            raise self.error("multi_stage_meanfield_param.num_iterations must be at least 1")
        for name in ("theta_alpha", "theta_beta", "theta_gamma"):
            if not getattr(param, name) > 0:
                raise self.error(f"multi_stage_meanfield_param.{name} must be positive, got {getattr(param, name):g}")
        if len(bottom[0].shape) != 4:
            raise self.shape_error(f"unary scores need 4 axes, N x C x H x W, got shape {bottom[0].shape}")
        classes = bottom[0].shape[1]
        for kind, weight in (("spatial", 3.0), ("bilateral", 5.0)):
            blob = self.new_blob(1, 1, classes, classes)
            blob.data[0, 0] = np.diag(self._weights(kind, classes, weight))
            self.blobs.append(blob)
        potts = self.new_blob(1, 1, classes, classes)
        potts.data[0, 0] = -np.eye(classes)
        self.blobs.append(potts)
        self._memory = Memory(self.context.backend)
        self._spatial_size: tuple[int, int] | None = None
        self._spatial: PermutohedralLattice
        self._bilateral: list[PermutohedralLattice] = []
        self._history: list[list[_Iteration]] = []

    def _weights(self, kind: str, classes: int, default: float) -> NDArray[np.float64]:
        """The diagonal that a kernel's weights begin with."""
        param = self.param.multi_stage_meanfield_param
        if param.HasField(f"{kind}_filter_weight"):
            return np.full(classes, getattr(param, f"{kind}_filter_weight"), np.float64)
        for folder in ("", *self.context.search_path):
            path = Path(folder) / f"{kind}.par"
            if not path.is_file():
                continue
            try:
                values = np.array(path.read_text().split()[:classes], np.float64)
            except ValueError as error:
                raise self.error(f"{path} must hold numbers: {error}", DataError) from None
            if len(values) < classes:
                raise self.error(f"{path} must hold {classes} numbers, one per class; it has {len(values)}", DataError)
            return values
        return np.full(classes, default)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, image = bottom[0].shape, bottom[2].shape
        if len(shape) != 4 or shape[1] != self.blobs[0].shape[2]:
            raise self.shape_error(f"unary scores need shape N x {self.blobs[0].shape[2]} x H x W, got {shape}")
        if min(shape[2:]) < 1:
            raise self.shape_error(f"needs images with pixels, got shape {shape}")
        if bottom[1].shape != shape:
            raise self.shape_error(f"both scores must have the same shape, got {shape} and {bottom[1].shape}")
        if len(image) != 4 or (image[0], *image[2:]) != (shape[0], *shape[2:]) or not 1 <= image[1] <= 29:
            raise self.shape_error(
                f"the image must have shape {shape[0]} x channels x {shape[2]} x {shape[3]} with 1 to 29 channels, "
                f"got {image}"
            )
        top[0].reshape_like(bottom[0])

    def _lattice(
        self, name: str, height: int, width: int, xy_std: float, image: NDArray[Any] | None
    ) -> PermutohedralLattice:
        """The lattice called ``name``, which takes the place of an earlier one of that name."""
        param = self.param.multi_stage_meanfield_param
        shape = (height * width, 2 if image is None else 2 + len(image))
        features = self._memory.get("features", shape, self.context.dtype)
        stds = None if image is None else np.full(len(image), param.theta_beta, self.context.dtype)
        self.kernels.lattice_features(image, stds, features, height, width, xy_std)
        return PermutohedralLattice(features, backend=self.context.backend, memory=self._memory.scope(name))

    def _message(self, x: Rows, parameter: int) -> Rows:
        """Mix the classes of each row by a parameter: row i becomes parameter @ row i."""
        mixed = np.empty_like(x)
        self.kernels.inner_product_forward(x, self._matrix(parameter), None, mixed, False)
        return mixed

    def _matrix(self, parameter: int) -> NDArray[Any]:
        return self.blobs[parameter].read()[0, 0]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.multi_stage_meanfield_param
        items, classes, height, width = bottom[0].shape
        if self._spatial_size != (height, width):
            self._spatial_size = None  # until the new one is complete
            self._spatial = self._lattice("spatial", height, width, param.theta_gamma, None)
            self._spatial_size = (height, width)
        self._bilateral, self._history = [], []
        unary, initial, images, out = bottom[0].look(), bottom[1].look(), bottom[2].look(), top[0].data
        for item in range(items):
            self._bilateral.append(self._lattice(f"item {item}", height, width, param.theta_alpha, images[item]))
            scores = unary[item].reshape(classes, -1).T
            x = np.ascontiguousarray(initial[item].reshape(classes, -1).T)
            history: list[_Iteration] = []
            for _ in range(param.num_iterations):
                step = self._filter(x, self._bilateral[item])
                message = self._message(step.spatial, 0)
                message += self._message(step.bilateral, 1)
                x = scores - self._message(message, 2)
                if self.need_backward:
                    history.append(step)
            out[item] = x.T.reshape(classes, height, width)
            self._history.append(history)

    def _filter(self, x: Rows, bilateral: PermutohedralLattice) -> _Iteration:
        q = np.empty_like(x, order="C")
        self.kernels.softmax_forward(np.ascontiguousarray(x)[:, :, None], q[:, :, None])
        return _Iteration(q, self._spatial.filter(q, "after"), bilateral.filter(q, "after"))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        items, classes, height, width = bottom[0].shape
        for item in range(items):
            above = np.ascontiguousarray(top[0].look_diff()[item].reshape(classes, -1).T)
            unary = np.zeros_like(above)
            for step in reversed(self._history[item]):
                unary += above
                above = self._backward_step(step, above, self._bilateral[item])
            for blob, wanted, gradient in zip(bottom, propagate_down, (unary, above), strict=False):
                if wanted:
                    blob.diff[item] = gradient.T.reshape(classes, height, width)

    def _backward_step(self, step: _Iteration, above: Rows, bilateral: PermutohedralLattice) -> Rows:
        """The gradient of an iteration's input from that of its output; adds to the parameters' gradients."""
        pairwise = -above
        message = self._message(step.spatial, 0)
        message += self._message(step.bilateral, 1)
        self._add_gradient(2, message, pairwise)
        down = self._message_backward(pairwise, 2)
        self._add_gradient(0, step.spatial, down)
        self._add_gradient(1, step.bilateral, down)
        dq = self._spatial.filter(self._message_backward(down, 0), "after", adjoint=True)
        dq += bilateral.filter(self._message_backward(down, 1), "after", adjoint=True)
        self.kernels.softmax_backward(step.q[:, :, None], dq[:, :, None], dq[:, :, None])
        return dq

    def _message_backward(self, dy: Rows, parameter: int) -> Rows:
        dx = np.empty_like(dy)
        self.kernels.inner_product_backward_data(dy, self._matrix(parameter), dx, False)
        return dx

    def _add_gradient(self, parameter: int, x: Rows, dy: Rows) -> None:
        if self.param_propagate_down[parameter]:
            gradient = self.blobs[parameter].modify_diff()[0, 0]
            self.kernels.inner_product_backward_weights(x, dy, gradient, False)
