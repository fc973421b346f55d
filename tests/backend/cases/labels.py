"""Winning channels and confusion matrices: ties, NaN, one channel, bad and ignored labels, odd sizes."""

import numpy as np

from tests.support.kernels import Case

SHAPES = {"odd": (2, 5, 77), "wide": (2, 21, 2999), "row": (3, 37, 1), "one_channel": (2, 1, 9), "empty": (2, 3, 0)}


def tied(r, n, c, s):
    """Few distinct values, so that many channels tie; some NaN."""
    values = r.integers(0, 3, n, c, s)
    if values.size:
        values[0, -1, ::5] = np.nan
        values[-1, :, 0] = np.nan
    return values


def labels(r, n, c, s):
    values = r.integers(0, c, n, s)
    values[:, ::4] = 255
    values[:, 1::9] = -1
    return values


def counts(c):
    return np.arange(c * c, dtype=np.int64).reshape(c, c)


CASES = [
    Case("argmax_channels", lambda r, d=d, v=v: [tied(r, *d), r.out(d[0], d[2]), v], label=f"{n}{'_value' * v}")
    for n, d in SHAPES.items()
    for v in (False, True)
]
CASES += [
    Case(
        "confusion_matrix",
        lambda r, d=d, i=i: [tied(r, *d), labels(r, *d), np.array(i, np.int32), counts(d[1]), np.full(1, 99, np.int64)],
        label=f"{n}_{len(i)}_ignored",
    )
    for n, d in SHAPES.items()
    for i in ((), (255,), (255, -1))
]
