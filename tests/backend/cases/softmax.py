"""Softmax over channels, alone and with the loss: odd sizes, one position, one channel, extremes, bad labels."""

import numpy as np

from tests.support.kernels import Case

SHAPES = {"odd": (2, 5, 77), "wide": (1, 21, 3001), "row": (3, 37, 1), "one_channel": (2, 1, 9), "empty": (0, 4, 5)}


def ignore(*labels):
    return np.array(labels, np.int32)


def sums():
    return np.full(4, np.nan)


def extremes(r):
    x = r.uniform(-90, 90, 1, 6, 300)
    x[0, :, 0] = -np.inf
    x[0, 2, 1] = np.nan
    x[0, 0, 2] = np.inf
    return [x, r.out(1, 6, 300)]


def labels(r, n, s, classes):
    values = r.integers(0, classes, n, s)
    values[:, ::7] = 255
    return values


def broken(r):
    values = labels(r, 2, 300, 4)
    values[1, 9:13] = r.value([4.0, -1.0, np.nan, 1e20])
    return values


CASES = [Case("softmax_forward", lambda r, d=d: [r.real(*d), r.out(*d)], label=n) for n, d in SHAPES.items()]
CASES += [
    Case("softmax_backward", lambda r, d=d: [r.uniform(0, 1, *d), r.real(*d), r.out(*d)], label=n)
    for n, d in SHAPES.items()
]
CASES += [
    Case("softmax_forward", extremes, label="extremes"),
    *(
        Case(
            "softmax_loss_forward",
            lambda r, d=d, w=w: [
                r.uniform(-8, 8, *d),
                labels(r, d[0], d[2], d[1]),
                r.uniform(0, 3, d[1]) if w else None,
                ignore(255),
                r.out(*d),
                sums(),
            ],
            label=f"{n}{'_weighted' * w}",
        )
        for n, d in SHAPES.items()
        for w in (False, True)
    ),
    *(
        Case(
            "softmax_loss_backward",
            lambda r, d=d, w=w: [
                r.uniform(0, 1, *d),
                labels(r, d[0], d[2], d[1]),
                r.uniform(0, 3, d[1]) if w else None,
                ignore(255),
                r.out(*d),
                0.37,
            ],
            label=f"{n}{'_weighted' * w}",
        )
        for n, d in SHAPES.items()
        for w in (False, True)
    ),
    Case(
        "softmax_loss_forward",
        lambda r: [r.real(2, 4, 300), broken(r), None, ignore(255), r.out(2, 4, 300), sums()],
        label="bad",
    ),
    Case(
        "softmax_loss_backward",
        lambda r: [r.real(2, 4, 300), broken(r), None, ignore(255), r.out(2, 4, 300), 1.0],
        label="bad",
    ),
    Case(
        "softmax_loss_forward",
        lambda r: [r.real(2, 4, 30), labels(r, 2, 30, 4), None, ignore(), r.out(2, 4, 30), sums()],
        label="no_ignore",
    ),
    Case(
        "softmax_loss_forward",
        lambda r: [r.real(2, 4, 30), labels(r, 2, 30, 4), None, ignore(0, 1, 2, 3, 255), r.out(2, 4, 30), sums()],
        label="all_ignored",
    ),
    Case(
        "softmax_loss_forward",
        lambda r: [200 * r.real(2, 4, 30), r.uniform(0, 4, 2, 30), None, ignore(), r.out(2, 4, 30), sums()],
        label="underflow_fractional",
    ),
]
