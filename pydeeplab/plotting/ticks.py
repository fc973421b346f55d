"""Round numbers along an axis."""

from __future__ import annotations

import math

__all__ = ["format_tick", "linear_ticks", "log_ticks"]


def linear_ticks(low: float, high: float, count: int = 6, *, whole: bool = False) -> list[float]:
    """About ``count`` multiples of 1, 2 or 5 times a power of ten within low..high, ends included.

    ``whole`` leaves out what lies between whole numbers.

    Examples
    --------
    >>> linear_ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    >>> linear_ticks(0.12, 0.31, 4)
    [0.15, 0.2, 0.25, 0.3]
    >>> linear_ticks(1, 3, whole=True)
    [1.0, 2.0, 3.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 5, 10), key=lambda m: abs(m * power - rough)) * power
    if whole:
        step = max(step, 1.0)
    slack = 1e-9 * (high - low)
    first, last = math.ceil((low - slack) / step), math.floor((high + slack) / step)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(i * step, digits) + 0.0 for i in range(first, last + 1)]


def log_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Powers of ten within low..high (both positive), with 2 and 5 times them where there are few, fewer where many.

    Examples
    --------
    >>> log_ticks(0.001, 10)
    [0.001, 0.01, 0.1, 1.0, 10.0]
    >>> log_ticks(1, 30)
    [1.0, 2.0, 5.0, 10.0, 20.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if high < 300 * low else (1,)
    step = max(1, math.ceil((last - first) / count))
    values = [float(f"{f}e{e}") for e in range(first, last + 1, step) for f in factors]
    inside = [v for v in values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
    return inside if len(inside) > 1 else linear_ticks(low, high, 4)


def format_tick(value: float) -> str:
    """A short text: ``0.05``, ``1500``, ``20k``, ``1e-5``.

    Examples
    --------
    >>> [format_tick(v) for v in (0, 0.25, 1500, 20000, 2.5e6, 1e-5)]
    ['0', '0.25', '1500', '20k', '2.5M', '1e-5']
    """
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e9):
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    for limit, suffix in ((1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e6 if suffix == 'M' else 1e3):.6g}{suffix}"
    return f"{value:.6g}"
