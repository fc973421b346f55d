"""Solvers as scripts use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pycaffe.test_net import CLASSES, TRAINING


@pytest.fixture
def solver_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "net.prototxt").write_text(TRAINING % CLASSES)
    (tmp_path / "solver.prototxt").write_text(
        f"""net: '{tmp_path / "net.prototxt"}'
        test_iter: 10 test_interval: 10 base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005
        lr_policy: 'inv' gamma: 0.0001 power: 0.75
        display: 100 max_iter: 100 snapshot_after_train: false snapshot_prefix: "model" """
    )
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "solver.prototxt")


@pytest.fixture
def solver(caffe: Any, solver_file: str) -> Any:
    caffe.set_mode_cpu()
    made = caffe.SGDSolver(solver_file)
    random = np.random.default_rng(0)
    for net in (made.net, made.test_nets[0]):
        net.blobs["truth"].data[...] = random.integers(CLASSES, size=net.blobs["truth"].data.shape)
    return made


def test_solving(caffe: Any, solver: Any, solver_file: str) -> None:
    other = caffe.get_solver(solver_file)
    assert type(other) is caffe.SGDSolver
    assert (solver.iter, len(solver.test_nets)) == (0, 1)
    before = solver.net.params["dense"][0].data.copy()
    solver.solve()
    assert solver.iter == 100
    assert not np.array_equal(solver.net.params["dense"][0].data, before)
    other.step(3)
    assert other.iter == 3


def test_applying_an_update(solver: Any) -> None:
    weights = solver.net.layers[1].blobs[0]
    before = weights.data.copy()
    weights.diff[...] = 1
    solver.apply_update()
    assert (weights.data < before).all()


def test_nets_outlive_their_solver(solver: Any) -> None:
    nets = [solver.net, *solver.test_nets]
    del solver
    total = 0.0
    for net in nets:
        net.forward()
        total += sum(float(abs(blob.data).sum()) for blobs in net.params.values() for blob in blobs)
        total += sum(float(abs(blob.data).sum()) for blob in net.blobs.values())
    assert np.isfinite(total)
    assert total > 0


def test_snapshots(caffe: Any, solver: Any, solver_file: str, tmp_path: Path) -> None:
    solver.step(2)
    solver.snapshot()
    files = [tmp_path / f"model_iter_2.{suffix}" for suffix in ("caffemodel", "solverstate")]
    assert all(file.is_file() for file in files)
    again = caffe.SGDSolver(solver_file)
    again.restore(str(files[1]))
    assert again.iter == 2
    np.testing.assert_array_equal(again.net.params["dense"][0].data, solver.net.params["dense"][0].data)


def test_a_loop_of_ones_own(solver: Any) -> None:
    """Forward, backward, and an update by hand, as scripts write it that collect gradients themselves."""
    weights = solver.net.params["dense"][0]
    for _ in range(3):
        solver.net.clear_param_diffs()
        solver.net.forward()
        solver.net.backward()
        expected = weights.data - 0.1 * weights.diff
        for blobs in solver.net.params.values():
            for blob in blobs:
                blob.data[...] -= 0.1 * blob.diff
        np.testing.assert_array_equal(weights.data, expected)


def test_callbacks(solver: Any) -> None:
    calls: list[str] = []
    solver.add_callback(lambda *_: calls.append("start"), lambda *_: calls.append("gradients"))
    solver.step(2)
    assert calls == ["start", "gradients"] * 2


def test_parameters(caffe: Any, solver: Any) -> None:
    assert (solver.param.max_iter, solver.param.display) == (100, 100)
    assert solver.param.base_lr == pytest.approx(0.01)
    assert solver.lr == pytest.approx(0.01)
    for name in ("Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"):
        assert issubclass(getattr(caffe, f"{name}Solver"), caffe.SGDSolver)
