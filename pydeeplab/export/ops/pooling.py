"""Pooling by Caffe's rules of size and divisor, and Upsample and Unpooling, which undo it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.export.graph import Attribute
from pydeeplab.export.site import Site, translates
from pydeeplab.export.sizes import Size
from pydeeplab.layers.pooling_window import PoolingWindow, read_pair, read_pooling_window


@translates("Pooling")
def pooling(site: Site) -> str | list[str]:
    """MaxPool or AveragePool; rows and columns that Caffe's last windows reach beyond the image are padded."""
    param = site.param.pooling_param
    if param.pool not in (param.MAX, param.AVE):
        site.unsupported("only MAX and AVE pooling have counterparts")
    average = param.pool == param.AVE
    if param.global_pooling and len(site.top_shapes) == 1:
        return site.op("GlobalAveragePool" if average else "GlobalMaxPool", site.bottom)
    if param.global_pooling:
        if site.varies(0, 2) or site.varies(0, 3):
            site.unsupported("global pooling with positions works at one size only; leave --dynamic out")
        window = PoolingWindow((site.shapes[0][2], site.shapes[0][3]), (1, 1), (0, 0))
    else:
        window = read_pooling_window(site.layer, param)
    beyond, ceil, image = (0, 0), False, site.bottom
    if not (site.varies(0, 2) or site.varies(0, 3)):
        beyond = _reach(site, window)
    elif window.overhang is not None and any(window.overhang):
        beyond = _overhang(site, window, average)
    elif window.overhang is None:
        ceil = True
        if any(s + p > e for e, s, p in zip(window.extent, window.stride, window.pad, strict=True)):
            image, window = _trimmed(site, window, 0.0 if average else -np.inf)
    shape: dict[str, Attribute] = {"kernel_shape": list(window.kernel), "strides": list(window.stride)}
    if window.dilation != (1, 1):
        if average and site.opset < 19:
            site.unsupported("AVE pooling with dilation needs opset 19")
        shape["dilations"] = list(window.dilation)
    if ceil:
        shape["ceil_mode"] = 1
    if average:
        return _average(site, image, window, beyond, shape)
    pads = [*window.pad, *(p + b for p, b in zip(window.pad, beyond, strict=True))]
    if _too_wide(pads, window):
        image, pads = site.op("Pad", image, _borders(site, pads), site.real(-np.inf)), [0] * 4
    shape["pads"] = pads
    if len(site.top_shapes) == 1:
        return site.op("MaxPool", image, **shape)
    if image != site.bottom:
        site.unsupported("with stride + pad > kernel_size its positions need one size; leave --dynamic out")
    largest, places = site.ops("MaxPool", image, outputs=2, **shape)
    pixels = site.vector([site.size(0, 2) * site.size(0, 3)])
    return [largest, site.op("Cast", site.op("Mod", places, pixels), to=FLOAT)]


FLOAT, INT64 = 1, 7
"""Numbers of types in ONNX."""


def _reach(site: Site, window: PoolingWindow) -> tuple[int, int]:
    """How far the last windows reach beyond the padded image (height, width), at a size that is known."""
    reach = []
    axes = zip(site.shapes[0][2:], site.top_shapes[0][2:], window.extent, window.stride, window.pad, strict=True)
    for size, pooled, kernel, stride, pad in axes:
        if (pooled - 1) * stride >= size + pad:
            site.unsupported("its last window lies wholly beyond the image (stride is larger than kernel_size)")
        reach.append(max(0, (pooled - 1) * stride + kernel - (size + 2 * pad)))
    return reach[0], reach[1]


def _overhang(site: Site, window: PoolingWindow, average: bool) -> tuple[int, int]:
    """How far the last windows may reach beyond the padding, at any size."""
    beyond = window.overhang or (0, 0)
    if average or any(o >= e - p for o, e, p in zip(beyond, window.extent, window.pad, strict=True)):
        site.unsupported("with this overhang its size cannot be left open; leave --dynamic out")
    return beyond


def _too_wide(pads: Sequence[int], window: PoolingWindow) -> bool:
    """Whether runtimes refuse the pads of a window with a dilation: they must be smaller than its taps are many."""
    return any(p >= k for p, k in zip(pads, window.kernel * 2, strict=True))


def _borders(site: Site, pads: Sequence[int]) -> str:
    """The pads of height and width as those of a Pad operator."""
    return site.integers([0, 0, *pads[:2], 0, 0, *pads[2:]])


def _trimmed(site: Site, window: PoolingWindow, border: float) -> tuple[str, PoolingWindow]:
    """The padded image without what Caffe's windows never see, so that ceil_mode gives the right size.

    Where stride + pad > kernel_size, ONNX and Caffe disagree on whether a window may start in the padding. Caffe has as
    many windows as start before the padding behind the image: min(ceil((size + 2 pad - kernel) / stride) + 1,
    ceil((size + pad) / stride)).
    """
    if not any(window.pad):
        site.unsupported("with stride > kernel_size windows may lie beyond the image; export it without --dynamic")
    image = site.op("Pad", site.bottom, _borders(site, [*window.pad, *window.pad]), site.real(border))
    ends: list[Size] = []
    for axis, (kernel, stride, pad) in enumerate(zip(window.extent, window.stride, window.pad, strict=True)):
        size = site.size(0, 2 + axis)
        if isinstance(size, int):
            seen: Size = min(size + 2 * pad, (site.top_shapes[0][2 + axis] - 1) * stride + kernel)
        else:
            windows = ((size + (2 * pad - kernel + stride - 1)) // stride + 1).at_most(
                (size + (pad + stride - 1)) // stride
            )
            seen = ((windows - 1) * stride + kernel).at_most(size + 2 * pad)
        ends.append(seen)
    image = site.op("Slice", image, site.integers([0, 0]), site.vector(ends), site.integers([2, 3]))
    return image, PoolingWindow(window.kernel, window.stride, (0, 0), window.dilation)


def _average(
    site: Site, image: str, window: PoolingWindow, beyond: tuple[int, int], shape: dict[str, Attribute]
) -> str:
    """Caffe divides by the pixels of the window within image and padding, not by those beyond.

    So if a window reaches beyond, the padding is made part of the image, and what is beyond is not counted.
    """
    pads = [*window.pad, *window.pad]
    whole = not ("ceil_mode" in shape or any(beyond))
    if whole and not _too_wide(pads, window):
        return site.op("AveragePool", image, pads=pads, count_include_pad=1, **shape)
    if any(pads):
        image = site.op("Pad", image, _borders(site, pads))
    if whole:
        return site.op("AveragePool", image, pads=[0] * 4, **shape)
    if _too_wide([0, 0, *beyond], window):
        site.unsupported(f"an average cannot leave out {max(beyond)} pixels beyond the image")
    return site.op("AveragePool", image, pads=[0, 0, *beyond], count_include_pad=0, **shape)


@translates("Upsample", "Unpooling")
def unpooling(site: Site) -> str:
    """Values scattered into planes of zeros."""
    if len(site.bottoms) != 2:
        site.unsupported("only unpooling with positions from a Pooling layer (bottom 1) has a counterpart")
    height, width = (_top_size(site, axis) for axis in (0, 1))
    planes = [site.size(0, 0), site.size(0, 1)]
    zeros = site.op("ConstantOfShape", site.vector([*planes, height * width]))
    flat = site.integers([0, 0, -1])
    values = site.op("Reshape", site.bottom, flat)
    places = site.op("Cast", site.op("Reshape", site.bottoms[1], flat), to=INT64)
    scattered = site.op("ScatterElements", zeros, places, values, axis=2)
    return site.op("Reshape", scattered, site.vector([*planes, height, width]))


def _top_size(site: Site, axis: int) -> Size:
    """Height (0) or width (1) of the top by the layer's own rule."""
    below, above = site.size(0, 2 + axis), site.top_shapes[0][2 + axis]
    if isinstance(below, int):
        return above
    if site.layer.type == "Unpooling":
        param = site.param.unpooling_param
        size = read_pair(site.layer, param, "unpool_size", None)
        window = read_pooling_window(site.layer, param)
        kernel, stride = window.kernel[axis], window.stride[axis]
        return size[axis] if size else below * stride + max(kernel - stride, 1)
    param = site.param.upsample_param
    if param.HasField("upsample_h"):
        return above
    scale = getattr(param, f"scale_{'hw'[axis]}") if param.HasField("scale_h") else param.scale
    return below * int(scale) - int(getattr(param, f"pad_out_{'hw'[axis]}"))
