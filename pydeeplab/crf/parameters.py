"""The parameters of the fully connected CRF, their names in the literature, and the published settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.crf.lattice import NORMALIZATIONS
from pydeeplab.errors import DataError, UsageError, did_you_mean
from pydeeplab.json_values import read_object

__all__ = ["PRESETS", "CRFParameters", "is_parameter_file"]

_LISTS = ("bi_w", "bi_xy_std", "bi_rgb_std", "pos_w", "pos_xy_std")
_SHORT = {
    "w": "bi_w",
    "xy": "bi_xy_std",
    "rgb": "bi_rgb_std",
    "bi_xy": "bi_xy_std",
    "bi_rgb": "bi_rgb_std",
    "pos_xy": "pos_xy_std",
    "iter": "iterations",
    "iters": "iterations",
    "norm": "normalization",
}
FLT_MIN = float(np.finfo(np.float32).tiny)


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    try:
        return tuple(float(v) for v in (value if isinstance(value, Sequence | np.ndarray) else (value,)))
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be a number or a list of numbers, got {value!r}") from None


@dataclass(frozen=True)
class CRFParameters:
    """How much pixels attract each other, by nearness (positional kernels) and by nearness and colour (bilateral).

    Any number of kernels of both kinds; lists of one kind have equal lengths, and a number stands for a list of one.
    The names are those of DeepLab's scripts and of Caffe's ``dense_crf_param``; the paper's (section 3.2), and the
    cross-validation's, are

    ================  =====================  ==================================================
    here              paper                  meaning
    ================  =====================  ==================================================
    ``bi_w``          w1                     weight of the bilateral kernel
    ``bi_xy_std``     sigma_alpha            its standard deviation in pixels
    ``bi_rgb_std``    sigma_beta             its standard deviation in grey levels (0..255)
    ``pos_w``         w2                     weight of the positional (smoothness) kernel
    ``pos_xy_std``    sigma_gamma            its standard deviation in pixels
    ================  =====================  ==================================================

    Krähenbühl and Koltun call the deviations theta_alpha, theta_beta, theta_gamma. In pydensecrf the weights are
    ``compat``, the deviations ``sxy`` and ``srgb``.

    Attributes
    ----------
    iterations : int
        Mean-field iterations, 0 or more. 10 in all of DeepLab's settings.
    normalization : {"after", "symmetric", "before", "none"}
        "after" divides each pixel's messages by the sum of its kernel (DeepLab); "symmetric" is pydensecrf's default.
    compatibility : (C, C) array, or one for each kernel, positional kernels first
        mu(l, l'), the penalty that class l pays for a neighbour of class l', times the kernel's weight. None is the
        Potts model: 0 for equal classes, 1 for others.
    min_probability : float
        Probabilities below this one are raised to it before their logarithm is taken.

    Raises
    ------
    UsageError
        Lists of different lengths, deviations that are not positive, an unknown normalisation.

    Examples
    --------
    >>> CRFParameters.parse("voc12-largefov,iter=5").bi_xy_std
    (121.0,)
    >>> CRFParameters.parse("w=4/2,xy=40/10,rgb=8/4,pos_w=3,pos_xy=3").bi_w
    (4.0, 2.0)
    """

    bi_w: tuple[float, ...] = (4.0,)
    bi_xy_std: tuple[float, ...] = (121.0,)
    bi_rgb_std: tuple[float, ...] = (5.0,)
    pos_w: tuple[float, ...] = (3.0,)
    pos_xy_std: tuple[float, ...] = (3.0,)
    iterations: int = 10
    normalization: str = "after"
    compatibility: NDArray[Any] | Sequence[NDArray[Any]] | None = field(default=None, compare=False)
    min_probability: float = FLT_MIN

    def __post_init__(self) -> None:
        for name in _LISTS:
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))
        self._check_lists(("bi_w", "bi_xy_std", "bi_rgb_std"))
        self._check_lists(("pos_w", "pos_xy_std"))
        if self.iterations != int(self.iterations) or self.iterations < 0:
            raise UsageError(f"iterations must be a whole number, 0 or more, got {self.iterations}")
        object.__setattr__(self, "iterations", int(self.iterations))
        if self.normalization not in NORMALIZATIONS:
            raise UsageError(
                f"unknown normalization '{self.normalization}'; known are {', '.join(NORMALIZATIONS)}."
                f"{did_you_mean(self.normalization, NORMALIZATIONS)}"
            )
        if not 0 < self.min_probability < 1:
            raise UsageError(f"min_probability must be between 0 and 1, got {self.min_probability}")

    def _check_lists(self, names: Sequence[str]) -> None:
        lengths = {name: len(getattr(self, name)) for name in names}
        if len(set(lengths.values())) > 1:
            given = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise UsageError(f"every kernel needs a value in each of {', '.join(names)}; {given}")
        for name in names:
            for value in getattr(self, name):
                if not math.isfinite(value) or (name.endswith("_std") and value <= 0):
                    raise UsageError(
                        f"{name} must be {'positive' if name.endswith('_std') else 'finite'}, got {value:g}"
                    )

    @property
    def kernels(self) -> int:
        """The number of kernels, positional and bilateral."""
        return len(self.pos_w) + len(self.bi_w)

    def matrices(self, classes: int) -> list[NDArray[np.float32] | None]:
        """The compatibility of each kernel (None: Potts), positional kernels first.

        Raises
        ------
        UsageError
            A matrix is not (classes, classes), or there is neither one nor one for each kernel.
        """
        if self.compatibility is None:
            return [None] * self.kernels
        given = np.asarray(self.compatibility, np.float32)
        matrices = [given] * self.kernels if given.ndim == 2 else list(given)
        if len(matrices) != self.kernels or any(m.shape != (classes, classes) for m in matrices):
            raise UsageError(
                f"compatibility must be one {classes} x {classes} matrix, or one for each of {self.kernels} kernels; "
                f"got shape {given.shape}"
            )
        return matrices

    @classmethod
    def parse(cls, text: str) -> CRFParameters:
        """Read ``"w=4,xy=121,rgb=5,pos_w=3,pos_xy=3,iter=10,norm=after"``, a preset's name, or one with changes.

        Several kernels of a kind are separated by slashes: ``w=4/2,xy=40/10,rgb=8/4``; an empty list
        (``pos_w=,pos_xy=``) means none. Full names work too. In a preset's place a file's name may stand that ends in
        .json: an object whose ``"params"`` is such a text, as `pydeeplab crf-search` writes it.

        Raises
        ------
        UsageError
            An unknown preset or name, a value that is no number, or a file that is no such object.
        """
        words = [word.strip() for word in text.split(",") if word.strip()]
        base = cls()
        if words and "=" not in words[0]:
            base = _read_file(words.pop(0)) if is_parameter_file(words[0]) else preset(words.pop(0))
        known = [f.name for f in fields(cls) if f.name != "compatibility"]
        changes: dict[str, Any] = {}
        for word in words:
            name, equals, value = (part.strip() for part in word.partition("="))
            full = _SHORT.get(name, name)
            if full not in known or not equals:
                choices = (*known, *_SHORT)
                raise UsageError(
                    f"cannot read CRF parameter '{word}'; write NAME=VALUE with a name of {', '.join(choices)}."
                    f"{did_you_mean(name, choices)}"
                )
            changes[full] = _value(full, value)
        return replace(base, **changes)

    def __str__(self) -> str:
        """The text that `parse` reads back (without the compatibility)."""
        short = {"bi_w": "w", "bi_xy_std": "xy", "bi_rgb_std": "rgb", "pos_w": "pos_w", "pos_xy_std": "pos_xy"}
        lists = [f"{short[name]}={'/'.join(f'{v:g}' for v in getattr(self, name))}" for name in _LISTS]
        rest = [f"iter={self.iterations}", f"norm={self.normalization}"]
        if self.min_probability != FLT_MIN:
            rest.append(f"min_probability={self.min_probability:g}")
        return ",".join(lists + rest)


def is_parameter_file(text: str) -> bool:
    """Whether the text that parameters come from names a file."""
    return text.split(",")[0].strip().lower().endswith(".json")


def _read_file(name: str) -> CRFParameters:
    try:
        text = read_object(name).get("params")
    except DataError as error:
        raise UsageError(f"CRF parameters {error}") from None
    if not isinstance(text, str) or is_parameter_file(text):
        raise UsageError(f"""CRF parameters {name}: expected an object with "params": "w=...,xy=...,rgb=...\"""")
    try:
        return CRFParameters.parse(text)
    except UsageError as error:
        raise UsageError(f"CRF parameters {name}: {error}") from None


def _value(name: str, text: str) -> Any:
    if name == "normalization":
        return text
    try:
        if name == "iterations":
            return int(text)
        if name == "min_probability":
            return float(text)
        return tuple(float(part) for part in text.split("/")) if text else ()
    except ValueError:
        raise UsageError(f"cannot read CRF parameter {name}={text}: expected a number") from None


def _published(bi_w: float, bi_xy_std: float, bi_rgb_std: float, **others: Any) -> CRFParameters:
    return CRFParameters((bi_w,), (bi_xy_std,), (bi_rgb_std,), **others)


PRESETS: dict[str, CRFParameters] = {
    "voc12-largefov": _published(4, 121, 5),
    "voc12-vgg128-noup": _published(5, 50, 10),
    "voc12-msc": _published(3, 95, 3),
    "voc12-coco": _published(5, 63, 3),
    "voc12-coco-mix": _published(5, 67, 3),
    "voc12-msc-coco": _published(4, 81, 2),
    "voc12-7x7": _published(4, 72, 5),
    "voc12-20m": _published(5, 71, 3),
    "voc12-largewin": _published(4, 123, 5),
    "voc12-largewin2": _published(4, 175, 5),
    "voc12-largewin-coco": _published(4, 65, 5),
    "voc12-largewin3-coco": _published(5, 69, 5),
    "voc12-attention-coco": _published(4, 49, 5),
    "voc12-resnet101": _published(4, 67, 3, pos_xy_std=(1.0,), normalization="symmetric", min_probability=1e-5),
    "voc12-bbox-erode": _published(41, 33, 4),
    "voc12-bbox-erode20": _published(45, 37, 3, pos_w=(15.0,)),
    "person-part-largewin": _published(5, 13, 3),
    "person-part-largewin4": _published(4, 21, 3),
    "person-part-ms": _published(5, 9, 5),
    "person-part-deconv-ms12": _published(3, 19, 3),
    "refine-program": _published(5, 70, 5),
    "python-port": _published(5, 50, 3),
}
"""Settings by name: those of DeepLab's experiments, its programs' defaults, and (voc12-resnet101) deeplab-pytorch's.

``voc12-largefov`` is the released LargeFOV family's, and the default.
"""


def preset(name: str) -> CRFParameters:
    """The preset of that name; `UsageError` with the known ones otherwise."""
    if name not in PRESETS:
        raise UsageError(f"unknown CRF preset '{name}'; known are {', '.join(PRESETS)}.{did_you_mean(name, PRESETS)}")
    return PRESETS[name]
