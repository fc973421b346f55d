"""Cases for the pointwise non-linearities."""

from tests.support.kernels import Case

SPECIAL = [float("nan"), float("inf"), -0.0, 0.0, -1e30, 100.0, -100.0]

CASES = [
    Case("relu_forward", lambda r: [r.real(40001), r.out(40001), 0.0]),
    Case("relu_forward", lambda r: [r.real(77), r.out(77), 0.1], "leaky"),
    Case("relu_forward", lambda r: [r.value([float("nan"), float("inf"), -0.0]), r.out(3), 0.0], "special"),
    Case("relu_forward", lambda r: [r.real(0), r.out(0), 0.0], "empty"),
    Case("relu_backward", lambda r: [r.integers(-1, 2, 301), r.real(301), r.out(301), 0.0]),
    Case("relu_backward", lambda r: [r.integers(-1, 2, 301), r.real(301), r.out(301), 0.25], "leaky"),
    Case("sigmoid_forward", lambda r: [r.uniform(-20, 20, 33001), r.out(33001), 1.0]),
    Case("sigmoid_forward", lambda r: [r.real(19), r.out(19), -2.5], "beta"),
    Case("sigmoid_forward", lambda r: [r.value([*SPECIAL[2:], float("-inf")]), r.out(6), 1.0], "special"),
    Case("sigmoid_forward", lambda r: [r.real(0), r.out(0), 1.0], "empty"),
    Case("sigmoid_backward", lambda r: [r.uniform(0, 1, 1003), r.real(1003), r.out(1003)]),
    Case("tanh_forward", lambda r: [r.real(20003), r.out(20003)]),
    Case("tanh_forward", lambda r: [r.value(SPECIAL), r.out(7)], "special"),
    Case("tanh_backward", lambda r: [r.uniform(-1, 1, 1003), r.real(1003), r.out(1003)]),
    Case("elu_forward", lambda r: [r.real(20003), r.out(20003), 1.0]),
    Case("elu_forward", lambda r: [r.value([-0.0, 0.0, -1e30, 100.0, -100.0]), r.out(5), 0.3], "special"),
    Case("elu_backward", lambda r: [r.integers(-1, 2, 101), r.real(101), r.real(101), r.out(101), 0.3]),
    Case("clip_forward", lambda r: [r.real(20003), r.out(20003), -0.5, 0.75]),
    Case("clip_forward", lambda r: [r.value(SPECIAL), r.out(7), 0.0, 6.0], "special"),
    Case("clip_backward", lambda r: [r.integers(-2, 3, 101), r.real(101), r.out(101), -1.0, 1.0]),
]
