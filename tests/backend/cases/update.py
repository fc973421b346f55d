"""Cases for the parameter updates."""

import numpy as np

from tests.support.kernels import Arguments, Case

SIZES = (0, 1, 77, 40001)


def one(r: Arguments, n: int, *tail: float, l2: float = 5e-4, l1: float = 0.0, positive: bool = False) -> list:
    """Parameter, gradient and one history, then the scalars."""
    history = r.uniform(0, 2, n) if positive else r.accumulate(n)
    return [r.accumulate(n), r.accumulate(n), history, 0.1, l2, l1, 0.01, *tail]


def two(r: Arguments, n: int, *tail: float, l2: float = 5e-4, l1: float = 0.0, signed: bool = False) -> list:
    """As `one`, with two histories; the second moments are not negative."""
    first = r.accumulate(n) if signed else r.uniform(0, 2, n)
    return [r.accumulate(n), r.accumulate(n), first, r.uniform(0, 2, n), 0.1, l2, l1, 0.01, *tail]


DECAY = float(np.float32(0.95))
BETAS = float(np.float32(0.9)), float(np.float32(0.999))

CASES = [
    *(Case("update_sgd", lambda r, n=n: one(r, n, 0.9), f"{n}") for n in SIZES),
    Case("update_sgd", lambda r: one(r, 301, 0.0, l2=0.0), "plain"),
    Case("update_sgd", lambda r: one(r, 301, 0.9, l2=0.0, l1=0.3), "l1"),
    Case(
        "update_sgd",
        lambda r: [r.value([0.0, -0.0, 1.0, -1.0]), r.value([0.0] * 4), r.value([0.0] * 4), 1.0, 0.0, 0.5, 1.0, 0.9],
        "signs",
    ),
    *(Case("update_nesterov", lambda r, n=n: one(r, n, 0.9), f"{n}") for n in SIZES),
    Case("update_nesterov", lambda r: one(r, 301, 0.9, l2=0.0, l1=0.3), "l1"),
    *(Case("update_adagrad", lambda r, n=n: one(r, n, 1e-8, positive=True), f"{n}") for n in SIZES),
    *(Case("update_rmsprop", lambda r, n=n: one(r, n, DECAY, 1e-8, positive=True), f"{n}") for n in SIZES),
    *(Case("update_adadelta", lambda r, n=n: two(r, n, DECAY, 1e-6), f"{n}") for n in SIZES),
    Case("update_adadelta", lambda r: two(r, 301, DECAY, 1e-6, l2=0.0, l1=0.3), "l1"),
    *(Case("update_adam", lambda r, n=n: two(r, n, *BETAS, 1e-8, signed=True), f"{n}") for n in SIZES),
    Case("update_adam", lambda r: two(r, 301, *BETAS, 1e-8, l2=0.0, l1=0.3, signed=True), "l1"),
    *(Case("sum_squares", lambda r, n=n: [r.real(n), np.full(1, np.nan)], f"{n}") for n in (0, 1, 9, 16385, 100001)),
    Case("sum_squares", lambda r: [r.real(4300000), np.full(1, np.nan)], "large"),
]
