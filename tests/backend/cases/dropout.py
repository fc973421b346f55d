"""Cases for dropout: the mask itself is compared with the reference's generator."""

from tests.support.kernels import Case

CASES = [
    Case("dropout_forward", lambda r: [r.real(100_003), r.out(100_003), 1701, 0, 0.5]),
    Case("dropout_forward", lambda r: [r.real(777), r.out(777), -(2**63), 2**40 + 3, 0.1], "extreme seed and offset"),
    Case("dropout_forward", lambda r: [r.real(777), r.out(777), 2**63 - 1, 1, 0.0], "nothing dropped"),
    Case("dropout_forward", lambda r: [r.real(9), r.out(9), 3, 2, 0.9], "few"),
    Case("dropout_forward", lambda r: [r.real(0), r.out(0), 3, 2, 0.9], "empty"),
]
