"""Data layers in training: reading ahead, snapshots, layers written in Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab import get_solver
from pydeeplab.data import write_label_png
from pydeeplab.data.prefetch import set_data_workers
from pydeeplab.solver import Solver

SOLVER = """
net: "net.prototxt" random_seed: 3 base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 max_iter: 9
snapshot_prefix: "run" display: 0 snapshot_after_train: false {extra}
"""
NET = """
layer { name: "data" type: "ImageSegData" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mirror: true crop_size: 17 scale_factors: 0.75 scale_factors: 1 scale_factors: 1.25 scale: 0.01 }
  image_data_param { source: "list.txt" root_folder: "." batch_size: 2 shuffle: true rand_skip: 3 label_type: PIXEL } }
layer { name: "data" type: "ImageSegData" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 25 scale: 0.01 }
  image_data_param { source: "list.txt" root_folder: "." batch_size: 1 label_type: PIXEL } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 3 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "msra" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 } }
"""
PYTHON = '''
import numpy as np
import pydeeplab

class Lines(pydeeplab.Layer):
    """Points on a line, in an order that its state determines."""
    def setup(self, bottom, top):
        self.count = 0

    @property
    def state(self):
        return {"count": self.count}

    @state.setter
    def state(self, saved):
        self.count = saved["count"]

    def reshape(self, bottom, top):
        top[0].reshape(4, 1)
        top[1].reshape(4, 1)

    def forward(self, bottom, top):
        x = np.cos(np.arange(4) + 10 * self.count)[:, None]
        top[0].data[...], top[1].data[...] = x, 3 * x - 1
        self.count += 1

    def backward(self, top, propagate_down, bottom):
        pass

class Squares(pydeeplab.Layer):
    """Half the mean square of a difference."""
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.gap = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.gap ** 2) / len(self.gap) / 2

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff[0] * self.gap / len(self.gap)
'''
PYTHON_NET = """
layer { name: "points" type: "Python" top: "x" top: "y" python_param { module: "lines_for_tests" layer: "Lines" } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 1 } }
layer { name: "loss" type: "Python" bottom: "ip" bottom: "y" top: "loss" loss_weight: 1
  python_param { module: "lines_for_tests" layer: "Squares" } }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for i in range(5):
        Image.fromarray(random.integers(0, 256, (20 + i, 24, 3), dtype=np.uint8)).save(f"{i}.png")
        write_label_png(f"{i}_label.png", random.integers(0, 3, (20 + i, 24), dtype=np.uint8))
    Path("list.txt").write_text("".join(f"/{i}.png /{i}_label.png\n" for i in range(5)))
    Path("net.prototxt").write_text(NET)
    Path("solver.prototxt").write_text(SOLVER.format(extra="test_iter: 5 test_interval: 2"))
    yield tmp_path
    set_data_workers(None)


def weights(solver: Solver) -> dict[str, bytes]:
    return {
        f"{name}/{i}": blob.data.tobytes() for name, blobs in solver.net.params.items() for i, blob in enumerate(blobs)
    }


def trained(workers: int, steps: int) -> Solver:
    set_data_workers(workers)
    solver = get_solver("solver.prototxt")
    solver.step(steps)
    return solver


def test_training_is_the_same_with_any_number_of_workers(folder: Path) -> None:
    alone = weights(trained(0, 9))
    assert weights(trained(0, 8)) != alone
    for workers in (1, 4):
        assert weights(trained(workers, 9)) == alone


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0), (3, 2)])
def test_resuming_goes_on_with_the_same_crops(folder: Path, before: int, after: int) -> None:
    straight = weights(trained(before, 9))
    state = trained(before, 5).snapshot()
    set_data_workers(after)
    resumed = get_solver("solver.prototxt")
    resumed.restore(Path(state))
    resumed.step(4)
    assert weights(resumed) == straight


def test_layers_written_in_python_feed_judge_and_resume(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "lines_for_tests.py").write_text(PYTHON)
    (folder / "net.prototxt").write_text(PYTHON_NET)
    (folder / "solver.prototxt").write_text(SOLVER.format(extra="").replace("0.01", "0.3"))
    monkeypatch.delitem(sys.modules, "lines_for_tests", raising=False)
    solver = trained(2, 300)
    assert solver.net.params["ip"][0].data.item() == pytest.approx(3, abs=1e-3)
    assert solver.net.params["ip"][1].data.item() == pytest.approx(-1, abs=1e-3)
    straight = weights(trained(0, 9))
    state = trained(0, 5).snapshot()
    resumed = get_solver("solver.prototxt")
    resumed.restore(Path(state))
    resumed.step(4)
    assert weights(resumed) == straight
