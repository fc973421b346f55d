"""Mean images: .binaryproto (a BlobProto) and .npy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import WeightsError
from pydeeplab.files import atomic_path
from pydeeplab.formats.blobproto import encode_blob, parse_blob, read_file, write_message
from pydeeplab.formats.npy import NpyError, read_npy
from pydeeplab.formats.sniff import damaged, identify
from pydeeplab.formats.weights import as_real, describe_shape
from pydeeplab.proto.wire import WireError

__all__ = ["read_mean", "write_mean"]


def read_mean(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a mean.

    Parameters
    ----------
    path : path
        A .binaryproto or .npy, told apart by content.

    Returns
    -------
    ndarray
        float32, (channels, height, width) for an image or (channels,) for one value per channel (.npy only).

    Raises
    ------
    WeightsError
        The file is missing, damaged, holds several images, or something else.
    """
    kind = identify(path)
    if kind == "npy":
        try:
            array = read_npy(path)
        except NpyError as error:
            raise damaged(path, f"is a damaged .npy ({error})") from error
    elif kind == "binary":
        try:
            array = parse_blob(read_file(path)).data
        except WireError as error:
            raise damaged(path, f"is a damaged .binaryproto, or something else ({error})") from error
    else:
        raise damaged(path, "is no mean file", "Give a .binaryproto or .npy.")
    array = as_real(array, os.fspath(path)).astype(np.float32, copy=False)
    shape = array.shape
    array = array[0] if array.ndim == 4 and shape[0] == 1 else array
    if array.ndim not in (1, 3) or not array.size:
        raise damaged(
            path,
            f"holds an array of shape {describe_shape(shape)}",
            "A mean has (channels, height, width) or (channels).",
        )
    return array


def write_mean(path: str | os.PathLike[str], mean: Any) -> None:
    """Write a mean, (channels, height, width) or (channels,): .npy by suffix, else .binaryproto, as Caffe reads it."""
    array = as_real(mean, "the mean").astype(np.float32, copy=False)
    if array.ndim not in (1, 3):
        raise WeightsError(
            f"a mean has axes (channels, height, width) or (channels), got {describe_shape(array.shape)}"
        )
    if Path(path).suffix == ".npy":
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, array)
        return
    four = (1, *array.shape) if array.ndim == 3 else (1, array.size, 1, 1)
    write_message(path, encode_blob(array.reshape(four), legacy=True), "a .npy")
