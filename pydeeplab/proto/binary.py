"""Binary nets (caffemodels) of every dialect.

The dialects gave some numbers to two different fields. Each layer's type tells which one is meant; its fields are then
renumbered to those of caffe.proto before protobuf sees them. Fields that no known dialect explains are left out: what a
caffemodel is for, names and blobs, has the same numbers everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from pydeeplab.errors import PrototxtError, WeightsError
from pydeeplab.proto import caffe_pb2
from pydeeplab.proto.dialects import DECONVNET, DEEPLAB_V1
from pydeeplab.proto.upgrade import upgrade_net
from pydeeplab.proto.upgrade_v1 import move_data_transforms, upgrade_v1_layer
from pydeeplab.proto.wire import BYTES, FIXED32, VARINT, Field, WireError, encode_varint, walk

__all__ = ["parse_binary_net"]

_NET_LAYERS, _NET_LAYER = 2, 100
_AGAIN = "Copy or download it again, and compare its size or checksum with the source."


def _text(buffer: memoryview, number: int) -> str:
    """The first value of a string field, empty if there is none."""
    values = (buffer[field.value : field.end] for field in walk(buffer) if field.number == number)
    return bytes(next(values, b"")).decode(errors="replace")


Bytes = bytes | memoryview
Rewrite = Callable[[Field, memoryview], bytes | None]
"""From a field and its value to all its bytes as they should be: None leaves it as it is, empty bytes drop it."""


def _rewritten(buffer: memoryview, rewrite: Rewrite) -> Bytes:
    """A message with its fields rewritten; the same buffer if nothing changes."""
    pieces: list[Bytes] = []
    changed = False
    for field in walk(buffer):
        piece = rewrite(field, buffer[field.value : field.end])
        changed = changed or piece is not None
        pieces.append(buffer[field.start : field.end] if piece is None else piece)
    return b"".join(pieces) if changed else buffer


def _tagged(field: Field, number: int, value: Bytes) -> bytes:
    size = encode_varint(len(value)) if field.kind == BYTES else b""
    return b"".join((encode_varint(number << 3 | field.kind), size, value))


# --------------------------------------------------------------------------------------------------- the current format

_NUMBER = {field.name: field.number for field in caffe_pb2.LayerParameter.DESCRIPTOR.fields}

_MEANT: dict[str, dict[int, str]] = {
    "Interp": {143: "interp_param", 163: "interp_param"},
    "SegAccuracy": {144: "seg_accuracy_param", 164: "seg_accuracy_param"},
    "MatWrite": {145: "mat_write_param"},
    "DenseCRF": {146: "dense_crf_param"},
    "DomainTransform": {147: "domain_transform_param"},
    "DomainTransformForwardOnly": {147: "domain_transform_param"},
    "AdaptiveBiasChannel": {148: "adaptive_bias_channel_param"},
    "Scale": {160: "scale_param"},
    "Bias": {161: "bias_param"},
    "BN": {45: "bn_param", 137: "bn_param"},
    "Upsample": {137: "upsample_param", 147: "upsample_param"},
    "DenseImageData": {46: "dense_image_data_param"},
}
"""What a number means in a layer of this type, where it is not what caffe.proto says."""

_OWNERS: dict[int, tuple[str, ...]] = {
    137: ("Embed",),
    140: ("ELU",),
    143: ("Input",),
    144: ("Crop",),
    145: ("Parameter",),
    146: ("RNN", "LSTM", "Recurrent"),
    147: ("Swish",),
    148: ("Clip",),
    149: ("BiasChannel",),
    150: ("UniqueLabel",),
    151: ("MatRead",),
    152: ("DenseCRF",),
    153: ("Interp",),
    154: ("SegAccuracy",),
    155: ("MatWrite",),
    202: ("Permute",),
    206: ("Normalize",),
}
"""Numbers that several dialects use, and the layer types for which caffe.proto's meaning holds."""

_PSPNET_BN = {1: 1001, 2: 1002, 3: 1003, 4: 1004, 5: 1005, 6: 1006}
_ESSENTIAL = frozenset((1, 2, 3, 4, 5, 6, 7, 10))


def _convolution(field: Field, value: memoryview, *, old_format: bool) -> bytes | None:
    """Tell DeepLab v1's hole (17), hole_h (18) and hole_w (19) from force_nd_im2col (17) and dilation (18).

    The old format had no dilation. In the current one PSPNet still writes holes, recognised by a hole_w, or by a value
    that is no truth value.
    """
    present = {inner.number: inner.varint for inner in walk(value)}
    if old_format or 19 in present:
        holes = {17: 1017, 18: 1018, 19: 1019}
    else:
        holes = {17: 1017} if present.get(17, 0) > 1 else {}
    if not holes.keys() & present.keys():
        return None
    renumbered = _rewritten(
        value, lambda inner, part: _tagged(inner, holes[inner.number], part) if inner.number in holes else None
    )
    return _tagged(field, field.number, renumbered)


def _bn(value: memoryview) -> Bytes:
    """PSPNet's BNParameter; SegNet's, under another number, is as caffe.proto has it."""
    momentum = any(inner.number == 3 and inner.kind == FIXED32 for inner in walk(value))
    frozen = any(inner.number == 5 and inner.kind == VARINT for inner in walk(value))
    if not (momentum or frozen):
        return value
    return _rewritten(value, lambda inner, part: _tagged(inner, _PSPNET_BN.get(inner.number, inner.number), part))


def _current_layer(view: memoryview) -> Bytes:
    """A LayerParameter of any dialect with caffe.proto's numbers."""
    layer_type = next((bytes(view[f.value : f.end]).decode(errors="replace") for f in walk(view) if f.number == 2), "")
    meant = _MEANT.get(layer_type, {})

    def rewrite(field: Field, value: memoryview) -> bytes | None:
        number = field.number
        if number in meant:
            return _tagged(field, _NUMBER[meant[number]], _bn(value) if meant[number] == "bn_param" else value)
        if number in _OWNERS and layer_type not in _OWNERS[number]:
            return b""
        if number == _NUMBER["convolution_param"]:
            return _convolution(field, value, old_format=False)
        return None

    return _rewritten(view, rewrite)


def _essential(view: memoryview, numbers: frozenset[int]) -> Bytes:
    return b"".join(view[field.start : field.end] for field in walk(view) if field.number in numbers)


# -------------------------------------------------------------------------------------------------------- the V1 format

_V1_ESSENTIAL = frozenset((2, 3, 4, 6, 7, 8))
_V1_V0_LAYER, _V1_NAME, _V1_TYPE, _V1_CONVOLUTION = 1, 4, 5, 10
_IMAGE_DATA = 15

_DEEPLAB_TYPES = {39: 1039}
_DEEPLAB_FIELDS = {42: 2042}
_DECONVNET_TYPES = {40: 2040, 41: 2041, 42: 2042, 43: 2043, 46: 1039, 47: 2047}
_DECONVNET_FIELDS = {43: 2043, 44: 2044, 45: 2045}


def _v1_dialect(layers: list[memoryview]) -> str:
    """Whose V1 format this is: the numbers of layer types from 39 on tell, together with the fields beside them."""
    found = ""
    for view in layers:
        fields = {field.number: field.varint for field in walk(view)}
        kind = fields.get(_V1_TYPE, 0)
        if (kind == 42 and 44 in fields) or (kind == 43 and (45 in fields or 6 in fields)):
            return DECONVNET
        special = 40 <= kind <= 56 or (kind == 39 and _IMAGE_DATA in fields) or 44 in fields
        if special or _has_hole(view):
            found = DEEPLAB_V1
    return found or "Caffe V1"


def _has_hole(view: memoryview) -> bool:
    return any(
        inner.number in (17, 18, 19)
        for field in walk(view)
        if field.number == _V1_CONVOLUTION
        for inner in walk(view[field.value : field.end])
    )


def _v1_layer(view: memoryview, dialect: str) -> Bytes:
    """A V1LayerParameter of any dialect with caffe.proto's numbers."""
    types, numbers = {
        DEEPLAB_V1: (_DEEPLAB_TYPES, _DEEPLAB_FIELDS),
        DECONVNET: (_DECONVNET_TYPES, _DECONVNET_FIELDS),
    }.get(dialect, ({}, {}))

    def rewrite(field: Field, value: memoryview) -> bytes | None:
        if field.number == _V1_TYPE and field.varint in types:
            return encode_varint(_V1_TYPE << 3 | VARINT) + encode_varint(types[field.varint])
        if field.number in numbers:
            return _tagged(field, numbers[field.number], value)
        if field.number == _V1_CONVOLUTION:
            return _convolution(field, value, old_format=True)
        return None

    return _rewritten(view, rewrite)


# ---------------------------------------------------------------------------------------------------------- whole files


def _parse(message: Any, view: memoryview, translate: Callable[[memoryview], Bytes], essential: frozenset[int]) -> None:
    """Parse a layer; where a fork's own fields make no sense to us, parse what all dialects share."""
    try:
        message.MergeFromString(bytes(translate(view)))
    except (DecodeError, WireError):
        message.Clear()
        message.MergeFromString(bytes(_essential(view, essential)))


def _name(view: memoryview, number: int) -> str:
    try:
        return _text(view, number) or "?"
    except WireError:
        return "?"


def _split(data: memoryview, filename: str) -> tuple[bytes, list[memoryview], list[memoryview]]:
    """The net's own fields, its current layers and its V1 layers."""
    rest: list[Bytes] = []
    current: list[memoryview] = []
    old: list[memoryview] = []
    try:
        for field in walk(data):
            value = data[field.value : field.end]
            if field.number == 1 and field.kind == VARINT:
                raise WeightsError(f"{filename} is no caffemodel; it looks like a solver state or a mean image.")
            if field.kind == BYTES and field.number in (_NET_LAYERS, _NET_LAYER):
                (old if field.number == _NET_LAYERS else current).append(value)
            else:
                rest.append(data[field.start : field.end])
    except WireError as error:
        layers = [_name(v, 1) for v in current] + [_name(v, _V1_NAME) for v in old]
        if layers:
            raise WeightsError(
                f"{filename} is damaged or cut short after layer '{layers[-1]}': {error}. {_AGAIN}"
            ) from None
        raise WeightsError(f"{filename} is damaged, or no caffemodel: {error}. {_AGAIN}") from None
    return b"".join(rest), current, old


def _refuse_other_files(data: memoryview, filename: str) -> None:
    start = bytes(data[:64])
    if not start:
        raise WeightsError(f"{filename} is empty. {_AGAIN}")
    if start.startswith(b"\x89HDF"):
        raise WeightsError(
            f"{filename} is an HDF5 file, no binary net. Read it with pydeeplab.formats, or give it as weights."
        )
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{filename} is a Git LFS pointer, not the file itself. Fetch it with `git lfs pull`.")
    head = bytes(data[:4096])
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        raise WeightsError(f"{filename} is text, no binary net. Read it as a prototxt.")


def parse_binary_net(data: bytes | memoryview, *, filename: str = "<bytes>") -> Any:
    """Read a binary net, such as a caffemodel, of any dialect.

    Parameters
    ----------
    data : bytes-like
        An encoded NetParameter: current, V1 or V0 format, of BVLC's Caffe, DeepLab v1 or v2, or another fork.
    filename : str
        What messages call it.

    Returns
    -------
    NetParameter
        In the current format. Layers keep names, types, connections and blobs; parameters that no known dialect
        explains are left out.

    Raises
    ------
    WeightsError
        The data is cut short, damaged, or no net at all.

    Examples
    --------
    >>> net = caffe_pb2.NetParameter(layers=[{"name": "r", "type": "RELU"}])
    >>> parse_binary_net(net.SerializeToString()).layer[0].type
    'ReLU'
    """
    view = memoryview(data).cast("B")
    _refuse_other_files(view, filename)
    rest, current, old = _split(view, filename)
    if not current and not old:
        raise WeightsError(f"{filename} holds no layers: it is no caffemodel.")
    net = caffe_pb2.NetParameter()
    name = "?"
    try:
        net.MergeFromString(rest)
        for layer in current:
            name = _name(layer, 1)
            _parse(net.layer.add(), layer, _current_layer, _ESSENTIAL)
        if old:
            name = _name(old[0], _V1_NAME)
            _add_old_layers(net, old)
        return upgrade_net(net, keep_shapeless_inputs=False).param
    except (DecodeError, WireError) as error:
        raise WeightsError(f"{filename} is damaged at or after layer '{name}': {error}. {_AGAIN}") from None
    except PrototxtError as error:
        raise WeightsError(f"{filename}: {error}") from None


def _add_old_layers(net: Any, old: list[memoryview]) -> None:
    """Convert one layer at a time, so that weights are never held in both formats at once."""
    dialect = _v1_dialect(old)
    whole = any(field.number == _V1_V0_LAYER for view in old for field in walk(view))
    for view in old:
        layer = net.layers.add() if whole else caffe_pb2.V1LayerParameter()
        _parse(layer, view, lambda v: _v1_layer(v, dialect), _V1_ESSENTIAL)
        if not whole:
            move_data_transforms(layer)
            upgrade_v1_layer(layer, net.layer.add(), dialect)
