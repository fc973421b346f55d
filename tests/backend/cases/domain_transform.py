"""The domain transform: real sizes smaller than the planes, one row or column, clamped weights, one iteration."""

import numpy as np

from tests.support.kernels import Case

# n, c, h, w, real sizes, (iterations, spatial sigma, range sigma, min weight)
SETTINGS = {
    "default": (2, 3, 13, 11, [[13, 11], [9, 10]], (3, 50.0, 5.0, 0.0)),
    "sharp": (1, 2, 21, 70, [[21, 70]], (2, 8.0, 20.0, 0.0)),
    "clamped": (1, 2, 6, 7, [[6, 7]], (3, 4.0, 0.5, 0.3)),
    "one_iteration": (1, 1, 5, 5, [[5, 4]], (1, 3.0, 2.0, 0.0)),
    "one_row": (1, 2, 1, 9, [[1, 9]], (3, 50.0, 5.0, 0.0)),
    "one_column": (1, 2, 9, 1, [[9, 1]], (3, 50.0, 5.0, 0.0)),
    "nothing_inside": (1, 1, 3, 3, [[0, 0]], (3, 50.0, 5.0, 0.0)),
    "large": (1, 2, 150, 170, [[149, 170]], (3, 20.0, 5.0, 0.0)),
    "no_channels": (1, 0, 3, 3, [[3, 3]], (3, 50.0, 5.0, 0.0)),
}


def inputs(r, s):
    n, c, h, w, sizes, _ = s
    return [r.real(n, c, h, w), r.uniform(0, 2, n, h, w), r.value(np.array(sizes, float))]


def forward(s, clamp):
    return lambda r: [*inputs(r, s), r.out(*s[:4]), *s[5], clamp]


def backward(s):
    return lambda r: [*inputs(r, s), r.real(*s[:4]), r.out(*s[:4]), r.out(s[0], *s[2:4]), *s[5]]


CASES = [
    Case("domain_transform_forward", forward(s, clamp), label=f"{name}{'' if clamp else '_unclamped'}")
    for name, s in SETTINGS.items()
    for clamp in (True, False)
]
CASES += [Case("domain_transform_backward", backward(s), label=name) for name, s in SETTINGS.items()]
