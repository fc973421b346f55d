"""What is done with one picture, and pictures that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.crf_search.task import Setting, Task, run_task
from pydeeplab.data import write_label_png
from pydeeplab.errors import DataError
from tests.crf_search.support import FIXED, SETTING, run, write_samples


def test_pictures_that_cannot_be_read_are_named_and_left_out(tmp_path: Path) -> None:
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0))
    samples[1].truth.unlink()
    found = run(samples, tmp_path, rounds=0)
    assert found.pictures == ("p0", "p2")
    assert len(found.failed) == 1
    assert "p1_truth.png' does not exist" in found.failed[0]
    assert found.best == (4.0, 8.0, 8.0)


def test_what_is_wrong_with_a_picture(tmp_path: Path) -> None:
    (sample,) = write_samples(tmp_path, (4.0, 8.0, 8.0), 1)
    assert "expected 5 classes (--classes)" in run_task(Setting(5, params=FIXED), Task(sample)).error
    scores = np.load(sample.scores)
    scores[1, 2, 3] = np.nan
    np.save(sample.scores, scores)
    assert "scores must be finite; class 1 at row 2, column 3 is nan" in run_task(SETTING, Task(sample)).error
    assert "must be in 0..1" in run_task(replace(SETTING, kind="probabilities"), Task(sample)).error
    write_label_png(sample.truth, np.zeros((3, 3), np.uint8))
    assert "has shape (3, 3), image" in run_task(SETTING, Task(sample)).error
    with pytest.raises(DataError, match="no picture can be used: p0"):
        run([sample], tmp_path)


@pytest.mark.parametrize("kind", ["logits", "probabilities", "energies"])
def test_kinds_of_scores(tmp_path: Path, kind: str) -> None:
    (sample,) = write_samples(tmp_path, (4.0, 8.0, 8.0), 1)
    logits = np.load(sample.scores)
    shares = np.exp(logits) / np.exp(logits).sum(axis=0)
    np.save(sample.scores, {"logits": logits, "probabilities": shares, "energies": -logits}[kind])
    task = Task(sample, (((8.0, 8.0), (4.0,)),))
    answer = run_task(replace(SETTING, kind=kind), task)
    ((_, cells),) = answer.cells
    wrong = sum(pixels for true, predicted, pixels in cells if true != predicted)
    assert wrong <= (3 if kind == "probabilities" else 0)


def test_maps_of_padded_pictures_are_cut(tmp_path: Path) -> None:
    (sample,) = write_samples(tmp_path, (4.0, 8.0, 8.0), 1)
    before = run_task(SETTING, Task(sample, (((8.0, 8.0), (4.0,)),)))
    np.save(sample.scores, np.pad(np.load(sample.scores), ((0, 0), (0, 7), (0, 9))))
    assert run_task(SETTING, Task(sample, (((8.0, 8.0), (4.0,)),))) == before
