"""DenseCRF: mean-field inference in a fully connected CRF."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.crf.mean_field import MeanField
from pydeeplab.crf.memory import Memory
from pydeeplab.layer import Layer, register


@register
class DenseCRF(Layer):
    """Class probabilities that agree with the picture, from scores.

    Bottoms: scores (N x C x H x W, no softmax needed), real sizes (N x 1 x 1 x 2: height, width), and, for bilateral
    kernels, the image (N x B x H x W). Only the top left part of the real size is refined; the rest of the top is 0.
    The top holds probabilities, or with ``output_probability: false`` the logarithms of them (at least FLT_MIN). Each
    item is refined with its own image. There is no gradient.

    Source: DeepLab DenseCRF. Deviations: the original uses the first image for all items of a batch, and fails without
    an image.
    """

    type = "DenseCRF"
    bottom_count = (2, 3)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.dense_crf_param
        for names in (("pos_w", "pos_xy_std"), ("bi_w", "bi_xy_std", "bi_rgb_std")):
            lengths = [len(getattr(param, name)) for name in names]
            if len(set(lengths)) > 1:
                given = ", ".join(f"{length} {name}" for name, length in zip(names, lengths, strict=True))
                raise self.error(f"every kernel needs a value in each of {', '.join(names)}; got {given}")
            for name in names[1:]:
                if any(not value > 0 for value in getattr(param, name)):
                    raise self.error(f"dense_crf_param.{name} must be positive, got {list(getattr(param, name))}")
        if param.max_iter < 0:
            raise self.error(f"dense_crf_param.max_iter must be 0 or more, got {param.max_iter}")
        if len(bottom) == 3 and not param.bi_w:
            raise self.error(
                "has an image as third bottom, but no bilateral kernel: add bi_w, bi_xy_std and bi_rgb_std"
            )
        if len(bottom) == 2 and param.bi_w:
            raise self.error("has bilateral kernels, but no image: make it the third bottom, or remove bi_w")
        self._memory = Memory(self.context.backend)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.shape_error(f"scores need 4 axes, N x C x H x W, got shape {shape}")
        if bottom[1].count != 2 * shape[0]:
            raise self.shape_error(
                f"the second bottom holds height and width of each of {shape[0]} items, {shape[0]} x 1 x 1 x 2; "
                f"got shape {bottom[1].shape}"
            )
        if len(bottom) == 3:
            image = bottom[2].shape
            if len(image) != 4 or (image[0], *image[2:]) != (shape[0], *shape[2:]) or not 1 <= image[1] <= 29:
                raise self.shape_error(
                    f"the image must have shape {shape[0]} x channels x {shape[2]} x {shape[3]} with 1 to 29 channels, "
                    f"got {image}"
                )
        top[0].reshape_like(bottom[0])

    def _region(self, item: int, size: Sequence[float], full: Sequence[int]) -> tuple[int, int]:
        if not all(1 <= real < math.inf for real in size):
            raise self.error(f"item {item} has real size {size[0]:g} x {size[1]:g}; it must be at least 1 x 1")
        return min(int(size[0]), full[0]), min(int(size[1]), full[1])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param.dense_crf_param
        items, classes, *full = bottom[0].shape
        sizes = bottom[1].look().reshape(items, 2)
        scores, out = bottom[0].read(), top[0].write()
        for item in range(items):
            height, width = self._region(item, sizes[item], full)
            field = MeanField(
                height,
                width,
                classes,
                backend=self.context.backend,
                dtype=self.context.dtype,
                memory=self._memory,
            )
            for weight, xy_std in zip(param.pos_w, param.pos_xy_std, strict=True):
                field.add_term(weight, xy_std)
            for weight, xy_std, rgb_std in zip(param.bi_w, param.bi_xy_std, param.bi_rgb_std, strict=True):
                image = bottom[2].read()[item]
                field.add_term(weight, xy_std, image, np.full(len(image), rgb_std, self.context.dtype))
            field.start(scores[item])
            for _ in range(param.max_iter):
                field.step()
            field.read(out[item], log=not param.output_probability)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Nothing, as in Caffe: the layer is for testing."""
