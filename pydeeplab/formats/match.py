"""Which stored blob fits which blob of a net: Caffe's rules, and the adaptations that are safe."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydeeplab.formats.weights import LayerWeights, StoredBlob, describe_shape

__all__ = ["explain_count", "explain_shape", "fits", "is_split_batch_norm"]

_PER_CHANNEL = ("BatchNorm", "BN", "Scale", "Bias", "PReLU")
_DENSE = ("Convolution", "InnerProduct")


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def fits(stored: StoredBlob, shape: tuple[int, ...], layer_type: str, index: int, strict: bool) -> str | None:
    """Tell whether a stored blob can be loaded into one of the net.

    Parameters
    ----------
    stored : StoredBlob
        From the file.
    shape : tuple of int
        Of the net's blob.
    layer_type : str
        Of the net's layer.
    index : int
        Of the blob in its layer.
    strict : bool
        False (``strict_dim: false`` of DeepLab v1): an equal number of elements is enough.

    Returns
    -------
    str or None
        None where it does not fit; else how it was adapted, empty where nothing had to be.
    """
    have = stored.shape
    if have == shape or (stored.legacy and len(shape) <= 4 and have == (1,) * (4 - len(shape)) + shape):
        return ""
    if math.prod(have) != math.prod(shape):
        return None
    change = f"{describe_shape(stored.modern_shape('', index))} to {describe_shape(shape)}"
    if not strict:
        return change
    vector = len(_squeezed(have)) <= 1 and _squeezed(have) == _squeezed(shape)
    if vector and (index > 0 or layer_type in _PER_CHANNEL):
        return ""
    if index == 0 and layer_type in _DENSE:
        matrix = stored.modern_shape("InnerProduct", 0) if stored.legacy else have
        if {len(matrix) == 2, len(shape) == 2} == {True, False} and matrix[:1] == shape[:1]:
            return change
    return None


def is_split_batch_norm(source: LayerWeights, wanted: int) -> bool:
    """Whether ``source`` is other forks' BatchNorm (mean, variance, factor, scale, shift), and 3 blobs are wanted."""
    blobs = source.blobs
    return wanted == 3 and len(blobs) in (4, 5) and blobs[2] is not None and blobs[2].data.size == 1


def _batch_norm_dialect(have: int, want: int, layer: str) -> str:
    if want == 3 and have in (4, 5):
        last = "bias_term: true" if have == 5 else "no bias_term"
        return (
            f"The file's BatchNorm includes scale{' and shift' if have == 5 else ''}, Caffe's does not: add a Scale "
            f"layer ({last}) right after '{layer}', under a name that the file does not have; it then gets them."
        )
    return "BatchNorm has 3 blobs in Caffe (mean, variance, factor); other forks store other ones."


def explain_count(layer: str, layer_type: str, have: int, want: int) -> str:
    """Advice where a layer has ``have`` blobs in the file but ``want`` in the net."""
    if layer_type == "BatchNorm":
        return _batch_norm_dialect(have, want, layer)
    if {have, want} == {1, 2}:
        return f"One has a bias and the other has not: set bias_term: {'true' if have == 2 else 'false'} in the net."
    return "They are different kinds of layers: rename the net's layer to start it afresh."


def explain_shape(layer: str, layer_type: str, have: tuple[int, ...], want: tuple[int, ...]) -> str:
    """Advice where a blob of a layer has shape ``have`` in the file but ``want`` in the net."""
    renamed = f"rename the layer in every prototxt (say '{layer}' to '{layer}_mine')"
    if layer_type in _DENSE and len(have) == len(want) and have[:1] != want[:1] and have[1:] == want[1:]:
        return (
            f"The file's layer has {have[0]} outputs (classes, if it is the classifier), the net's has {want[0]}. To "
            f"train new ones, {renamed}, so that it starts from its filler; to keep the old, set num_output: {have[0]}."
        )
    if layer_type == "Convolution" and len(have) == len(want) == 4 and have[2:] != want[2:]:
        return (
            f"The kernel is {have[2]}x{have[3]} in the file and {want[2]}x{want[3]} in the net: set kernel_size to the "
            f"file's, or {renamed} to start it afresh."
        )
    if layer_type in ("Convolution", "Deconvolution") and len(have) == len(want) == 4:
        return f"Inputs, outputs or group differ: compare this layer and its bottom, or {renamed} to start it afresh."
    return f"To start the layer afresh, {renamed}; to load it, make the net's layer as the file's."
