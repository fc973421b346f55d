"""Images and protobuf messages to arrays and back: pycaffe's ``caffe.io``.

Images are H x W x C, RGB, float32 in [0, 1], as `load_image` gives them; nets want C x H x W, BGR, mean subtracted:
`Transformer` converts between the two.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from pydeeplab.data.images import read_image
from pydeeplab.errors import DataError, UsageError, did_you_mean
from pydeeplab.formats.blobproto import encode_blob
from pydeeplab.proto import caffe_pb2

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "caffe_pb2",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize_image",
]


def blobproto_to_array(blob: Any, return_diff: bool = False) -> NDArray[np.float32]:
    """Return the data (or diff) of a BlobProto with its shape.

    Raises
    ------
    DataError
        The number of values does not fit the shape, or the blob states no shape and is no scalar.
    """
    half = "diff" if return_diff else "data"
    values = np.asarray(getattr(blob, half) or getattr(blob, f"double_{half}"), np.float32)
    legacy = any(blob.HasField(f) for f in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if legacy else tuple(blob.shape.dim)
    if not legacy and not blob.HasField("shape") and values.size != 1:
        raise DataError("the BlobProto states no shape; set shape.dim, or num, channels, height and width")
    return _shaped(values, shape, "BlobProto")


def _shaped(values: NDArray[Any], shape: Sequence[int], what: str) -> NDArray[Any]:
    if min(shape, default=0) < 0 or math.prod(shape) != values.size:
        raise DataError(
            f"the {what} has {values.size} values, its shape is {tuple(shape)}: cannot reshape one to the other"
        )
    return values.reshape(shape)


def array_to_blobproto(arr: ArrayLike, diff: ArrayLike | None = None) -> Any:
    """Return a BlobProto of an N-dimensional array, with ``diff`` if given."""
    gradient = None if diff is None else np.asarray(diff, np.float32)
    return caffe_pb2.BlobProto.FromString(b"".join(encode_blob(np.asarray(arr, np.float32), gradient)))


def arraylist_to_blobprotovector_str(arraylist: Iterable[ArrayLike]) -> bytes:
    """Serialise arrays as a BlobProtoVector."""
    vector = caffe_pb2.BlobProtoVector()
    vector.blobs.extend(array_to_blobproto(a) for a in arraylist)
    return bytes(vector.SerializeToString())


def blobprotovector_str_to_arraylist(text: bytes) -> list[NDArray[np.float32]]:
    """Read arrays from a serialised BlobProtoVector; `DataError` if it is damaged."""
    try:
        vector = caffe_pb2.BlobProtoVector.FromString(text)
    except DecodeError as error:
        raise DataError(f"{len(text)} bytes that are no BlobProtoVector: {error}") from None
    return [blobproto_to_array(blob) for blob in vector.blobs]


def array_to_datum(arr: NDArray[Any], label: int | None = None) -> Any:
    """Return a Datum of a C x H x W array: bytes for uint8, float_data otherwise.

    Raises
    ------
    DataError
        The array does not have three axes.
    """
    if arr.ndim != 3:
        raise DataError(f"a Datum holds a C x H x W array; got {arr.ndim} axes")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).reshape(-1).tolist())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> NDArray[Any]:
    """Return the C x H x W array of a Datum: uint8 if it holds bytes, else float64.

    Raises
    ------
    DataError
        The number of values does not fit the shape, or the Datum holds a compressed image.
    """
    shape = (datum.channels, datum.height, datum.width)
    if datum.encoded:
        raise DataError("the Datum holds a compressed image: decode it first, for instance with PIL from datum.data")
    if datum.data:
        return _shaped(np.frombuffer(datum.data, np.uint8), shape, "Datum")
    return _shaped(np.array(datum.float_data, float), shape, "Datum")


class Transformer:
    """Turns images into the arrays that a net's inputs want, and back.

    `preprocess` applies, in this order: resize to the input's height and width, transpose, channel swap, raw scale,
    mean subtraction, input scale. What is not set is left out.

    Parameters
    ----------
    inputs : mapping
        Shape of each input blob, N x C x H x W.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]):
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, NDArray[Any]] = {}
        self.input_scale: dict[str, float] = {}

    def _check(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise UsageError(
                f"'{in_}' is not one of the net's inputs: {', '.join(self.inputs)}.{did_you_mean(in_, self.inputs)}"
            )

    def preprocess(self, in_: str, data: ArrayLike) -> NDArray[np.float32]:
        """Return ``data`` (H x W x C) as input ``in_`` wants it (C x H x W after the usual transpose)."""
        self._check(in_)
        array = np.array(data, np.float32)
        size = tuple(self.inputs[in_][2:])
        if array.shape[:2] != size:
            array = resize_image(array, size)
        if in_ in self.transpose:
            array = array.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            array = array[list(self.channel_swap[in_])]
        if in_ in self.raw_scale:
            array = array * np.float32(self.raw_scale[in_])
        if in_ in self.mean:
            array = array - self.mean[in_]
        if in_ in self.input_scale:
            array = array * np.float32(self.input_scale[in_])
        return array

    def deprocess(self, in_: str, data: ArrayLike) -> NDArray[np.float32]:
        """Undo `preprocess`, except for the resizing."""
        self._check(in_)
        array = np.array(data, np.float32).squeeze()
        if in_ in self.input_scale:
            array = array / np.float32(self.input_scale[in_])
        if in_ in self.mean:
            array = array + self.mean[in_]
        if in_ in self.raw_scale:
            array = array / np.float32(self.raw_scale[in_])
        if in_ in self.channel_swap:
            array = array[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            array = array.transpose(np.argsort(self.transpose[in_]))
        return array

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Set the order of axes, (2, 0, 1) to turn H x W x C into C x H x W."""
        self._check(in_)
        if len(order) != len(self.inputs[in_]) - 1:
            raise UsageError(
                f"the transpose order {tuple(order)} must have {len(self.inputs[in_]) - 1} entries, "
                f"one for each axis of '{in_}'"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Set the order of channels, (2, 1, 0) for RGB to BGR; applied after the transpose."""
        self._check(in_)
        if len(order) != self.inputs[in_][1]:
            raise UsageError(
                f"the channel order {tuple(order)} must have {self.inputs[in_][1]} entries, "
                f"one for each channel of '{in_}'"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Set the factor before mean subtraction: 255 for nets trained on pixels 0..255."""
        self._check(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: NDArray[Any]) -> None:
        """Set what is subtracted: one value per channel, or an array of the input's C x H x W."""
        self._check(in_)
        shape = tuple(self.inputs[in_][1:])
        if mean.ndim == 1:
            if mean.shape[0] != shape[0]:
                raise UsageError(f"the mean has {mean.shape[0]} channels, input '{in_}' has {shape[0]}")
            self.mean[in_] = mean[:, np.newaxis, np.newaxis]
            return
        array = mean[np.newaxis] if mean.ndim == 2 else mean
        if array.ndim != 3:
            raise UsageError(f"the mean must have one value per channel or the shape {shape}, got shape {mean.shape}")
        if array.shape != shape:
            low, high = array.min(), array.max()
            resized = resize_image((array.transpose(1, 2, 0) - low) / ((high - low) or 1), shape[1:])
            array = resized.transpose(2, 0, 1) * ((high - low) or 1) + low
            if array.shape != shape:
                raise UsageError(f"the mean has shape {mean.shape}, input '{in_}' has {shape}")
        self.mean[in_] = array

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Set the factor after mean subtraction."""
        self._check(in_)
        self.input_scale[in_] = scale


_LUMINANCE = np.array([0.2125, 0.7154, 0.0721])
"""Weights of R, G and B in scikit-image's grey, which pycaffe's `load_image` gives (OpenCV's differ)."""


def load_image(filename: str | os.PathLike[str], color: bool = True) -> NDArray[np.float32]:
    """Read an image as H x W x 3 (or x 1 with ``color=False``) float32 in [0, 1], RGB."""
    image = read_image(filename, upright=False) / 255.0
    return np.asarray(image if color else (image @ _LUMINANCE)[:, :, np.newaxis], np.float32)


def resize_image(im: NDArray[Any], new_dims: Sequence[int], interp_order: int = 1) -> NDArray[np.float32]:
    """Resize an H x W x C array to ``new_dims`` (height, width) by spline interpolation.

    Images of one or three channels are sampled at pixel centres and fade to their smallest value outside, as
    scikit-image did for pycaffe (no antialiasing); others corner to corner.
    """
    array = np.asarray(im)
    height, width = int(new_dims[0]), int(new_dims[1])
    if array.ndim != 3 or not array.size:
        raise DataError(f"expected an H x W x C array, got shape {array.shape}")
    if min(height, width) < 1:
        raise UsageError(f"cannot resize an image to {height} x {width}")
    if array.shape[-1] not in (1, 3):
        zoom = (height / array.shape[0], width / array.shape[1], 1)
        return np.asarray(ndimage.zoom(array, zoom, order=interp_order), np.float32)
    low, high = float(array.min()), float(array.max())
    if low == high:
        return np.full((height, width, array.shape[-1]), low, np.float32)
    standard = (array - low) / (high - low)
    rows = (np.arange(height) + 0.5) * array.shape[0] / height - 0.5
    columns = (np.arange(width) + 0.5) * array.shape[1] / width - 0.5
    grid = np.meshgrid(rows, columns, indexing="ij")
    planes = [
        ndimage.map_coordinates(standard[..., c], grid, order=interp_order, mode="grid-constant", cval=0.0)
        for c in range(array.shape[-1])
    ]
    return np.asarray(np.stack(planes, axis=-1) * (high - low) + low, np.float32)


def oversample(images: Sequence[NDArray[Any]], crop_dims: Sequence[int]) -> NDArray[np.float32]:
    """Cut the four corners and the centre of each image, and mirror them: ten crops per image.

    Returns an array of shape (10 * len(images), height, width, channels).
    """
    sizes = {image.shape[:2] for image in images}
    if len(sizes) != 1:
        raise DataError(f"needs images of one size, got {', '.join(map(str, sorted(sizes))) or 'none'}")
    full = np.array(sizes.pop())
    crop = np.array(crop_dims[:2], int)
    if (crop > full).any():
        raise DataError(f"crops of {tuple(crop)} do not fit into images of {tuple(full)}")
    corners = [(i, j) for i in (0, full[0] - crop[0]) for j in (0, full[1] - crop[1])]
    offsets = np.array([*corners, tuple((full - crop) // 2)], int)
    crops = []
    for image in images:
        cut = [image[i : i + crop[0], j : j + crop[1]] for i, j in offsets]
        crops += cut + [c[:, ::-1] for c in cut]
    return np.asarray(crops, np.float32)
