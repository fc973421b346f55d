"""The solvers' interface as pycaffe scripts use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pydeeplab as caffe

NET = """
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 5 dim: 2 dim: 3 dim: 4 } shape { dim: 5 } data_filler { type: "gaussian" std: 1 }
    data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 11 kernel_size: 2 pad: 3 weight_filler { type: "gaussian" std: 1 }
    bias_filler { type: "constant" value: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" test_iter: 10 test_interval: 10 base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 '
        'lr_policy: "inv" gamma: 0.0001 power: 0.75 display: 100 max_iter: 100 snapshot_after_train: false '
        'snapshot_prefix: "model" '
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLOG_minloglevel", "1")
    return tmp_path


@pytest.fixture
def solver(folder: Path) -> caffe.SGDSolver:
    return caffe.SGDSolver("solver.prototxt")


def test_solve(solver: caffe.SGDSolver) -> None:
    assert solver.iter == 0
    solver.solve()
    assert solver.iter == 100
    assert solver.net.blobs["loss"].data < 0.05


def test_step_and_lr(solver: caffe.SGDSolver) -> None:
    assert solver.lr == pytest.approx(0.01)
    solver.step(7)
    assert solver.iter == 7
    assert solver.lr == pytest.approx(0.01 * (1 + 0.0007) ** -0.75)


def test_apply_update(solver: caffe.SGDSolver) -> None:
    net = solver.net
    net.forward()
    net.clear_param_diffs()
    net.backward()
    before = net.params["ip"][0].data.copy()
    gradient = net.params["ip"][0].diff.copy()
    solver.apply_update()
    expected = before - np.float32(0.01) * (gradient + np.float32(0.0005) * before)
    assert np.abs(gradient).max() > 0
    assert np.allclose(net.params["ip"][0].data, expected, rtol=1e-6, atol=1e-8)
    assert solver.iter == 0


def test_nets_outlive_the_solver(folder: Path) -> None:
    nets = []
    solver = caffe.SGDSolver("solver.prototxt")
    solver.step(1)
    nets = [solver.net, *solver.test_nets]
    assert len(nets) == 2
    del solver
    for net in nets:
        assert net.params["conv"][0].data.shape == (11, 2, 2, 2)
        net.forward()


def test_test_nets_use_the_train_nets_parameters(solver: caffe.SGDSolver) -> None:
    solver.step(1)
    mine, theirs = solver.net.params["conv"][0], solver.test_nets[0].params["conv"][0]
    mine.data[0] = 42
    assert (theirs.data[0] == 42).all()


def test_snapshot(solver: caffe.SGDSolver, folder: Path) -> None:
    solver.snapshot()
    for suffix in ("caffemodel", "solverstate"):
        assert (folder / f"model_iter_0.{suffix}").is_file()


def test_restore(solver: caffe.SGDSolver) -> None:
    solver.step(3)
    solver.snapshot()
    values = solver.net.params["conv"][0].data.copy()
    other = caffe.get_solver("solver.prototxt")
    other.restore("model_iter_3.solverstate")
    assert other.iter == 3
    assert np.array_equal(other.net.params["conv"][0].data, values)
    other.param.max_iter = 20
    other.solve("model_iter_3.solverstate")
    assert other.iter == 20


def test_callbacks(solver: caffe.SGDSolver) -> None:
    heard: list[tuple[str, int, bool]] = []

    def hear(what: str) -> None:
        heard.append((what, solver.iter, bool(solver.net.params["ip"][0].diff.any())))

    solver.add_callback(lambda: hear("start"), lambda: hear("gradients"))
    solver.step(2)
    assert heard == [("start", 0, False), ("gradients", 0, True), ("start", 1, False), ("gradients", 1, True)]


def test_parameters_can_be_changed(solver: caffe.SGDSolver) -> None:
    assert (solver.param.max_iter, solver.param.display, solver.param.layer_wise_reduce) == (100, 100, True)
    solver.param.base_lr = 0.5
    assert solver.lr == pytest.approx(0.5)
    solver.param.max_iter = 4
    solver.solve()
    assert solver.iter == 4


def test_share_weights(solver: caffe.SGDSolver) -> None:
    other = caffe.Net("net.prototxt", caffe.TRAIN)
    solver.share_weights(other)
    solver.net.params["ip"][1].data[...] = 7
    assert (other.params["ip"][1].data == 7).all()


@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_get_solver_chooses_the_class(folder: Path, kind: str) -> None:
    text = (folder / "solver.prototxt").read_text()
    if kind in ("AdaGrad", "RMSProp"):
        text = text.replace("momentum: 0.9", "")
    (folder / "solver.prototxt").write_text(f'{text} type: "{kind}"')
    solver = caffe.get_solver("solver.prototxt")
    assert type(solver) is getattr(caffe, f"{kind}Solver")
    assert isinstance(solver, caffe.SGDSolver)
    before = solver.net.params["ip"][0].data.copy()
    solver.step(2)
    assert np.isfinite(solver.net.params["ip"][0].data).all()
    assert not np.array_equal(before, solver.net.params["ip"][0].data)


def test_weights_named_in_the_solver(folder: Path) -> None:
    caffe.set_random_seed(5)
    caffe.Net("net.prototxt", caffe.TRAIN).save("init.caffemodel")
    expected = caffe.Net("net.prototxt", caffe.TRAIN, weights="init.caffemodel")
    (folder / "solver.prototxt").write_text((folder / "solver.prototxt").read_text() + 'weights: "init.caffemodel"')
    solver = caffe.SGDSolver("solver.prototxt")
    assert np.array_equal(solver.net.params["ip"][0].data, expected.params["ip"][0].data)


def test_the_log_goes_to_stderr(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    monkeypatch.delenv("GLOG_minloglevel")
    caffe.SGDSolver("solver.prototxt").step(1)
    assert "] Iteration 0, lr = 0.01\n" in capfd.readouterr().err


def test_same_seed_same_training(folder: Path) -> None:
    (folder / "solver.prototxt").write_text((folder / "solver.prototxt").read_text() + "random_seed: 11")
    runs = []
    for _ in range(2):
        solver = caffe.SGDSolver("solver.prototxt")
        solver.step(5)
        runs.append(solver.net.params["ip"][0].data.tobytes())
    assert runs[0] == runs[1]
