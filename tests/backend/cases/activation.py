"""Cases for the pointwise non-linearities."""

from tests.support.kernels import Case

CASES = [
    Case("relu_forward", lambda r: [r.real(40001), r.out(40001), 0.0]),
    Case("relu_forward", lambda r: [r.real(77), r.out(77), 0.1], "leaky"),
    Case("relu_forward", lambda r: [r.value([float("nan"), float("inf"), -0.0]), r.out(3), 0.0], "special"),
    Case("relu_forward", lambda r: [r.real(0), r.out(0), 0.0], "empty"),
    Case("relu_backward", lambda r: [r.integers(-1, 2, 301), r.real(301), r.out(301), 0.0]),
    Case("relu_backward", lambda r: [r.integers(-1, 2, 301), r.real(301), r.out(301), 0.25], "leaky"),
]
