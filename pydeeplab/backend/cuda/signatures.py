"""The kernels' C signatures, derived from the kernel table.

A kernel's function takes its arguments in the table's order, arrays as pointers, and then the sizes of the arrays: the
symbols of their dimensions in the order in which they appear first. It returns 0 or an error number.
"""

from __future__ import annotations

import ctypes
from typing import Any

from pydeeplab.backend.spec import Array, Kernel, Scalar, kernels

__all__ = ["api_header", "argument_types", "prototype"]

_C_TYPES = {
    "real": "float",
    "float64": "double",
    "int64": "int64_t",
    "int32": "int32_t",
    "int16": "int16_t",
    "uint8": "uint8_t",
}
_SCALARS: dict[str, tuple[str, Any]] = {
    "int": ("int64_t", ctypes.c_int64),
    "float": ("float", ctypes.c_float),
    "bool": ("bool", ctypes.c_bool),
}
_WIDTH = 120


def argument_types(row: Kernel) -> list[Any]:
    """What ctypes must convert the arguments to."""
    given = [ctypes.c_void_p if isinstance(a, Array) else _SCALARS[a.kind][1] for a in row.arguments]
    return given + [ctypes.c_int64] * len(row.sizes)


def _parameter(argument: Array | Scalar) -> str:
    if isinstance(argument, Scalar):
        return f"{_SCALARS[argument.kind][0]} {argument.name}"
    const = "const " if argument.access == "in" else ""
    return f"{const}{_C_TYPES[argument.dtype]} *{argument.name}"


def prototype(row: Kernel) -> str:
    """The function's declaration in C, without semicolon.

    Examples
    --------
    >>> prototype(kernels()["relu_forward"][1])
    'int relu_forward(const float *x, float *y, float slope, int64_t n)'
    """
    parameters = [_parameter(a) for a in row.arguments] + [f"int64_t {size}" for size in row.sizes]
    lines = [f"int {row.name}("]
    for i, parameter in enumerate(parameters):
        text = parameter + (", " if i + 1 < len(parameters) else ")")
        if len(lines[-1] + text.rstrip()) > _WIDTH - 1:
            lines.append(" " * len(f"int {row.name}("))
        lines[-1] += text
    return "\n".join(line.rstrip() for line in lines)


def api_header() -> str:
    """The text of kernels/cuda/api.h."""
    parts = [
        "/* Every kernel, as derived from the kernel table by `python -m pydeeplab.backend.cuda.build api`. */",
        "#pragma once\n",
        "#include <stdint.h>\n",
        'extern "C" {\n#pragma GCC visibility push(default)',
    ]
    stem = ""
    for family, row in sorted(kernels().values(), key=lambda item: item[0]):
        if row.only not in (None, "cuda"):
            continue
        if family != stem:
            parts.append(f"\n/* {family} */")
            stem = family
        parts.append(prototype(row) + ";")
    return "\n".join(parts) + "\n\n#pragma GCC visibility pop\n}\n"
