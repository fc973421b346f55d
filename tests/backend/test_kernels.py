"""Every case of every kernel family on every backend, against the reference backend."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

import tests.backend.cases as package
from pydeeplab.backend import get_backend
from pydeeplab.backend.spec import Array, kernels
from pydeeplab.errors import UnsupportedError
from tests.support.backends import USABLE
from tests.support.kernels import Arguments, Case, relative_error

CASES: list[Case] = [
    case
    for module in pkgutil.iter_modules(package.__path__)
    for case in importlib.import_module(f"{package.__name__}.{module.name}").CASES
]
TABLE = {name: row for name, (_, row) in kernels().items()}


def variants(case: Case) -> list[str]:
    """The kernel of the case and those that must do the same."""
    return [case.kernel, *(name for name, row in TABLE.items() if row.variant_of == case.kernel)]


def run(case: Case, kernel: str, backend: str, dtype: type) -> dict[str, np.ndarray]:
    row = TABLE[kernel]
    values = case.make(Arguments(dtype, case.seed))
    getattr(get_backend(backend).kernels, kernel)(*values)
    made = [
        (a, v)
        for a, v in zip(row.arguments, values, strict=True)
        if isinstance(a, Array) and a.access in ("out", "inout") and v is not None and a.name not in case.ignore
    ]
    single = {a.name: v for a, v in made if not a.several}
    return single | {f"{a.name}[{i}]": array for a, v in made if a.several for i, array in enumerate(v)}


def pairs() -> list[tuple[Case, str, str]]:
    return [
        (case, kernel, backend)
        for case in CASES
        for kernel in variants(case)
        for backend in USABLE
        if backend != "reference" and TABLE[kernel].only in (None, backend.partition("-")[0])
    ]


@pytest.mark.parametrize(("case", "kernel", "backend"), pairs(), ids=lambda v: getattr(v, "id", str(v)))
def test_agrees_with_reference(case: Case, kernel: str, backend: str) -> None:
    expected = run(case, case.kernel, "reference", np.float32)
    try:
        got = run(case, kernel, backend, np.float32)
    except UnsupportedError as error:
        pytest.skip(str(error))
    for name, values in expected.items():
        error = relative_error(got[name], values)
        assert error <= TABLE[kernel].tolerance, f"{name}: error {error:.3g} of the largest value"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_reference_in_double_agrees_with_single(case: Case) -> None:
    single = run(case, case.kernel, "reference", np.float32)
    double = run(case, case.kernel, "reference", np.float64)
    for name, values in double.items():
        if values.dtype == np.float64:
            assert relative_error(single[name], values) <= max(TABLE[case.kernel].tolerance, 1e-4), name


def test_every_kernel_has_a_reference_and_a_case() -> None:
    assert get_backend("reference").missing == [
        name for name in get_backend("reference").missing if TABLE[name].variant_of
    ]
    untested = {n for n, row in TABLE.items() if not row.variant_of} - {case.kernel for case in CASES}
    assert not untested


def test_cpu_backend_is_complete() -> None:
    assert [name for name in get_backend("cpu").missing if TABLE[name].only in (None, "cpu")] == []
