"""The results on disk, and going on with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.crf_search import engine as engines
from pydeeplab.crf_search import search
from pydeeplab.crf_search.grid import Grid
from pydeeplab.crf_search.results import Results, describe
from pydeeplab.crf_search.task import Answer, Setting, Task, run_task
from pydeeplab.errors import DataError, UsageError
from tests.crf_search.support import FIXED, SETTING, SMALL, run, write_samples


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0))
    whole = run(samples, tmp_path / ".", rounds=1)
    file = tmp_path / "results.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    asked: list[Task] = []

    def counting(setting: Setting, task: Task) -> Answer:
        asked.append(task)
        return run_task(setting, task)

    monkeypatch.setattr(engines, "run_task", counting)
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
