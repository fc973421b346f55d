"""A net that classifies images: pycaffe's ``Classifier``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab import io
from pydeeplab.errors import DataError, UsageError
from pydeeplab.layer import TEST
from pydeeplab.net import Net

__all__ = ["Classifier", "make_transformer"]

CROPS = 10
"""Crops per image with ``oversample``: corners and centre, each also mirrored."""


def make_transformer(
    net: Net,
    mean: NDArray[Any] | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> io.Transformer:
    """The `io.Transformer` of a net's first input, for H x W x C images; what is None is left out.

    Raises
    ------
    UsageError
        The net has no 4-D input.
    """
    name = first_input(net)
    transformer = io.Transformer({name: net.blobs[name].shape})
    transformer.set_transpose(name, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(name, mean)
    if input_scale is not None:
        transformer.set_input_scale(name, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(name, channel_swap)
    return transformer


def first_input(net: Net) -> str:
    """The name of the input that takes images."""
    if not net.inputs or len(net.blobs[net.inputs[0]].shape) != 4:
        raise UsageError("the net has no Input layer of N x C x H x W images; use its deploy prototxt")
    return net.inputs[0]


class Classifier(Net):
    """A net with one image input and class scores as its first output.

    Parameters
    ----------
    model_file, pretrained_file : path
        The deploy prototxt and the weights.
    image_dims : (height, width), optional
        Size to which images are scaled before crops of the net's input size are cut; by default the input's size.
    mean : (C,) or (C, H, W) array, optional
        Subtracted from the input, in the net's channel order and scale.
    input_scale, raw_scale : float, optional
        Factors after and before mean subtraction; nets trained on 0..255 want ``raw_scale=255``.
    channel_swap : sequence of int, optional
        Order of channels; (2, 1, 0) makes BGR of `pydeeplab.io.load_image`'s RGB.

    Attributes
    ----------
    transformer : pydeeplab.io.Transformer
    crop_dims, image_dims : arrays of two int
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        image_dims: Sequence[int] | None = None,
        mean: NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ):
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = make_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims = self.crop_dims if image_dims is None or not len(image_dims) else np.array(image_dims)

    def predict(self, inputs: Iterable[NDArray[Any]], oversample: bool = True) -> NDArray[np.float32]:
        """Score images.

        Parameters
        ----------
        inputs : iterable of H x W x C arrays
            As `pydeeplab.io.load_image` gives them.
        oversample : bool
            Average over ten crops of each image (corners, centre, mirrored) instead of taking the centre.

        Returns
        -------
        (N, classes) array
            The net's first output; with ``oversample`` flattened to one row per image.

        Raises
        ------
        DataError
            There are no images, or they are smaller than the net's input after scaling.
        """
        scaled = [io.resize_image(image, tuple(self.image_dims)) for image in inputs]
        if not scaled:
            raise DataError("predict needs at least one image")
        if oversample:
            crops = io.oversample(scaled, tuple(self.crop_dims))
        else:
            top, left = self._centre()
            height, width = self.crop_dims
            crops = np.stack([image[top : top + height, left : left + width] for image in scaled])
        name = self.inputs[0]
        ready = [self.transformer.preprocess(name, crop) for crop in crops]
        images: dict[str, Any] = {name: np.stack(ready).astype(np.float32)}
        scores = self.forward_all(**images)[self.outputs[0]]
        if oversample:
            scores = scores.reshape(len(scaled), CROPS, -1).mean(axis=1)
        return scores

    def _centre(self) -> tuple[int, int]:
        if (self.crop_dims > self.image_dims).any():
            raise DataError(
                f"the net's input of {tuple(self.crop_dims)} does not fit into images of {tuple(self.image_dims)}; "
                "give larger image_dims"
            )
        top, left = (self.image_dims - self.crop_dims) // 2
        return int(top), int(left)
