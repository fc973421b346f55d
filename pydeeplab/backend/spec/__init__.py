"""The kernel table: what every kernel is called, takes and gives, and where its definition comes from.

Each module of this package describes one family of kernels in a list ``KERNELS``; the families carry the same names
(stems) in ``backend/reference`` and in ``kernels/cpu``. A kernel's arguments are written as text:

    in x[N,C,H,W], in? bias[C], out y[N,C,P,Q], out index[N,C,P,Q]:int32, scratch work[*], int kernel_h, float slope

``in``, ``out`` (overwritten), ``inout`` and ``scratch`` (contents undefined) are C-contiguous arrays of the net's
floating type unless another is named; ``?`` allows None. Dimensions are symbols that must agree among the arguments;
``*`` takes whatever comes; ``in host`` arrays lie in the host's memory on every backend. ``int``, ``float`` and
``bool`` are scalars. Arguments are passed by position in this order.

A star, as in ``in* x``, ``out* y`` or ``in?* other``, stands for several arrays, one of each *picture*. Callers pass
lists of one length, at least 1; with ``?`` entries may be None, and so may the list. Dimensions must agree picture by
picture: those that only starred arguments have may differ from picture to picture. On the CPU a kernel takes all
pictures at once; kernels of other backends take one, and are called for each.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass

__all__ = ["Array", "Kernel", "Scalar", "kernel", "kernels", "stems"]

_ARRAY = re.compile(r"(in|out|inout|scratch)(\?)?(\*)?( host)?\s+(\w+)\[([^\]]*)\](?::(\w+))?$")
_SCALAR = re.compile(r"(int|float|bool)\s+(\w+)$")


@dataclass(frozen=True)
class Array:
    """An array argument.

    ``access`` is in, out, inout or scratch; ``dtype`` real (the net's type) or a NumPy name; ``host`` arrays are never
    on a device. ``several``: the caller passes a list, an array of each picture.
    """

    name: str
    access: str
    dims: tuple[str, ...]
    dtype: str = "real"
    optional: bool = False
    host: bool = False
    several: bool = False


@dataclass(frozen=True)
class Scalar:
    """A scalar argument; ``kind`` is int, float or bool."""

    name: str
    kind: str


@dataclass(frozen=True)
class Kernel:
    """One row of the table.

    ``source`` is the equation or Caffe layer that defines it. ``tolerance`` bounds the error against the reference
    backend, as a share of the largest value (0: equal).
    ``variant_of`` names the kernel whose cases this faster variant must pass too. ``only`` names the one backend,
    beside reference, that has it.
    """

    name: str
    arguments: tuple[Array | Scalar, ...]
    source: str
    tolerance: float = 1e-5
    variant_of: str | None = None
    only: str | None = None

    @property
    def sizes(self) -> list[str]:
        """The symbols of its arrays' dimensions, in the order in which they appear first."""
        return list(dict.fromkeys(d for a in self.arguments if isinstance(a, Array) for d in a.dims))

    @property
    def several(self) -> list[int]:
        """The places of the arguments of which there is one of each picture."""
        return [i for i, a in enumerate(self.arguments) if isinstance(a, Array) and a.several]


def kernel(
    name: str,
    signature: str,
    *,
    source: str,
    tolerance: float = 1e-5,
    variant_of: str | None = None,
    only: str | None = None,
) -> Kernel:
    """Parse ``signature`` (see the package docstring) into a row of the table."""
    arguments: list[Array | Scalar] = []
    for text in re.split(r",(?![^\[]*\])", signature):
        text = text.strip()
        if match := _ARRAY.match(text):
            access, optional, several, host, label, dims, dtype = match.groups()
            symbols = tuple(d.strip() for d in dims.split(",") if d.strip())
            symbols = tuple(f"{label}_size" if d == "*" else d for d in symbols)
            flags = bool(optional), bool(host), bool(several)
            arguments.append(Array(label, access, symbols, dtype or "real", *flags))
        elif match := _SCALAR.match(text):
            arguments.append(Scalar(match[2], match[1]))
        else:
            raise ValueError(f"kernel {name}: cannot read argument '{text}'")
    arrays = [a for a in arguments if isinstance(a, Array)]
    if any(a.several for a in arrays) and any(a.access == "out" and not a.several for a in arrays):
        raise ValueError(f"kernel {name}: what it overwrites for each of several pictures must be starred too")
    return Kernel(name, tuple(arguments), source, tolerance, variant_of, only)


def stems() -> list[str]:
    """The names of the kernel families, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def kernels() -> dict[str, tuple[str, Kernel]]:
    """Every kernel of the table: name -> (stem, kernel)."""
    table: dict[str, tuple[str, Kernel]] = {}
    for stem in stems():
        for row in importlib.import_module(f"{__name__}.{stem}").KERNELS:
            if row.name in table:
                raise ValueError(f"kernel {row.name} is in two families: {table[row.name][0]} and {stem}")
            table[row.name] = (stem, row)
    return table
