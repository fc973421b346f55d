"""Writing the windows of a dense net: pads, strides, dilations and overhangs in the layers' parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydeeplab.densify.pace import Step
from pydeeplab.layers.pooling_window import PoolingWindow, read_pooling_window
from pydeeplab.layers.window import Window

__all__ = ["WINDOWS", "Windows", "dense_layer"]

Windows = Literal["exact", "deeplab"]
WINDOWS: tuple[Windows, ...] = ("exact", "deeplab")
"""How windows are made dense: every one as in the classification net, or as the authors of DeepLab did it."""


def dense_layer(step: Step, windows: Windows) -> Any:
    """A copy of a trunk's layer with the window that it has in the dense net.

    ``exact``: the taps of convolutions and poolings move apart by the rate, pads grow with it, and the last windows of
    a pooling reach as far beyond the image as rounding up made them reach before; then what stands at every
    rate-th element is what stood in the classification net, borders included.

    ``deeplab``: convolutions get the rate too, but padding that keeps the size; poolings keep their window without a
    rate, made odd and centred (2x2 becomes 3x3 with pad 1), as in the published nets. Sizes of 8k+1 then stay aligned
    without further layers.
    """
    param = type(step.site.param)()
    param.CopyFrom(step.site.param)
    if step.site.geometry is None:
        return param
    if param.type == "Convolution":
        _convolution(param.convolution_param, step, windows)
    elif param.type == "Pooling":
        _pooling(param.pooling_param, step, windows)
    return param


def _convolution(param: Any, step: Step, windows: Windows) -> None:
    window: Window = step.site.layer.window  # type: ignore[attr-defined]
    dilation = _stretched(window, step.rate)
    pad = _product(window.pad, step.rate)
    if windows == "deeplab":
        centred = zip(window.kernel, dilation, pad, strict=True)
        pad = tuple(d * (k - 1) // 2 if k % 2 else p for k, d, p in centred)
    _write(param, "stride", step.stride, window.stride)
    _write(param, "pad", pad, window.pad)
    _write(param, "dilation", dilation, window.dilation)


def _pooling(param: Any, step: Step, windows: Windows) -> None:
    window = read_pooling_window(step.site.layer, param)
    if windows == "deeplab":
        _centre(param, window, step)
        return
    _write(param, "stride", step.stride, window.stride)
    _write(param, "pad", _product(window.pad, step.rate), window.pad)
    _write(param, "dilation", _stretched(window, step.rate), window.dilation)
    beyond = window.overhang or tuple(s - 1 for s in window.stride)
    overhang = _product(beyond, step.rate)
    if overhang != tuple(s - 1 for s in step.stride) and (overhang, step.stride) != (beyond, window.stride):
        _write(param, "overhang", overhang, ())


def _centre(param: Any, window: PoolingWindow, step: Step) -> None:
    kernel = tuple(k | 1 for k in window.kernel)
    _write(param, "kernel", kernel, window.kernel)
    _write(param, "stride", step.stride, window.stride)
    _write(param, "pad", tuple(k // 2 for k in kernel), window.pad)


def _stretched(window: Window | PoolingWindow, rate: Sequence[int]) -> tuple[int, ...]:
    """The dilation with a rate; windows of one pixel need none."""
    return tuple(d * r if k > 1 else d for k, d, r in zip(window.kernel, window.dilation, rate, strict=True))


def _product(values: Sequence[int], rate: Sequence[int]) -> tuple[int, ...]:
    return tuple(v * r for v, r in zip(values, rate, strict=True))


def _write(param: Any, stem: str, values: Sequence[int], before: Sequence[int]) -> None:
    """Set ``stride`` and the like to values for height and width, unless they have them: once if both are the same."""
    if tuple(values) == tuple(before):
        return
    fields = param.DESCRIPTOR.fields_by_name
    whole = "kernel_size" if stem == "kernel" else stem
    split = [f"{stem}_h", f"{stem}_w"]
    for name in (whole, *split):
        if name in fields:
            param.ClearField(name)
    same = len(set(values)) == 1
    default = {"pad": 0, "kernel": None, "overhang": None}.get(stem, 1)
    if same and values[0] == default:
        return
    target = getattr(param, whole)
    if hasattr(target, "extend"):
        target.extend(values[:1] if same else values)
    elif same:
        setattr(param, whole, values[0])
    else:
        for name, value in zip(split, values, strict=True):
            setattr(param, name, value)
