"""Atrous convolution: sparse and dense feature extraction on a picture (figure 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.data.images import to_gray
from pydeeplab.errors import UsageError
from pydeeplab.figures.colours import signed
from pydeeplab.figures.figure import GAP, Figure, beside, ordinal, photo, stacked, titled
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.plotting.layout import Box, Part, Picture

__all__ = ["atrous_figure", "responses"]

_KERNEL = 7
_CROP = 33

_NET = """
layer {{ name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: 1 dim: 1 dim: {height} dim: {width} }} }} }}
layer {{ name: "low" type: "Convolution" bottom: "data" top: "low"
  convolution_param {{ num_output: 1 kernel_size: 1 stride: {rate} bias_term: false }} }}
layer {{ name: "sparse" type: "Convolution" bottom: "low" top: "sparse"
  convolution_param {{ num_output: 1 kernel_size: {kernel} pad: {half} bias_term: false }} }}
layer {{ name: "dense" type: "Convolution" bottom: "data" top: "dense"
  convolution_param {{ num_output: 1 kernel_size: {kernel} dilation: {rate} pad: {pad} bias_term: false }} }}
"""


def gaussian_derivative(size: int = _KERNEL) -> NDArray[np.float32]:
    """The derivative of a Gaussian along rows, (size, size), whose absolute values sum to 1."""
    at = np.arange(size) - (size - 1) / 2
    deviation = size / 5
    bell = np.exp(-(at**2) / (2 * deviation**2))
    kernel = np.outer(-at * bell, bell)
    return (kernel / np.abs(kernel).sum()).astype(np.float32)


def responses(gray: NDArray[Any], rate: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same kernel on every ``rate``-th pixel, and with holes on all pixels: sparse and dense responses.

    Computed by a net: a convolution of every ``rate``-th pixel, and one of all pixels with that dilation.
    """
    height, width = gray.shape
    half = _KERNEL // 2
    text = _NET.format(height=height, width=width, rate=rate, kernel=_KERNEL, half=half, pad=half * rate)
    net = Net.from_text(text, TEST)
    for name in ("sparse", "dense"):
        net.params[name][0].data[0, 0] = gaussian_derivative()
    net.params["low"][0].data[...] = 1
    net.blobs["data"].data[0, 0] = gray
    net.forward()
    return net.blobs["sparse"].data[0, 0].copy(), net.blobs["dense"].data[0, 0].copy()


def _implanted(sparse: NDArray[Any], rate: int, size: tuple[int, int], limit: float) -> NDArray[np.uint8]:
    """Sparse responses at their places in the picture; grey where there is none."""
    shown = np.full((*size, 3), 205, np.uint8)
    shown[::rate, ::rate] = signed(sparse, limit)
    return shown


def _kernel_picture(rate: int, cell: float) -> Picture:
    """The kernel's values at their taps, holes between them."""
    span = (_KERNEL - 1) * rate + 1
    kernel = gaussian_derivative()
    colours = signed(kernel, float(np.abs(kernel).max()))
    size = round(span * cell)
    parts: list[Part] = [Box(0, 0, size, size, fill="#dddddd", line="#bbbbbb")]
    for row in range(_KERNEL):
        for column in range(_KERNEL):
            fill = "#{:02x}{:02x}{:02x}".format(*colours[row, column].tolist())
            parts.append(Box(column * rate * cell, row * rate * cell, cell, cell, fill=fill))
    return Picture(size, size, (0, 0, size, size), parts)


def _busiest(dense: NDArray[Any], rate: int) -> tuple[int, int]:
    """The corner of the crop with the strongest responses, on the sparse grid; away from the picture's borders."""
    size, border = min(_CROP, *dense.shape), _KERNEL // 2 * rate
    best, corner = -1.0, (0, 0)
    for row in range(0, dense.shape[0] - size + 1, 4 * rate):
        for column in range(0, dense.shape[1] - size + 1, 4 * rate):
            inside = border <= min(row, column, dense.shape[0] - size - row, dense.shape[1] - size - column)
            strength = float(np.abs(dense[row : row + size, column : column + size]).mean())
            if inside and strength > best:
                best, corner = strength, (row, column)
    return corner


def _marked(picture: Picture, corner: tuple[int, int], size: int, shown: int) -> Picture:
    """A picture with a square of ``size`` of its pixels outlined; ``shown`` is how many pixels it is wide."""
    unit = picture.width / shown
    box = Box(corner[1] * unit, corner[0] * unit, size * unit, size * unit, line="#111111", line_width=1.4)
    return Picture(picture.width, picture.height, picture.frame, [*picture.parts, box])


def atrous_figure(image: NDArray[np.uint8], name: str, rate: int = 2, width: int = 270) -> Figure:
    """Sparse and dense extraction of one feature of a picture.

    Parameters
    ----------
    image : (H, W, 3) uint8
        Reduced to twice ``width`` if it is wider.
    name : str
        What to call it.
    rate : int
        Of the atrous convolution, and the stride of the sparse one; at least 2.
    width : int
        Of the pictures.
    """
    if rate < 2:
        raise UsageError(f"with rate {rate} both extractions are the same: give 2 or more")
    gray = _fitting(to_gray(image) if image.ndim == 3 else image, 2 * width)
    if min(gray.shape) < 2 * _KERNEL * rate:
        raise UsageError(f"a picture of {gray.shape[0]} x {gray.shape[1]} is too small for rate {rate}")
    sparse, dense = responses(gray - gray.mean(), rate)
    border = _KERNEL // 2 * rate
    limit = float(np.percentile(np.abs(dense[border:-border, border:-border]), 99)) or 1.0
    shown = _implanted(sparse, rate, dense.shape, limit), signed(dense, limit)
    rows = [
        _extraction(gray[::rate, ::rate], 1, shown[0], rate, width),
        _extraction(gray, rate, shown[1], rate, width),
    ]
    corner = _busiest(dense, rate)
    size = min(_CROP, *dense.shape)
    crop = np.s_[corner[0] : corner[0] + size, corner[1] : corner[1] + size]
    for row, pixels, share in zip(rows, shown, (sparse.size, dense.size), strict=True):
        responses_ = _marked(photo(pixels, width, lossy=False), corner, size, dense.shape[1])
        row.append(titled(responses_, "responses", [f"at {100 * share / dense.size:.0f} % of the positions"]))
        row.append(titled(photo(pixels[crop], 200, lossy=False), "enlarged", [f"{size} x {size} pixels"]))
    widths = (width, 100, width, 200)
    sparse_row = titled(_columns(rows[0], widths), "Sparse: convolution of the reduced picture", size=15)
    dense_row = titled(_columns(rows[1], widths), f"Dense: atrous convolution with rate {rate}", size=15)
    caption = (
        f"The vertical derivative of a Gaussian ({_KERNEL} x {_KERNEL}) as kernel, on '{name}'; blue negative, brown "
        f"positive, {limit:.2g} grey levels at full colour. Above, on every {ordinal(rate)} pixel, the kernel answers "
        f"at 1 of {rate * rate} positions (grey: no answer). Below, with holes between its taps, it answers "
        f"everywhere, with as many weights and multiplications per answer. {_agreement(sparse, dense[::rate, ::rate])}"
    )
    return Figure("atrous", "Sparse and dense feature extraction", caption, stacked([sparse_row, dense_row], 2 * GAP))


def _fitting(gray: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The picture, reduced to a width if it is wider."""
    if gray.shape[1] <= width:
        return gray
    height = max(1, round(gray.shape[0] * width / gray.shape[1]))
    return np.asarray(Image.fromarray(gray).resize((width, height), Image.Resampling.BOX))


def _agreement(sparse: NDArray[Any], dense: NDArray[Any]) -> str:
    """How far the responses differ where there are both."""
    difference = float(np.abs(dense - sparse).max())
    return "Where both answer they " + (f"differ by at most {difference:.1g}." if difference else "are equal.")


def _extraction(source: NDArray[Any], rate: int, shown: NDArray[Any], reduced: int, width: int) -> list[Picture]:
    """The input and the kernel of one of the two ways."""
    cell = 100 / ((_KERNEL - 1) * reduced + 1)
    size = round(width * source.shape[1] / shown.shape[1])
    what = "all pixels" if rate > 1 else f"every {ordinal(reduced)} pixel"
    return [
        titled(photo(source.astype(np.uint8), size), f"input: {what}", [f"{source.shape[0]} x {source.shape[1]}"]),
        titled(_kernel_picture(rate, cell), f"kernel, rate {rate}", [f"{_KERNEL**2} weights"]),
    ]


def _columns(cells: list[Picture], widths: tuple[int, ...]) -> Picture:
    """Cells side by side in columns of given widths."""
    padded = [Picture(w, c.height, c.frame, c.parts) for c, w in zip(cells, widths, strict=True)]
    return beside(padded, 2 * GAP)
