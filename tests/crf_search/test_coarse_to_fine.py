"""Searches whose result is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pydeeplab.crf_search.grid import Grid
from tests.crf_search.support import FIXED, run, write_samples


@pytest.mark.parametrize("planted", [(4.0, 8.0, 8.0), (2.0, 16.0, 4.0)])
def test_a_planted_point_of_the_grid_is_found(tmp_path: Path, planted: tuple[float, float, float]) -> None:
    found = run(write_samples(tmp_path, planted), tmp_path, rounds=0)
    assert found.best == planted
    assert found.mean_iou == 1
    assert found.before.mean_iou() < 0.9
    assert sum(matrix.mean_iou() == 1 for matrix in found.points.values()) == 1
    assert found.params == replace(FIXED, bi_w=planted[:1], bi_xy_std=planted[1:2], bi_rgb_std=planted[2:])


def test_a_planted_point_between_those_of_the_grid_is_found(tmp_path: Path) -> None:
    found = run(write_samples(tmp_path, (3.0, 12.0, 6.0), 4), tmp_path, Grid((2, 4), (8, 16), (4, 8)), rounds=1)
    assert (found.best, found.mean_iou) == ((3.0, 12.0, 6.0), 1)
    assert [steps for steps, _ in found.rounds] == [(2, 8, 4), (1, 4, 2)]


def test_a_planted_point_outside_of_the_grid_is_found(tmp_path: Path) -> None:
    found = run(write_samples(tmp_path, (4.0, 20.0, 6.0), 4), tmp_path, Grid((4,), (8, 12, 16), (4, 5, 6)), rounds=0)
    assert (found.best, found.mean_iou) == ((4.0, 20.0, 6.0), 1)
    assert {w for w, _, _ in found.points} == {4.0}
