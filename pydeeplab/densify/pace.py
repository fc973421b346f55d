"""How far apart the elements of each blob lie: in the classification net, and in the dense one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pydeeplab.densify.subject import Site
from pydeeplab.errors import UsageError

__all__ = ["LARGEST", "Pace", "Step", "follow", "possible_strides"]

Pair = tuple[Fraction, Fraction]

POINTWISE = {
    "AbsVal", "BN", "BNLL", "BatchNorm", "Bias", "Clip", "Concat", "Dropout", "ELU", "Eltwise", "Exp", "Log", "PReLU",
    "Power", "ReLU", "Scale", "Sigmoid", "Slice", "Softmax", "SpatialProduct", "Split", "Swish", "TanH", "Threshold",
}  # fmt: skip
"""Layers whose every element depends on nothing but the elements in its place."""

LARGEST = 1024
"""The largest output stride that is considered."""

GLOBAL = {"InnerProduct", "Reduction"}
"""Layers whose tops do not lie on the image."""


@dataclass(frozen=True)
class Pace:
    """Input pixels (height, width) from one element of a blob to the next, as it was and as it becomes."""

    old: Pair = (Fraction(1), Fraction(1))
    new: Pair = (Fraction(1), Fraction(1))

    @property
    def rate(self) -> tuple[int, int]:
        """Elements of the dense blob for one of the old, along each axis: the rate that windows on it need."""
        height, width = (int(o / n) for o, n in zip(self.old, self.new, strict=True))
        return height, width

    def after(self, old: Sequence[Fraction | int], new: Sequence[Fraction | int]) -> Pace:
        """Behind a layer that multiplies the strides by these."""
        return Pace(
            (self.old[0] * old[0], self.old[1] * old[1]),
            (self.new[0] * new[0], self.new[1] * new[1]),
        )

    def __str__(self) -> str:
        (a, b), (c, d) = self.old, self.new
        return f"stride {a if a == b else f'{a} x {b}'} made {c if c == d else f'{c} x {d}'}"


@dataclass(frozen=True)
class Step:
    """What becomes of one layer: the paces of its bottom and its top, and its stride in the dense net."""

    site: Site
    bottom: Pace | None
    top: Pace | None
    stride: tuple[int, int] = (1, 1)

    @property
    def rate(self) -> tuple[int, int]:
        """By which its window is stretched."""
        return self.bottom.rate if self.bottom else (1, 1)


def follow(sites: Iterable[Site], image: str, target: int | None) -> tuple[list[Step], dict[str, Pace | None]]:
    """Choose the stride of every layer so that none of the blobs is coarser than ``target``.

    Strides are kept as long as they fit; the one that leads beyond is reduced, those behind it become 1.

    Parameters
    ----------
    image
        The blob with the image.
    target
        The output stride in pixels; None keeps all strides.

    Returns
    -------
    steps, paces
        One step for each layer; for each blob its pace, or None where it does not lie on the image.

    Raises
    ------
    UsageError
        A stride cannot be reduced to the target, a layer looks at neighbours and has no rate, or the bottoms of a
        layer have different paces. The message names layer and blobs.
    """
    paces: dict[str, Pace | None] = {image: Pace()}
    steps = []
    for site in sites:
        step = _through(site, paces, target)
        paces.update(dict.fromkeys(site.param.top, step.top))
        steps.append(step)
    return steps, paces


def _through(site: Site, paces: Mapping[str, Pace | None], target: int | None) -> Step:
    bottom = _common(site, paces)
    kind = site.param.type
    if bottom is None or kind in GLOBAL or site.is_global_pooling:
        return Step(site, bottom, None)
    if kind in ("Convolution", "Pooling"):
        if site.geometry is None:
            raise site.error("has no two spatial axes and cannot be made dense")
        stride = _reduced(site, bottom, target)
        return Step(site, bottom, bottom.after(site.geometry.stride, stride), stride)
    if _is_pointwise(site):
        return Step(site, bottom, bottom)
    if bottom.rate != (1, 1):
        raise site.error(
            f"sees more than the element in its place, and has no rate that could make up for the strides before it "
            f"({bottom}). Choose a larger --output-stride, or take the layer out."
        )
    factor = _resizing(site)
    return Step(site, bottom, None if factor is None else bottom.after(factor, factor))


def _is_pointwise(site: Site) -> bool:
    if site.param.type == "LRN":
        return bool(site.param.lrn_param.norm_region == site.param.lrn_param.ACROSS_CHANNELS)
    return site.param.type in POINTWISE and site.bottom_shapes[0][2:] == site.top_shapes[0][2:]


def _common(site: Site, paces: Mapping[str, Pace | None]) -> Pace | None:
    """The pace of all bottoms that lie on the image."""
    known = {name: pace for name in site.param.bottom if (pace := paces.get(name)) is not None}
    if len(set(known.values())) > 1:
        parts = ", ".join(f"'{name}' {pace} (rate {'x'.join(map(str, pace.rate))})" for name, pace in known.items())
        raise site.error(
            f"its bottoms would not lie on the same pixels any more: {parts}. "
            "Choose an --output-stride at which these branches keep their strides."
        )
    return next(iter(known.values()), None)


def _reduced(site: Site, bottom: Pace, target: int | None) -> tuple[int, int]:
    assert site.geometry is not None
    stride = []
    for old, before, rate in zip(site.geometry.stride, bottom.new, bottom.rate, strict=True):
        if target is None or old == 1 or (rate == 1 and before * old <= target):
            stride.append(old)
        elif rate > 1:
            stride.append(1)
        else:
            room = target / before
            if room.denominator > 1 or old % room.numerator:
                raise site.error(f"its stride of {old} behind a stride of {before} cannot give a stride of {target}.")
            stride.append(room.numerator)
    return stride[0], stride[1]


def _resizing(site: Site) -> Pair | None:
    """How much coarser the top of a layer without a window is; None where it does not lie on the image."""
    below, above = site.bottom_shapes[0], site.top_shapes[0]
    if len(below) != 4 or len(above) != 4:
        return None
    kind, param = site.param.type, site.param.interp_param
    if kind == "Interp" and (param.HasField("shrink_factor") or param.HasField("zoom_factor")):
        factor = Fraction(param.shrink_factor, param.zoom_factor)
        return factor, factor
    if kind == "Deconvolution" and site.geometry:
        return Fraction(1, site.geometry.stride[0]), Fraction(1, site.geometry.stride[1])
    return (Fraction(1), Fraction(1)) if below[2:] == above[2:] or kind in ("Crop", "Padding") else None


def possible_strides(sites: Sequence[Site], image: str, last: str) -> list[int]:
    """The output strides that the blob ``last`` can be given, its own included."""
    own = follow(sites, image, None)[1][last]
    if own is None:
        return []
    found = []
    largest = math.floor(max(own.old))
    for target in (t for t in range(1, min(largest, LARGEST) + 1) if largest % t == 0):
        try:
            pace = follow(sites, image, target)[1][last]
        except UsageError:
            continue
        if pace is not None and set(pace.new) == {target}:
            found.append(target)
    return found
