"""Cases for arithmetic between arrays of one shape."""

from tests.support.kernels import Case

NAN = float("nan")

CASES = [
    Case("eltwise_add_forward", lambda r: [r.real(40001), r.real(40001), r.out(40001), 1.0, 1.0, False]),
    Case("eltwise_add_forward", lambda r: [r.real(77), r.real(77), r.out(77), -0.5, 2.0, False], "coefficients"),
    Case("eltwise_add_forward", lambda r: [r.real(77), r.real(77), r.out(77), 1.0, 1.0, True], "relu"),
    Case("eltwise_add_forward", lambda r: [r.real(0), r.real(0), r.out(0), 1.0, 1.0, True], "empty"),
    Case("eltwise_multiply_forward", lambda r: [r.real(20001), r.real(20001), r.out(20001)]),
    Case("eltwise_ratio_backward", lambda r: [r.real(301), r.uniform(0.5, 2, 301), r.real(301), r.out(301)]),
    Case(
        "eltwise_max_forward",
        lambda r: [r.integers(0, 3, 301), r.integers(0, 3, 301), r.out(301), r.out_int32(301), 1],
        "ties",
    ),
    Case(
        "eltwise_max_forward",
        lambda r: [r.integers(0, 3, 20001), r.integers(0, 3, 20001), r.out(20001), r.int32(0, 2, 20001), 2],
        "third bottom",
    ),
    Case(
        "eltwise_max_forward",
        lambda r: [r.value([NAN, 1.0, NAN]), r.value([1.0, NAN, NAN]), r.out(3), r.out_int32(3), 1],
        "not a number",
    ),
    Case("eltwise_max_backward", lambda r: [r.int32(0, 3, 301), r.real(301), r.out(301), 1]),
    Case("axpby", lambda r: [r.real(20001), r.accumulate(20001), 2.0, 0.5]),
    Case("axpby", lambda r: [r.real(77), r.accumulate(77), 0.25, 1.0], "add"),
    Case("axpby", lambda r: [r.real(77), r.out(77), -1.0, 0.0], "overwrite"),
    Case("axpby", lambda r: [r.real(0), r.out(0), -1.0, 0.0], "empty"),
]
