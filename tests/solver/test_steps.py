"""What one step is made of: order, clipping, accumulation, shared and frozen parameters, tests, requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pydeeplab.solver import Observer, Score, Solver, get_solver
from tests.solver.problem import write_problem

LINEAR = """
layer {{ name: "data" type: "Input" top: "x" top: "y"
  input_param {{ shape {{ dim: 4 dim: 3 }} shape {{ dim: 4 dim: 1 }} }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "x" top: "p" {param}
  inner_product_param {{ num_output: 1 weight_filler {{ type: "constant" value: 0.5 }} }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "p" bottom: "y" top: "loss" }}
"""


def linear(folder: Path, text: str, param: str = "") -> Solver:
    (folder / "net.prototxt").write_text(LINEAR.format(param=param))
    (folder / "solver.prototxt").write_text(f'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" {text}')
    solver = get_solver(folder / "solver.prototxt", observers=[])
    random = np.random.default_rng(0)
    for name in ("x", "y"):
        solver.net.blobs[name].data[...] = random.standard_normal(solver.net.blobs[name].shape)
    return solver


def gradients(solver: Solver) -> tuple[np.ndarray, np.ndarray]:
    """Of the mean squared error halves, by hand, in double precision."""
    x, y = (solver.net.blobs[n].data.astype(np.float64) for n in ("x", "y"))
    w, b = (blob.data.astype(np.float64) for blob in solver.net.params["fc"])
    residual = (x @ w.T + b - y) / len(x)
    return residual.T @ x, residual.sum(axis=0)


def weights(solver: Solver) -> np.ndarray:
    return np.concatenate([blob.data.reshape(-1) for blob in solver.net.params["fc"]])


def test_clipping_measures_the_sum_over_iter_size(tmp_path: Path) -> None:
    """The norm that is clipped is that of the accumulated gradient, before the division and before weight decay."""
    solver = linear(tmp_path, "clip_gradients: 0.5 iter_size: 3 weight_decay: 0.1")
    gw, gb = gradients(solver)
    total = 3 * np.concatenate([gw.reshape(-1), gb])
    norm = np.linalg.norm(total)
    assert norm > 0.5
    before = weights(solver).astype(np.float64)
    expected = before - 0.1 * (total * 0.5 / norm / 3 + 0.1 * before)
    solver.step(1)
    assert np.allclose(weights(solver), expected, rtol=1e-5, atol=1e-7)


def test_small_gradients_are_not_clipped(tmp_path: Path) -> None:
    one, other = linear(tmp_path, "clip_gradients: 1000"), linear(tmp_path, "")
    one.step(1)
    other.step(1)
    assert np.array_equal(weights(one), weights(other))


def test_l1_decay_and_multipliers(tmp_path: Path) -> None:
    param = "param { lr_mult: 2 decay_mult: 3 } param { lr_mult: 0.5 decay_mult: 0 }"
    solver = linear(tmp_path, 'weight_decay: 0.1 regularization_type: "L1"', param)
    gw, gb = gradients(solver)
    w, b = (blob.data.astype(np.float64).copy() for blob in solver.net.params["fc"])
    solver.step(1)
    assert np.allclose(solver.net.params["fc"][0].data, w - 0.2 * (gw + 0.3 * np.sign(w)), rtol=1e-5)
    assert np.allclose(solver.net.params["fc"][1].data, b - 0.05 * gb, rtol=1e-5)


def test_frozen_parameters_stay(tmp_path: Path) -> None:
    solver = linear(tmp_path, "momentum: 0.9 weight_decay: 0.1", "param { lr_mult: 0 } param { lr_mult: 1 }")
    solver.step(5)
    assert (solver.net.params["fc"][0].data == 0.5).all()
    assert solver.net.params["fc"][1].data[0] != 0


def test_shared_parameters_move_once(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        + "".join(
            f'layer {{ name: "{n}" type: "InnerProduct" bottom: "{b}" top: "{n}" param {{ name: "w" }} '
            'inner_product_param { num_output: 3 bias_term: false weight_filler { type: "xavier" } } }'
            for n, b in (("a", "x"), ("b", "a"))
        )
        + 'layer { name: "l" type: "Reduction" bottom: "b" top: "l" loss_weight: 1 }'
    )
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    solver = get_solver(tmp_path / "solver.prototxt", observers=[])
    x = np.random.default_rng(0).standard_normal((2, 3))
    solver.net.blobs["x"].data[...] = x
    w = solver.net.params["a"][0].data.astype(np.float64).copy()
    ones = np.ones((2, 3))
    gradient = ones.T @ (x @ w.T) + (ones @ w).T @ x
    solver.step(1)
    assert len(solver.history) == 1
    assert np.allclose(solver.net.params["a"][0].data, w - 0.1 * gradient, rtol=1e-5, atol=1e-6)


def test_smoothed_loss(tmp_path: Path) -> None:
    shown: list[float] = []

    class Watcher(Observer):
        def displayed(self, display) -> None:
            shown.append(display.loss)

    solver = linear(tmp_path, "average_loss: 3 display: 1")
    solver.observers.append(Watcher())
    losses = []
    for _ in range(6):
        losses.append(float(solver.net.forward()["loss"]))
        solver.step(1)
    assert shown == pytest.approx(losses, rel=1e-6), "each step() begins anew"
    shown.clear()
    solver.add_callback(lambda: losses.append(float(solver.net.forward()["loss"])), lambda: None)
    losses.clear()
    solver.step(6)
    expected = [np.mean(losses[max(0, i - 2) : i + 1]) for i in range(6)]
    assert shown == pytest.approx(expected, rel=1e-5)


class Diary(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scores: list[Score] = []

    def trained(self, iteration: int, loss: float) -> None:
        self.lines.append(f"train {iteration}")

    def testing(self, iteration: int, net: int) -> None:
        self.lines.append(f"test {iteration}")

    def tested(self, score: Score) -> None:
        self.scores.append(score)

    def saved(self, iteration: int, weights: str, state: str) -> None:
        self.lines.append(f"save {iteration}")

    def finished(self, iteration: int, early: bool, loss: float | None) -> None:
        self.lines.append(f"{'early' if early else 'end'} {iteration}")


def diary(folder: Path, **options: object) -> tuple[Solver, Diary]:
    found = Diary()
    return get_solver(write_problem(folder, **options), observers=[found]), found


class TestOrder:
    def test_tests_come_before_and_snapshots_after_an_iteration(self, tmp_path: Path) -> None:
        solver, lines = diary(tmp_path, max_iter=5, snapshot=4)
        solver.solve()
        trains = [f"train {i}" for i in range(5)]
        assert lines.lines == ["test 0", *trains[:4], "save 4", trains[4], "save 5", "test 5", "end 5"]

    def test_no_second_snapshot_where_one_was_just_made(self, tmp_path: Path) -> None:
        solver, lines = diary(tmp_path, max_iter=4, snapshot=2)
        solver.solve()
        assert [line for line in lines.lines if "save" in line] == ["save 2", "save 4"]

    def test_neither_first_test_nor_last_snapshot(self, tmp_path: Path) -> None:
        solver, lines = diary(
            tmp_path, max_iter=3, snapshot=0, extra="test_initialization: false snapshot_after_train: false"
        )
        solver.solve()
        assert lines.lines == ["train 0", "train 1", "train 2", "end 3"]

    def test_scores_are_means_over_the_batches(self, tmp_path: Path) -> None:
        solver, found = diary(tmp_path, extra="test_compute_loss: true")
        twin = get_solver(tmp_path / "solver.prototxt", observers=[])
        solver.step(1)
        net = twin.test_nets[0]
        batches = [{n: float(v) for n, v in net.forward().items()} for _ in range(3)]
        (score,) = found.scores
        assert [o.name for o in score.outputs] == ["accuracy", "loss"]
        for output in score.outputs:
            assert output.value == pytest.approx(np.mean([b[output.name] for b in batches]), rel=1e-6)
        assert score.loss == pytest.approx(score.outputs[1].value, rel=1e-6)


class TestRequests:
    def test_stop(self, tmp_path: Path) -> None:
        solver, lines = diary(tmp_path, max_iter=50, snapshot=0, extra="snapshot_after_train: false")
        solver.add_callback(lambda: solver.iter == 3 and solver.requests.add("stop"), lambda: None)
        solver.solve()
        assert solver.iter == 4
        assert lines.lines[-2:] == ["save 4", "early 4"]
        assert solver.stopped

    def test_snapshot(self, tmp_path: Path) -> None:
        solver, lines = diary(tmp_path, max_iter=5, snapshot=0)
        solver.add_callback(lambda: solver.iter == 1 and solver.requests.add("snapshot"), lambda: None)
        solver.solve()
        assert [line for line in lines.lines if "save" in line] == ["save 2", "save 5"]

    def test_a_stopped_solver_can_go_on(self, tmp_path: Path) -> None:
        solver, _ = diary(tmp_path, max_iter=6, snapshot=0)
        solver.add_callback(lambda: solver.iter == 2 and solver.requests.add("stop"), lambda: None)
        solver.solve()
        assert solver.iter == 3
        solver.solve()
        assert solver.iter == 6

    def test_iterations_end_early_on_the_same_curve(self, tmp_path: Path) -> None:
        solver, lines = diary(tmp_path, max_iter=10, snapshot=0)
        solver.solve(iterations=4)
        assert solver.iter == 4
        assert solver.lr == pytest.approx(0.01 * 0.6**0.9, rel=1e-5)
        assert lines.lines[-1] == "early 4"

    def test_a_test_is_interrupted_and_done_again(self, tmp_path: Path) -> None:
        """Stopped while it tests at iteration 5, and resumed: the same scores as if nothing had been."""
        alone, expected = diary(tmp_path, max_iter=6, snapshot=0)
        alone.solve()
        solver, found = diary(tmp_path, max_iter=6, snapshot=0)
        batches: list[int] = []

        def interrupt(layer: int) -> None:
            batches.append(layer)
            if solver.iter == 5 and len(batches) == 5 * len(solver.test_nets[0].nodes):
                solver.requests.add("stop")

        solver.test_nets[0].after_forward(interrupt)
        solver.solve()
        assert found.lines[-2:] == ["save 5", "early 5"]
        assert len(found.scores) == 1
        resumed, found = diary(tmp_path, max_iter=6, snapshot=0)
        resumed.solve(tmp_path / "run_iter_5.solverstate")
        assert found.scores == expected.scores[1:]
        assert np.array_equal(resumed.net.params["fc"][0].data, alone.net.params["fc"][0].data)
