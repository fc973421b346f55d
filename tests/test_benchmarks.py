"""The measuring itself: turns are taken, differences are found, records are added to and printed."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.burden import Burden
from benchmarks.chart import write_charts
from benchmarks.contestants import ALONE, OURS
from benchmarks.duel import CannotError, Worker, difference, duel
from benchmarks.materials import prepare_crf, trainable
from benchmarks.record import Record, median_ratio
from benchmarks.tasks import Task, tasks

CRF = Task("crf", "voc12-largefov", 0, 1, 1)


def test_rows_are_chosen_by_name_and_threads() -> None:
    assert len(list(tasks([1, 4], [], False))) == 16
    chosen = list(tasks([2], ["forward/*aspp_l", "train/*largefov"], False))
    assert [(t.kind, t.net, t.size, t.threads) for t in chosen] == [
        ("forward", "voc12/vgg16_aspp_l", 513, 2),
        ("train", "voc12/vgg16_largefov", 321, 2),
    ]
    assert all(t.size < 200 for t in tasks([1], [], True))


def test_differences() -> None:
    ours = {"a": np.array([3.0, 4.0]), "b": np.zeros(2)}
    assert difference(ours, ours) == 0
    assert difference(ours, {"a": np.array([3.0, 4.5]), "b": np.zeros(2)}) == pytest.approx(0.1)
    with pytest.raises(CannotError, match="shape"):
        difference(ours, {"a": np.zeros(3), "b": np.zeros(2)})
    with pytest.raises(CannotError, match="not finite"):
        difference(ours, {"a": np.array([3.0, np.nan]), "b": np.zeros(2)})
    with pytest.raises(CannotError, match="gives"):
        difference(ours, {"a": np.zeros(2)})


def test_training_nets_need_no_files() -> None:
    param = trainable(Task("train", "voc12/vgg16_largefov", 97, 2, 1))
    assert {layer.type for layer in param.layer} & {"ImageSegData", "SegAccuracy"} == set()
    assert list(param.layer[0].input_param.shape[0].dim) == [2, 3, 97, 97]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are pinned and measured by Linux's means")
def test_two_processes_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent)
    prepare_crf(CRF, tmp_path)
    with Worker(OURS, CRF, tmp_path) as first, Worker(OURS, CRF, tmp_path) as second:
        assert difference(first.results(), second.results()) == 0
        duel(first, second, 2)
        for worker in (first, second):
            assert len(worker.seconds) == len(worker.cpu_seconds) == 2
            assert all(0 < seconds < 60 for seconds in worker.seconds + worker.cpu_seconds)
        assert first.facts["peak_mib"] >= first.facts["running_peak_mib"] > first.facts["imported_mib"] > 10
        assert set(first.facts["versions"]) == {"numpy", "scipy"}


@pytest.mark.skipif(sys.platform != "linux", reason="processes are pinned and measured by Linux's means")
def test_one_thread_is_one_whatever_the_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent)
    prepare_crf(CRF, tmp_path)
    with Worker(ALONE, replace(CRF, threads=2), tmp_path) as worker:
        worker.run()
        assert worker.cpu_seconds[0] < 1.3 * worker.seconds[0]


def test_a_burden_works_until_it_is_lifted() -> None:
    with Burden(2) as burden:
        processes = burden.processes
        assert [process.poll() for process in processes] == [None, None]
    assert all(process.poll() for process in processes)


def test_who_cannot_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent)
    with pytest.raises(CannotError, match=r"FileNotFoundError.*image\.npy"), Worker(OURS, CRF, tmp_path):
        pass


def pair(ours: list[float], name: str, theirs: list[float]) -> dict[str, object]:
    memory = {OURS: 10, name: 20}
    seconds = {OURS: ours, name: theirs}
    return {"seconds": seconds, "cpu_seconds": seconds, "peak_mib": memory, "difference": 1e-6, "load": 0.5}


def test_records_are_added_to(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    for threads, seconds in ((1, [2.0, 4.0, 2.0]), (2, [1.0, 2.5, 1.0])):
        record = Record(path)
        pairs = record.row(Task("forward", "net", 9, 1, threads))
        pairs["torch"] = pair(seconds, "torch", [4.0, 4.0, 4.0])
        pairs["opencv"] = {"cannot": "no such layer"}
        if threads > 1:
            pairs[ALONE] = pair([1.0, 1.0], ALONE, [1.9, 2.0])
        record.write()
    record = Record(path)
    assert len(json.loads(path.read_text())["rows"]) == len(record.content["rows"]) == 2
    assert record.content["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert median_ratio(record.content["rows"][0]["pairs"]["torch"], "torch") == 2
    table = record.table()
    assert "net: forward, 1 x 9 x 9, 2 threads" in table
    assert "cannot: no such layer" in table
    assert "4.00x" in table
    write_charts(record, tmp_path, "bench")
    assert ">2.00</text>" in (tmp_path / "bench.svg").read_text()
    assert "Speed-up" in (tmp_path / "bench_scaling.svg").read_text()
