"""Making a net buildable without the files that it reads: data layers become inputs."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydeeplab.errors import UsageError
from pydeeplab.proto import read_net
from pydeeplab.proto.text import load_text

if TYPE_CHECKING:
    from pydeeplab.proto import NetSource

__all__ = ["DATA_LAYERS", "WRITERS", "complete_defines", "read_without_files", "without_data_layers"]

DATA_LAYERS = ("Data", "DenseImageData", "HDF5Data", "ImageData", "ImageSegData", "MatRead", "WindowData")
"""Types that read files; Python layers without bottoms count as such too."""
WRITERS = ("HDF5Output", "MatWrite")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')
_COMMENT_OR_STRING = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')
_NAME = re.compile(r"\$\{(\w+)\}")


_OPTIONS = {
    "Data": "data_param",
    "DenseImageData": "dense_image_data_param",
    "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param",
    "ImageSegData": "image_data_param",
    "MatRead": "mat_read_param",
    "WindowData": "window_data_param",
}
_LABEL_PER_IMAGE = ("Data", "ImageData", "WindowData")


def _reads_files(layer: Any) -> bool:
    return layer.type in DATA_LAYERS or (layer.type == "Python" and not layer.bottom)


def _image_size(layer: Any, options: Any) -> tuple[int, int] | None:
    """Height and width as far as the prototxt says."""
    if size := layer.transform_param.crop_size or getattr(options, "crop_size", 0):
        return size, size
    for message in (layer.transform_param, options):
        for names in (("crop_height", "crop_width"), ("new_height", "new_width")):
            height, width = (getattr(message, name, 0) for name in names)
            if height and width:
                return height, width
    return None


def _tops(layer: Any, image_size: tuple[int, int] | None) -> list[list[int]]:
    """Shapes of the tops of a layer that reads files."""
    options = getattr(layer, _OPTIONS.get(layer.type, "python_param"))
    size = image_size or _image_size(layer, options)
    if size is None:
        raise UsageError(
            f"layer '{layer.name}' ({layer.type}): the size of its images is known only from files, which are not read "
            "here; say it: --input-size HxW"
        )
    batch = max(1, getattr(options, "batch_size", 1))
    data = [batch, 3 if getattr(options, "is_color", True) else 1, *size]
    if layer.type in _LABEL_PER_IMAGE:
        return [data, [batch]]
    divisor = max(1, getattr(options, "label_divide_factor", 1))
    labels = [batch, 1, *(length // divisor for length in size)]
    return [data, labels, [batch, 1, 1, 2]] if layer.type == "ImageSegData" else [data, labels]


def _set_input(layer: Any, shapes: Sequence[Sequence[int]]) -> None:
    """Turn a layer into an Input with the same name, tops and rules."""
    kept = type(layer)(name=layer.name, type="Input", top=layer.top)
    kept.include.extend(layer.include)
    kept.exclude.extend(layer.exclude)
    for i in range(len(layer.top)):
        kept.input_param.shape.add().dim.extend(shapes[min(i, len(shapes) - 1)])
    layer.CopyFrom(kept)


def _resize_inputs(layer: Any, size: tuple[int, int]) -> None:
    """Give the image inputs another size: 4-D, more than one pixel, of the first such input's size."""
    images = [s for s in layer.input_param.shape if len(s.dim) == 4 and s.dim[2] * s.dim[3] > 1]
    before = list(images[0].dim)[2:] if images else []
    for shape in images:
        if list(shape.dim)[2:] == before:
            shape.dim[2:] = size


def without_data_layers(source: NetSource, *, image_size: tuple[int, int] | None = None) -> NetSource:
    """A copy of a net whose data layers are Input layers of the same shapes, and that writes no files.

    Parameters
    ----------
    source : NetSource
        What `pydeeplab.proto.read_net` gives; it is not changed.
    image_size : (height, width), optional
        For data layers without a crop size, and instead of the size of all others and of 4-D inputs.

    Returns
    -------
    NetSource
        Layers of the types `DATA_LAYERS` are Input layers; layers of the types `WRITERS` are Silence layers; ``notes``
        says which. Positions in the prototxt are kept.

    Raises
    ------
    UsageError
        A data layer says no image size and none is given.

    Examples
    --------
    >>> from pydeeplab.proto import parse_net
    >>> net = parse_net('layer { name: "d" type: "ImageSegData" top: "data" top: "label" '
    ...                 'transform_param { crop_size: 9 } image_data_param { source: "list.txt" batch_size: 2 } }')
    >>> [list(shape.dim) for shape in without_data_layers(net).param.layer[0].input_param.shape]
    [[2, 3, 9, 9], [2, 1, 9, 9]]
    """
    changed = copy.copy(source)
    changed.param = type(source.param)()
    changed.param.CopyFrom(source.param)
    changed.notes = list(source.notes)
    for layer in changed.param.layer:
        kind = layer.type
        if _reads_files(layer):
            _set_input(layer, _tops(layer, image_size))
            shape = "x".join(map(str, layer.input_param.shape[0].dim))
            changed.notes.append(f"layer '{layer.name}' ({kind}) stands as an input of {shape}: its files are not read")
        elif kind in WRITERS:
            layer.type = "Silence"
            changed.notes.append(f"layer '{layer.name}' ({kind}) stands as Silence: it writes no files")
        elif kind == "Input" and image_size:
            _resize_inputs(layer, image_size)
    return changed


def complete_defines(path: str | os.PathLike[str], defines: Mapping[str, str] | None = None) -> dict[str, str]:
    """Values for the placeholders of a prototxt: the given ones, and its own name for each that is only in strings."""
    text = load_text(path)
    bare = _COMMENT_OR_STRING.sub(" ", text)
    quoted = " ".join(_STRING.findall(re.sub(r"#[^\n]*", " ", text)))
    names = set(_NAME.findall(quoted)) - set(_NAME.findall(bare))
    return {name: name for name in names} | dict(defines or {})


def read_without_files(
    path: str | os.PathLike[str], *, defines: Mapping[str, str] | None = None, image_size: tuple[int, int] | None = None
) -> NetSource:
    """Read a net for looking at it: as `without_data_layers`, and placeholders in strings need no value.

    A placeholder without a value stands for its own name, so that ``"${EXP}/list.txt"`` reads ``"EXP/list.txt"``.
    Those outside strings, such as ``num_output: ${NUM_LABELS}``, must be given. Weights are left zero: that is fast.

    Raises
    ------
    PrototxtError
        The file cannot be read, or a placeholder outside a string has no value.
    UsageError
        See `without_data_layers`.
    """
    source = without_data_layers(read_net(path, defines=complete_defines(path, defines)), image_size=image_size)
    for layer in source.param.layer:
        for field in ("convolution_param", "inner_product_param"):
            if layer.HasField(field):
                getattr(layer, field).ClearField("weight_filler")
    return source
