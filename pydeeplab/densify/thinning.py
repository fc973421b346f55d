"""Fully connected layers as convolutions: their weights reshaped, and thinned by leaving taps and filters out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pydeeplab.densify.head import Head, Plain
from pydeeplab.densify.subject import Site, Subject
from pydeeplab.errors import UsageError

__all__ = ["Converted", "convert", "same_padding", "taps"]

Indices = NDArray[np.intp]


def taps(size: int, wanted: int) -> Indices:
    """Which of ``size`` rows of a kernel stay when ``wanted`` are to stay: evenly spaced, as far apart as possible.

    Examples
    --------
    >>> taps(7, 3), taps(7, 4), taps(6, 3)
    (array([0, 3, 6]), array([0, 2, 4, 6]), array([0, 2, 4]))
    """
    step = (size - 1) // (wanted - 1) if wanted > 1 else 1
    begin = (size - 1 - step * (wanted - 1)) // 2
    return begin + step * np.arange(wanted, dtype=np.intp)


@dataclass(frozen=True)
class Converted:
    """A fully connected layer as a convolution.

    Attributes
    ----------
    map_shape
        (channels, height, width) of what the layer saw.
    rows, columns, inputs, outputs
        Which taps, input channels and filters stay.
    """

    site: Site
    map_shape: tuple[int, int, int]
    rows: Indices
    columns: Indices
    inputs: Indices
    outputs: Indices

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the window."""
        return len(self.rows), len(self.columns)

    @property
    def bias(self) -> bool:
        """Whether it has one."""
        return bool(self.site.param.inner_product_param.bias_term)

    @property
    def how(self) -> str:
        """Where its weights come from: "reshaped" or "decimated"."""
        whole = (int(self.site.param.inner_product_param.num_output), *self.map_shape)
        return "reshaped" if self.shape == whole else "decimated"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the weights."""
        return len(self.outputs), len(self.inputs), *self.kernel

    @property
    def kept_filters(self) -> str:
        """What happens to the parameters of a layer behind it, one for each filter: "kept" or "decimated"."""
        return "kept" if len(self.outputs) == self.site.param.inner_product_param.num_output else "decimated"

    def thinned(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Those of one value for each filter that belong to the filters that stay; other arrays as they are."""
        whole = array.shape == (self.site.param.inner_product_param.num_output,)
        return array[self.outputs] if whole else array

    def arrays(self) -> list[NDArray[np.float32]]:
        """Weights and perhaps a bias."""
        weights, *bias = self.site.arrays
        matrix = weights.T if self.site.param.inner_product_param.transpose else weights
        filters = matrix.reshape(-1, *self.map_shape)
        kept = filters[np.ix_(self.outputs, self.inputs, self.rows, self.columns)]
        return [np.ascontiguousarray(kept), *(b[self.outputs] for b in bias)]


def convert(subject: Subject, head: Head, seed: int) -> list[Converted]:
    """The hidden fully connected layers as convolutions, thinned as the head asks.

    Parameters
    ----------
    seed
        Of the choice of filters where there are fewer than before; the same choice for all branches.

    Raises
    ------
    UsageError
        A layer is smaller than what the head asks for, or does not see a whole map.
    """
    draw = np.random.default_rng(seed)
    result: list[Converted] = []
    inputs: Indices | None = None
    for site in subject.fully_connected:
        shape = _map_shape(site, subject) if inputs is None else (_size(site), 1, 1)
        rows, columns = (np.arange(n) for n in shape[1:])
        outputs = np.arange(site.param.inner_product_param.num_output)
        if not isinstance(head, Plain):
            if inputs is None:
                rows, columns = (_thinned(site, n, head.kernel_size) for n in shape[1:])
            if head.channels is not None:
                outputs = _chosen(site, len(outputs), head.channels, draw)
        result.append(Converted(site, shape, rows, columns, np.arange(shape[0]) if inputs is None else inputs, outputs))
        inputs = outputs
    return result


def _size(site: Site) -> int:
    return math.prod(site.bottom_shapes[0][1:])


def _map_shape(site: Site, subject: Subject) -> tuple[int, int, int]:
    if site.param.inner_product_param.axis != 1:
        raise site.error(f"only axis 1 makes a convolution, got axis {site.param.inner_product_param.axis}")
    shapes = [s.top_shapes[list(s.param.top).index(subject.last)] for s in subject.trunk if subject.last in s.param.top]
    channels, height, width = shapes[-1][1:]
    for shape in ((channels, height, width), (channels, 1, 1)):
        if math.prod(shape) == _size(site):
            return shape
    raise site.error(
        f"sees {_size(site)} values, but the map before it, '{subject.last}', has {channels} x {height} x {width}: it "
        "cannot become a convolution. State the size that the net was trained for: --input-size HxW."
    )


def _thinned(site: Site, size: int, wanted: int) -> Indices:
    if wanted > size:
        raise site.error(
            f"its window has {size} rows or columns, and cannot be thinned to {wanted}. "
            f"LargeFOV can ask for {size} x {size} or less."
        )
    return taps(size, wanted)


def _chosen(site: Site, count: int, wanted: int, draw: np.random.Generator) -> Indices:
    if wanted > count:
        raise UsageError(
            f"layer '{site.name}' has {count} filters, and cannot be thinned to {wanted}. Ask for at most {count}, or "
            "leave the channels out: all are kept then."
        )
    return np.sort(draw.choice(count, wanted, replace=False)) if wanted < count else np.arange(count)


def same_padding(kernel: Sequence[int], rate: Sequence[int], name: str) -> tuple[int, ...]:
    """The pad that keeps the size of the map.

    Raises
    ------
    UsageError
        There is none: an even kernel with an odd rate.
    """
    reach = [(k - 1) * r for k, r in zip(kernel, rate, strict=True)]
    if any(r % 2 for r in reach):
        raise UsageError(
            f"layer '{name}': a window of {kernel[0]} x {kernel[1]} with rate {rate[0]} cannot be centred, so that "
            f"scores would lie between pixels. Choose an even rate, such as {rate[0] + 1}, or thin the window to an "
            "odd size: --largefov 3x3:12:1024."
        )
    return tuple(r // 2 for r in reach)
