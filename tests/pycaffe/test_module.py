"""The module ``caffe`` itself: names, submodules, log, process settings, timer."""

# ruff: noqa: C408, SIM905 (fields are written as scripts write them: dict(type="xavier"))

from __future__ import annotations

import importlib
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

import pydeeplab
from pydeeplab.compat import offer_caffe
from pydeeplab.errors import UnsupportedError, UsageError

NAMES = """Net SGDSolver NesterovSolver AdaGradSolver RMSPropSolver AdaDeltaSolver AdamSolver NCCL Timer
init_log log set_mode_cpu set_mode_gpu set_device Layer get_solver layer_type_list set_random_seed
solver_count set_solver_count solver_rank set_solver_rank set_multiprocess has_nccl __version__ TRAIN TEST
Classifier Detector io layers params NetSpec to_proto""".split()
SUBMODULES = "proto proto.caffe_pb2 io net_spec draw coord_map classifier detector pycaffe _caffe".split()


def test_every_name_is_there(caffe: Any) -> None:
    for name in NAMES:
        assert hasattr(caffe, name), name
    assert (caffe.TRAIN, caffe.TEST) == (0, 1)
    namespace: dict[str, Any] = {}
    exec("from caffe import *", namespace)
    assert set(NAMES) <= set(namespace)
    assert set(NAMES) <= set(dir(caffe))
    assert not hasattr(caffe, "no_such_name")


@pytest.mark.parametrize("name", SUBMODULES)
def test_every_submodule_can_be_imported(caffe: Any, name: str) -> None:
    module = importlib.import_module(f"caffe.{name}")
    target = caffe
    for part in name.split("."):
        target = getattr(target, part)
    assert target is module


def test_submodules_are_those_of_pydeeplab(caffe: Any) -> None:
    import caffe.proto.caffe_pb2 as pb
    from caffe._caffe import BlobVec, LayerVec
    from caffe.io import caffe_pb2
    from caffe.net_spec import layers
    from caffe.pycaffe import Net

    assert Net is pydeeplab.Net is caffe.Net
    assert pb is caffe_pb2
    assert caffe.layers is layers
    assert caffe.layers is not pydeeplab.layers
    assert BlobVec is pydeeplab.BlobVec
    assert LayerVec is list
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("caffe.no_such_module")


def test_installing_again_changes_nothing(caffe: Any) -> None:
    assert pydeeplab.install_as_caffe() is caffe


def test_another_caffe_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "caffe", type(sys)("caffe"))
    with pytest.raises(UsageError, match="before anything imports caffe"):
        pydeeplab.install_as_caffe()
    there = sys.modules["caffe"]
    offer_caffe()
    assert sys.modules["caffe"] is there


def test_import_of_pydeeplab_alone_gives_no_caffe() -> None:
    code = "import pydeeplab, importlib.util as u; pydeeplab.Net; print(u.find_spec('caffe') is None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_layer_types(caffe: Any) -> None:
    types = caffe.layer_type_list()
    assert types == sorted(types)
    assert {"Data", "Convolution", "InnerProduct", "Python", "Interp"} <= set(types)


def test_modes(caffe: Any) -> None:
    caffe.set_mode_cpu()
    caffe.set_device(0)
    with pytest.warns(RuntimeWarning, match="computing on the CPU"):
        caffe.set_mode_gpu()


def test_seed_fixes_fillers(caffe: Any, tmp_path: Any) -> None:
    path = tmp_path / "net.prototxt"
    top = caffe.layers.InnerProduct(
        caffe.layers.Input(shape=dict(dim=[1, 4])), num_output=3, weight_filler=dict(type="xavier")
    )
    path.write_text(str(top.to_proto()))

    def weights(seed: int) -> list[float]:
        caffe.set_random_seed(seed)
        values: list[float] = caffe.Net(str(path), caffe.TEST).params["InnerProduct1"][0].data.ravel().tolist()
        return values

    assert weights(1) == weights(1) != weights(2)


@pytest.fixture
def restored_log() -> Iterator[None]:
    logger = logging.getLogger("pydeeplab")
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.mark.usefixtures("restored_log")
def test_the_log_looks_like_caffes(caffe: Any, capsys: pytest.CaptureFixture[str]) -> None:
    caffe.init_log()
    caffe.init_log(0, True)
    caffe.log("a message")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert re.fullmatch(r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ test_module\.py:\d+\] a message", lines[0])
    for arguments in ((1,), (0, False)):
        caffe.init_log(*arguments)
        caffe.log("hidden")
    assert capsys.readouterr().err == ""
    with pytest.raises(UsageError, match=r"0 \(information"):
        caffe.init_log(7)


def test_the_log_is_visible_by_itself() -> None:
    code = "import pydeeplab; pydeeplab.log('seen'); pydeeplab.init_log(0, False); pydeeplab.log('hidden')"
    for level, lines in (("0", 1), ("1", 0)):
        environment = {**os.environ, "GLOG_minloglevel": level}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert [line.endswith("] seen") for line in done.stderr.splitlines()] == [True] * lines


def test_solvers_that_train_together(caffe: Any) -> None:
    assert (caffe.solver_count(), caffe.solver_rank()) == (1, 0)
    try:
        caffe.set_solver_count(4)
        caffe.set_solver_rank(3)
        caffe.set_multiprocess(True)
        assert (caffe.solver_count(), caffe.solver_rank()) == (4, 3)
        with pytest.raises(UsageError):
            caffe.set_solver_count(0)
        with pytest.raises(UsageError):
            caffe.set_solver_rank(-1)
    finally:
        caffe.set_solver_count(1)
        caffe.set_solver_rank(0)
        caffe.set_multiprocess(False)


def test_nccl_is_explained(caffe: Any) -> None:
    assert caffe.has_nccl() is False
    for call in (caffe.NCCL.new_uid, lambda: caffe.NCCL(None, b"")):
        with pytest.raises(UnsupportedError, match="has_nccl"):
            call()


def test_timer(caffe: Any) -> None:
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    time.sleep(0.02)
    timer.stop()
    first = timer.ms
    assert 20 <= first < 2000
    time.sleep(0.01)
    assert timer.ms == first
