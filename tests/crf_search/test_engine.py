"""The processes of a search."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pydeeplab.crf_search import engine as engines
from pydeeplab.crf_search.engine import choose_engine, open_engine
from pydeeplab.crf_search.task import Answer, Task, run_task, tasks_of
from pydeeplab.errors import PydeeplabError, UsageError
from tests.crf_search.support import SETTING, SMALL, write_samples


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
    monkeypatch.setattr(engines, "run_task", _die)
    with (
        pytest.raises(PydeeplabError, match="a process of the search died"),
        open_engine(SETTING, 2, engine) as answers,
    ):
        list(answers([Task(s) for s in samples]))


def _die(*_: object) -> None:
    os._exit(9)


def test_dask_gives_the_same_answers(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    samples = write_samples(tmp_path, (4.0, 8.0, 8.0), 2)
    tasks = [t for s in samples for t in tasks_of(s, SMALL.points())]
    with open_engine(SETTING, 2, "dask") as answers:
        found = sorted(answers(tasks), key=lambda a: (a.name, a.cells))
    assert found == sorted((run_task(SETTING, t) for t in tasks), key=lambda a: (a.name, a.cells))


def test_engines_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    assert choose_engine(None, None) == "futures"
    with pytest.raises(UsageError, match=r"the engine joblib needs joblib: pip install 'pydeeplab\[search\]'"):
        choose_engine("joblib", None)
    with pytest.raises(UsageError, match=r"needs joblib and distributed: pip install 'pydeeplab\[search-dask\]'"):
        choose_engine(None, "tcp://host:8786")
    with pytest.raises(UsageError, match="a scheduler goes with the engine dask, not futures"):
        choose_engine("futures", "tcp://host:8786")
    with pytest.raises(UsageError, match="unknown engine 'spark'"):
        choose_engine("spark", None)
