"""Eight steps of every kind of solver, as reference Caffe took them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.solver.reference import SOLVERS, build, params, tolerance
from tests.support.kernels import relative_error

CASES = [row["case"] for row in csv.DictReader((SOLVERS / "index.csv").open())]


def test_all_cases_are_there() -> None:
    assert len(CASES) == 49


@pytest.mark.parametrize("engine", ["CAFFE", "DEFAULT"])
@pytest.mark.parametrize("case", CASES)
def test_trajectory(case: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # nets are then found beside the solver
    record = dict(np.load(SOLVERS / f"{case}.npz"))
    solver = build(SOLVERS / f"{case}.solver.prototxt", record, engine=engine)
    steps = sum(key.startswith("loss/") for key in record)
    assert steps == 8
    for t in range(steps):
        for key, values in record.items():
            if key.startswith(f"in{t}/"):
                solver.net.blobs[key.removeprefix(f"in{t}/")].data[...] = values
        solver.step(1)
        assert relative_error(solver.net.blobs["loss"].data, record[f"loss/{t}"]) <= tolerance(case)
        errors = params(solver, record, f"param{t}")
        assert errors, "no parameters recorded"
        assert max(errors.values()) <= tolerance(case), errors
    assert solver.iter == steps
