"""Layers that move, cut, resize or relabel values: Interp, Crop, Padding, Reshape, Flatten and Permute."""

from __future__ import annotations

from pydeeplab.export.site import Site, translates
from pydeeplab.export.sizes import Size

TO_THE_END = 2**31 - 1


@translates("Interp")
def interp(site: Site) -> str:
    """Linear Resize with aligned corners, of what negative pads leave."""
    param = site.param.interp_param
    if site.layer.is_label:
        site.unsupported("it resizes labels; use the deploy prototxt")
    image = _cut(site, -param.pad_beg, param.pad_end)
    window = [site.size(0, axis) + (param.pad_beg + param.pad_end) for axis in (2, 3)]
    sizes = [_interp_size(site, axis, size) for axis, size in enumerate(window)]
    target = site.vector([site.size(0, 0), site.size(0, 1), *sizes])
    return site.op("Resize", image, "", "", target, mode="linear", coordinate_transformation_mode="align_corners")


def _interp_size(site: Site, axis: int, size: Size) -> Size:
    """Height (0) or width (1) of the top by the layer's own rule."""
    param = site.param.interp_param
    if isinstance(size, int):
        return site.top_shapes[0][2 + axis]
    shrink, zoom = param.HasField("shrink_factor"), param.HasField("zoom_factor")
    if param.HasField("height") and param.HasField("width") and shrink == zoom:
        return site.top_shapes[0][2 + axis]
    if shrink:
        size = (size - 1) // int(param.shrink_factor) + 1
    return (size - 1) * int(param.zoom_factor) + 1 if zoom else size


def _cut(site: Site, begin: int, end: int) -> str:
    """Bottom 0 without ``begin`` rows and columns before and ``-end`` behind."""
    if not begin and not end:
        return site.bottom
    ends = site.integers([end or TO_THE_END] * 2)
    return site.op("Slice", site.bottom, site.integers([begin] * 2), ends, site.integers([2, 3]))


@translates("Crop")
def crop(site: Site) -> str:
    """Slice to the size of bottom 1."""
    param, ndim = site.param.crop_param, len(site.shapes[0])
    axes = list(range(param.axis % ndim, ndim))
    given = [int(offset) for offset in param.offset] or [0]
    offsets = given if len(given) == len(axes) else given * len(axes)
    ends = [site.size(1, axis) + offset for axis, offset in zip(axes, offsets, strict=True)]
    return site.op("Slice", site.bottom, site.integers(offsets), site.vector(ends), site.integers(axes))


@translates("Padding")
def padding(site: Site) -> str:
    """Pad with zeros, or Slice."""
    param = site.param.padding_param
    begin, end = int(param.pad_beg), int(param.pad_end)
    if begin + end < 0:
        return _cut(site, -begin, end)
    return site.op("Pad", site.bottom, site.integers([0, 0, begin, begin, 0, 0, end, end]))


@translates("Reshape", "Flatten")
def reshape(site: Site) -> str:
    """Reshape."""
    return site.reshape_to_top(site.bottom)


@translates("Permute")
def permute(site: Site) -> str:
    """Transpose."""
    order = [int(axis) for axis in site.param.permute_param.order]
    order += [axis for axis in range(len(site.shapes[0])) if axis not in order]
    return site.op("Transpose", site.bottom, perm=order)
