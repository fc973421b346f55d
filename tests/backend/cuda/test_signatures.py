"""The C interface follows the kernel table, and both libraries have all of it."""

from __future__ import annotations

import ctypes
from pathlib import Path

from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.backend.cuda.signatures import api_header, argument_types, prototype
from pydeeplab.backend.spec import kernel, kernels

ROOT = Path(__file__).parents[3]


def test_api_header_is_what_the_table_says() -> None:
    committed = (ROOT / "kernels" / "cuda" / "api.h").read_text()
    assert committed == api_header(), "run `python -m pydeeplab.backend.cuda.build api`"


def test_arguments_and_then_sizes() -> None:
    row = kernel("k", "in x[N,C], in? b[C], out i[N]:int32, scratch s[*], int n, float a, bool f", source="")
    assert row.sizes == ["N", "C", "s_size"]
    assert prototype(row) == (
        "int k(const float *x, const float *b, int32_t *i, float *s, int64_t n, float a, bool f, int64_t N, "
        "int64_t C,\n      int64_t s_size)"
    )
    assert (
        argument_types(row)
        == [ctypes.c_void_p] * 4 + [ctypes.c_int64, ctypes.c_float, ctypes.c_bool] + [ctypes.c_int64] * 3
    )


def test_every_kernel_is_there_but_those_of_the_cpu_only(backend: CudaBackend) -> None:
    table = kernels()
    assert [name for name in backend.missing if table[name][1].only != "cpu"] == []
