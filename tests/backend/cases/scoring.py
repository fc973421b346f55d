"""Counting pairs of labels: ignored labels, bins in and out of range, bad labels, runs, one class, no pixels."""

import numpy as np

from tests.support.kernels import Case

SIZES = {"odd": (1, 5, 77), "many": (1, 21, 4999), "bins": (7, 3, 501), "one_class": (2, 1, 9), "empty": (1, 3, 0)}


def labels(r, classes, pixels, *others):
    """Runs of labels, with some other values."""
    values = np.repeat(r.int32(0, classes, pixels // 3 + 1), 3)[:pixels]
    for step, other in enumerate(others, 5):
        values[::step] = other
    return np.ascontiguousarray(values)


def arguments(r, bins, classes, pixels, ignore, with_bins, bad):
    truth = labels(r, classes, pixels, 255, *bad)
    predicted = labels(r, classes, pixels)
    where = r.int32(-1, bins + 2, pixels) if with_bins else None
    counts = np.arange(bins * classes**2, dtype=np.int64).reshape(bins, classes, classes)
    return [truth, predicted, where, np.array(ignore, np.int32), counts, np.full(1, 99, np.int64)]


CASES = [
    Case(
        "count_pairs",
        lambda r, d=d, i=i, b=b, w=w: arguments(r, *d, i, b, w),
        label=f"{n}_{len(i)}_ignored{'_binned' * b}{'_bad' * bool(w)}",
    )
    for n, d in SIZES.items()
    for i, w in (((255,), ()), ((255, -1), (-1,)), ((), (7,)))
    for b in (False, True)
]
CASES.append(
    Case(
        "count_pairs",
        lambda r: [
            r.int32(0, 3, 50),
            r.int32(-1, 5, 50),
            None,
            np.array([255], np.int32),
            np.zeros((1, 3, 3), np.int64),
            np.zeros(1, np.int64),
        ],
        label="bad_predictions",
    )
)
