"""Cases for moving values."""

from itertools import permutations

from tests.support.kernels import Case

CASES = [
    Case("copy_window", lambda r: [r.real(3, 5, 7), r.accumulate(3, 6, 4), 1, 2, 2, 0, 3, 4]),
    Case(
        "copy_window", lambda r: [r.real(1, 2, 40000), r.accumulate(1, 2, 70001), 0, 1, 0, 30002, 2, 39999], "long rows"
    ),
    Case("copy_window", lambda r: [r.real(2, 300, 70), r.accumulate(2, 300, 70), 0, 0, 0, 0, 300, 70], "whole"),
    Case("copy_window", lambda r: [r.real(2, 3, 4), r.accumulate(2, 3, 4), 1, 4, 0, 0, 2, 0], "no columns"),
    Case("copy_window", lambda r: [r.real(0, 3, 4), r.accumulate(0, 3, 4), 0, 0, 0, 0, 3, 4], "empty"),
    *[
        Case("permute_forward", lambda r, p=p: [r.real(2, 3, 4, 5), r.out(120), *p], str(p))
        for p in permutations(range(4))
    ],
    Case("permute_forward", lambda r: [r.real(1, 21, 65, 33), r.out(21 * 65 * 33), 0, 2, 3, 1], "scores last"),
    Case("permute_forward", lambda r: [r.real(2, 0, 4, 5), r.out(0), 3, 1, 2, 0], "empty"),
    Case("fill", lambda r: [r.out(40001), 0.0]),
    Case("fill", lambda r: [r.out(3), -1.5], "value"),
    Case("fill", lambda r: [r.out(0), 1.0], "empty"),
]
