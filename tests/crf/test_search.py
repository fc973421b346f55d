"""The search for the CRF's parameters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydeeplab.crf import CRFParameters, DenseCRF
from pydeeplab.crf.search import Search, search
from pydeeplab.crf.search_engine import choose_engine, open_engine
from pydeeplab.crf.search_grid import PAPER_GRID, Grid, neighbours, parse_values
from pydeeplab.crf.search_results import Results, describe
from pydeeplab.crf.search_sweep import Sweep
from pydeeplab.crf.search_task import Answer, Sample, Setting, Task, run_task, tasks_of
from pydeeplab.data import write_label_png
from pydeeplab.data.palette import write_png
from pydeeplab.errors import DataError, PydeeplabError, UsageError
from tests.crf.support import picture

FIXED = CRFParameters(iterations=4)
SETTING = Setting(4, params=FIXED)
SMALL = Grid((2, 4), (8, 16), (4, 8))


def write_samples(folder: Path, planted: tuple[float, float, float], count: int = 3) -> list[Sample]:
    """Pictures whose truth is what the CRF makes of their noisy scores with the planted parameters."""
    samples = []
    w, xy, rgb = planted
    crf = DenseCRF(replace(FIXED, bi_w=(w,), bi_xy_std=(xy,), bi_rgb_std=(rgb,)))
    for seed in range(count):
        image, _, scores = picture(30, 41, seed=seed)
        image = np.clip(image + np.random.default_rng(seed).normal(0, 5, image.shape), 0, 255).astype(np.uint8)
        truth = crf.refine(image, scores).argmax(axis=0)
        sample = Sample(f"p{seed}", *(folder / f"p{seed}{end}" for end in (".png", ".npy", "_truth.png")))
        write_png(sample.image, image)
        np.save(sample.scores, scores)
        write_label_png(sample.truth, truth)
        samples.append(sample)
    return samples


def run(samples: list[Sample], folder: Path, grid: Grid = SMALL, **options: object) -> Search:
    return search(samples, SETTING, str(folder / "results.jsonl"), grid, **options)


# Where the best parameters are known ---------------------------------------------------------------------------------


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


# Sweeps --------------------------------------------------------------------------------------------------------------


def test_a_sweep_gives_the_labels_of_separate_runs() -> None:
    image, _, scores = picture(33, 40, seed=5)
    params = CRFParameters(pos_w=(3, 1), pos_xy_std=(3, 9), iterations=3, normalization="symmetric")
    kernels = [((9.0, 4.0), (3.0, 5.0)), ((30.0, 4.0), (5.0,)), ((9.0, 9.0), (1.0, 3.0))]
    seen = []
    for w, xy, rgb, labels in Sweep(params).labels(kernels, image, scores):
        wanted = DenseCRF(replace(params, bi_w=(w,), bi_xy_std=(xy,), bi_rgb_std=(rgb,))).refine(image, scores)
        np.testing.assert_array_equal(labels, wanted.argmax(axis=0))
        seen.append((w, xy, rgb))
    assert seen == [(3, 9, 4), (5, 9, 4), (5, 30, 4), (1, 9, 9), (3, 9, 9)]


def test_lattices_are_built_once_for_all_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydeeplab.crf import mean_field

    built = []
    original = mean_field.PermutohedralLattice
    monkeypatch.setattr(
        mean_field, "PermutohedralLattice", lambda f, **options: built.append(f.shape[1]) or original(f, **options)
    )
    image, _, scores = picture()
    list(Sweep(FIXED).labels([((9.0, 4.0), (1.0, 2.0, 3.0)), ((9.0, 5.0), (1.0, 2.0))], image, scores))
    assert built == [2, 5, 5]


# Results and resuming ------------------------------------------------------------------------------------------------


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydeeplab.crf import search_engine

    samples = write_samples(tmp_path, (4.0, 8.0, 8.0))
    whole = run(samples, tmp_path / ".", rounds=1)
    file = tmp_path / "results.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    asked: list[Task] = []

    def counting(setting: Setting, task: Task) -> Answer:
        asked.append(task)
        return run_task(setting, task)

    monkeypatch.setattr(search_engine, "run_task", counting)
    file.write_bytes(b"".join(lines[:-2]) + lines[-2][:9])
    again = run(samples, tmp_path, rounds=1)
    assert again.to_json() == whole.to_json()
    assert sum(len(weights) for task in asked for _, weights in task.kernels) == 2
    assert sorted(file.read_bytes().splitlines()) == sorted(line.rstrip() for line in lines)
    asked.clear()
    assert run(samples, tmp_path, rounds=1).to_json() == whole.to_json()
    assert asked == []


def test_results_of_another_search_are_refused(tmp_path: Path) -> None:
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0))
    run(samples, tmp_path, Grid((4,), (8,), (8,)), rounds=0)
    with pytest.raises(UsageError, match="belongs to another search: it differs in pictures"):
        run(samples[:2], tmp_path)
    other = replace(SETTING, params=replace(FIXED, pos_w=(1.0,)))
    with pytest.raises(UsageError, match="differs in positional"):
        search(samples, other, str(tmp_path / "results.jsonl"), SMALL)
    np.save(samples[0].scores, np.load(samples[0].scores) * 2)
    with pytest.raises(UsageError, match="they were changed since"):
        run(samples, tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("no json", r"jsonl:2: is no line"),
        ("[1]", r"jsonl:2: is no line"),
        ('{"picture": "p0", "point": [1, 2], "cells": []}', r"jsonl:2: is no result"),
        ('{"picture": "p0", "point": [1, 2, 3], "cells": [[9, 0, 5]]}', r"jsonl:2: is no result"),
        ('{"picture": "p0", "point": [1, 2, 3], "cells": [[0, 0, -5]]}', r"jsonl:2: is no result"),
        ('{"picture": "p0", "point": null, "cells": "many"}', r"jsonl:2: is no result"),
        ('{"picture": "p0", "cells": [[0, 0, 5]]}', r"jsonl:2: is no result"),
    ],
)
def test_damaged_results_are_named(tmp_path: Path, line: str, message: str) -> None:
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0), 1)
    first = json.dumps(describe(samples, SETTING))
    (tmp_path / "results.jsonl").write_text(f"{first}\n{line}\n")
    with pytest.raises(DataError, match=message):
        run(samples, tmp_path)


def test_counts_are_those_of_all_pictures(tmp_path: Path) -> None:
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0))
    results = Results(tmp_path / "r.jsonl", describe(samples, SETTING))
    for sample in samples:
        results.add(run_task(SETTING, Task(sample, (((8.0, 8.0), (4.0,)),))))
    matrix = results.matrix((4.0, 8.0, 8.0), [s.name for s in samples])
    assert matrix.counts.sum() == 3 * 30 * 41
    assert matrix.mean_iou() == 1
    results.close()


# Pictures that cannot be used ----------------------------------------------------------------------------------------


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


# Engines -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["joblib", "futures"])
def test_processes_give_the_same_answers(tmp_path: Path, engine: str) -> None:
    if engine == "joblib":
        pytest.importorskip("joblib")
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0))
    tasks = [t for s in samples for t in tasks_of(s, SMALL.points())]
    assert len(tasks) == 6

    def ordered(answers: object) -> list[Answer]:
        return sorted(answers, key=lambda a: (a.name, a.cells))  # type: ignore[call-overload]

    with open_engine(SETTING, 2, engine) as answers:
        found = ordered(answers(tasks)), ordered(answers(tasks[:2]))
    assert found[1] == ordered(run_task(SETTING, t) for t in tasks[:2])
    assert found[0] == ordered(run_task(SETTING, t) for t in tasks)


@pytest.mark.parametrize("engine", ["joblib", "futures"])
def test_a_process_that_dies_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    if engine == "joblib":
        pytest.importorskip("joblib")
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0), 2)
    from pydeeplab.crf import search_engine

    monkeypatch.setattr(search_engine, "run_task", _die)
    with (
        pytest.raises(PydeeplabError, match="a process of the search died"),
        open_engine(SETTING, 2, engine) as answers,
    ):
        list(answers([Task(s) for s in samples]))


def _die(*_: object) -> None:
    import os

    os._exit(9)


def test_dask_gives_the_same_answers(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0), 2)
    tasks = [t for s in samples for t in tasks_of(s, SMALL.points())]
    with open_engine(SETTING, 2, "dask") as answers:
        found = sorted(answers(tasks), key=lambda a: (a.name, a.cells))
    assert found == sorted((run_task(SETTING, t) for t in tasks), key=lambda a: (a.name, a.cells))


def test_engines_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydeeplab.crf import search_engine

    monkeypatch.setattr(search_engine.importlib.util, "find_spec", lambda name: None)
    assert choose_engine(None, None) == "futures"
    with pytest.raises(UsageError, match=r"the engine joblib needs joblib: pip install 'pydeeplab\[search\]'"):
        choose_engine("joblib", None)
    with pytest.raises(UsageError, match=r"needs joblib and distributed: pip install 'pydeeplab\[search-dask\]'"):
        choose_engine(None, "tcp://host:8786")
    with pytest.raises(UsageError, match="a scheduler goes with the engine dask, not futures"):
        choose_engine("futures", "tcp://host:8786")
    with pytest.raises(UsageError, match="unknown engine 'spark'"):
        choose_engine("spark", None)


# Grids ---------------------------------------------------------------------------------------------------------------


def test_the_papers_grid() -> None:
    assert len(PAPER_GRID.points()) == 4 * 8 * 4
    assert PAPER_GRID.steps() == (1, 10, 1)
    assert (min(PAPER_GRID.xy), max(PAPER_GRID.xy)) == (30, 100)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3:6", (3, 4, 5, 6)),
        ("30:10:50", (30, 40, 50)),
        ("4", (4,)),
        ("5,3,5", (3, 5)),
        ("1:0.1:1.3", (1, 1.1, 1.2, 1.3)),
    ],
)
def test_values(text: str, values: tuple[float, ...]) -> None:
    assert parse_values(text, "w") == values


@pytest.mark.parametrize("text", ["", "a", "3:", "6:3", "1:0:5", "0:3", "-1", "nan", "inf", "1:1e-9:5", "1:2:3:4"])
def test_wrong_values(text: str) -> None:
    with pytest.raises(UsageError, match="w wants positive numbers"):
        parse_values(text, "w")


@given(
    st.tuples(*[st.floats(0.01, 100)] * 3),
    st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 10.0])] * 3),
)
def test_neighbours_are_positive_and_close(centre: tuple, steps: tuple) -> None:
    points = neighbours(centre, steps)
    assert len(points) == len(set(points)) <= 27
    assert any(np.allclose(p, centre, atol=1e-6) for p in points)
    for point in points:
        assert min(point) > 0
        assert all(abs(a - b) <= step + 1e-6 for a, b, step in zip(point, centre, steps, strict=True))
