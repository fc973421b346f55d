"""What is said when training goes wrong."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.solver import DivergedError, Observer, get_solver
from pydeeplab.solver.watch import SATURATED, Watch
from tests.solver.problem import write_problem


class Ears(Observer):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warned(self, iteration: int, text: str) -> None:
        self.heard.append(text)


def solver(tmp_path: Path, **options: object):
    ears = Ears()
    return get_solver(write_problem(tmp_path), observers=[ears], **options), ears


def test_nan_stops_before_parameters_change(tmp_path: Path) -> None:
    one, _ = solver(tmp_path, strict=True)
    one.net.params["fc"][1].data[0] = np.inf
    before = one.net.params["conv"][0].data.copy()
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match=r"iteration 0: the loss is (nan|inf).*base_lr"):
        one.step(1)
    assert np.array_equal(one.net.params["conv"][0].data, before)
    assert one.iter == 0


def test_nan_names_the_layer(tmp_path: Path) -> None:
    one, _ = solver(tmp_path, strict=True)
    one.net.params["conv"][0].data[0] = np.nan
    with pytest.raises(DivergedError, match="Parameters of layer 'conv' and 1 more are no longer numbers"):
        one.step(1)


def test_blobs_that_are_not_kept_are_neither_blamed_nor_brought_back(tmp_path: Path) -> None:
    one, _ = solver(tmp_path, keep="training")
    one.step(1)
    blobs = [blob for node in one.net.nodes for blob in node.tops]
    held = [blob.data_storage.capacity for blob in blobs]
    assert 0 in held
    assert "blob that holds" not in str(Watch(one.net).look(math.nan))
    assert [blob.data_storage.capacity for blob in blobs] == held


def test_as_caffe_it_goes_on_with_a_warning(tmp_path: Path) -> None:
    one, ears = solver(tmp_path)
    one.net.params["conv"][0].data[0] = np.nan
    one.step(3)
    assert one.iter == 3
    assert len([text for text in ears.heard if "the loss is nan" in text]) == 1


def test_saturated_loss(tmp_path: Path) -> None:
    one, _ = solver(tmp_path)
    watch = Watch(one.net)
    assert pytest.approx(87.3365, abs=1e-4) == SATURATED
    said = [watch.look(87.33655) for _ in range(10)]
    assert sum(text is not None for text in said) == 1
    assert "87.33" in str(said[4])
    assert [watch.look(value) for value in (87.0, 3.0, 80.0)] == [None] * 3


def test_constant_loss_explains_zero_weights(tmp_path: Path) -> None:
    one, _ = solver(tmp_path)
    one.net.params["fc"][0].data[...] = 0
    watch = Watch(one.net, patience=10)
    said = [watch.look(math.log(3)) for _ in range(12)]
    assert said[8] is None
    assert "fc" in str(said[9])
    assert "log(3)" in str(said[9])
    assert said[10:] == [None, None]


def test_a_falling_loss_is_no_matter(tmp_path: Path) -> None:
    one, _ = solver(tmp_path)
    watch = Watch(one.net, patience=10)
    assert not any(watch.look(1 - 1e-4 * i) for i in range(100))


def test_a_loss_that_fell_to_nothing_is_no_matter(tmp_path: Path) -> None:
    one, _ = solver(tmp_path)
    watch = Watch(one.net, patience=10)
    assert not any(watch.look(loss) for loss in [1.0] * 3 + [0.0] * 40)


def test_a_loss_that_was_always_nothing_is_noticed(tmp_path: Path) -> None:
    one, _ = solver(tmp_path)
    watch = Watch(one.net, patience=10)
    assert "all ignored?" in str([watch.look(0.0) for _ in range(10)][-1])
