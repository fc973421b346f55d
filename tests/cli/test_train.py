"""`pydeeplab train`: what it writes, how it is stopped and resumed, and its exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.cli import main
from pydeeplab.formats import read_weights
from tests.solver.problem import write_problem


def train(folder: Path, *options: str) -> int:
    return main(["train", "--solver", str(folder / "solver.prototxt"), "--quiet", *options])


def weights(path: Path) -> dict[str, bytes]:
    layers = read_weights(path).layers
    return {f"{one.name}/{i}": blob.data.tobytes() for one in layers for i, blob in enumerate(one.blobs) if blob}


def test_trains_and_writes_a_log(tmp_path: Path) -> None:
    write_problem(tmp_path)
    assert train(tmp_path) == 0
    assert (tmp_path / "run_iter_12.caffemodel").exists()
    log = (tmp_path / "run.log").read_text()
    assert "Log file created at: " in log
    assert re.search(r"solver\.cpp:218\] Iteration 10 \(.* iter/s, .*s/2 iters\), loss = ", log)
    assert "caffe.cpp:259] Optimization Done." in log


def test_the_folder_for_snapshots_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solver = write_problem(tmp_path)
    solver.write_text(solver.read_text().replace(f"{tmp_path}/run", f"{tmp_path}/model/small/run"))
    assert train(tmp_path, "--iterations", "1") == 0
    assert (tmp_path / "model" / "small" / "run_iter_1.caffemodel").exists()
    assert "made the folder" in capsys.readouterr().err


def test_spellings_of_caffe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solver = write_problem(tmp_path)
    options = [f"-solver={solver}", "-gpu", "all", "-sigint_effect", "none", "--sighup_effect=stop", "-iterations", "2"]
    assert main(["train", *options]) == 0
    errors = capsys.readouterr().err
    assert "note: " in errors  # no GPU, or one of them only
    assert "] Iteration 0, lr = 0.01" in errors
    assert (tmp_path / "run_iter_2.caffemodel").exists()


def test_weights_are_where_training_begins(tmp_path: Path) -> None:
    write_problem(tmp_path)
    assert train(tmp_path) == 0
    before = weights(tmp_path / "run_iter_12.caffemodel")
    (tmp_path / "run_iter_12.caffemodel").rename(tmp_path / "init.caffemodel")
    solver = tmp_path / "solver.prototxt"
    solver.write_text(solver.read_text().replace("base_lr: 0.01", "base_lr: 0"))
    assert train(tmp_path, "--weights", str(tmp_path / "init.caffemodel")) == 0
    after = weights(tmp_path / "run_iter_12.caffemodel")
    assert after["conv/0"] == before["conv/0"]
    assert after["fc/1"] == before["fc/1"]


def test_auto_begins_then_resumes_then_is_done(tmp_path: Path) -> None:
    alone, parts = tmp_path / "alone", tmp_path / "parts"
    for folder in (alone, parts):
        folder.mkdir()
        write_problem(folder)
    assert train(alone) == 0
    for _ in range(4):
        assert train(parts, "--snapshot", "auto", "--iterations", "5") == 0
    assert weights(parts / "run_iter_12.caffemodel") == weights(alone / "run_iter_12.caffemodel")
    log = (parts / "run.log").read_text()
    assert "there is no snapshot of" in log
    assert [int(n) for n in re.findall(r"Resuming from .*run_iter_(\d+)", log)] == [5, 10, 12]


def test_memory_and_debug_info_change_no_bit(tmp_path: Path) -> None:
    found = []
    for name, text, options in (("a", "", ()), ("b", "", ("--recompute",)), ("c", "debug_info: true\n", ())):
        folder = tmp_path / name
        folder.mkdir()
        solver = write_problem(folder)
        solver.write_text(solver.read_text() + text)
        assert train(folder, *options) == 0
        found.append(weights(folder / "run_iter_12.caffemodel"))
    assert found[0] == found[1] == found[2]


def test_json_log(tmp_path: Path) -> None:
    write_problem(tmp_path)
    assert train(tmp_path, "--json-log", str(tmp_path / "log.jsonl"), "--no-log") == 0
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e["iteration"] for e in events if e["event"] == "train"] == [0, 2, 4, 6, 8, 10]
    assert not (tmp_path / "run.log").exists()


def run_until(folder: Path, pattern: str, number: int) -> tuple[int, str]:
    """Start training in a process of its own, send a signal when a line matches; returns exit code and all lines."""
    command = [sys.executable, "-m", "pydeeplab", "train", "--solver", "solver.prototxt", "--threads", "1"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if re.search(pattern, line):
            process.send_signal(number)
            break
    lines += process.stderr.readlines()
    return process.wait(), "".join(lines)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_stop(tmp_path: Path, number: int, code: int) -> None:
    write_problem(tmp_path, max_iter=100000, snapshot=0)
    got, text = run_until(tmp_path, r"\] Iteration 20 \(", number)
    assert got == code, text
    assert "Optimization stopped early." in text
    (state,) = tmp_path.glob("run_iter_*.solverstate")
    assert int(re.findall(r"\d+", state.name)[0]) > 20
    assert train(tmp_path, "--snapshot", "auto", "--iterations", "1") == 0


def test_hangup_saves_and_goes_on(tmp_path: Path) -> None:
    write_problem(tmp_path, max_iter=400, snapshot=0)
    code, text = run_until(tmp_path, r"\] Iteration 20 \(", signal.SIGHUP)
    assert code == 0, text
    iterations = sorted(int(re.findall(r"\d+", p.name)[0]) for p in tmp_path.glob("run_iter_*.solverstate"))
    assert len(iterations) == 2
    assert 20 < iterations[0] < iterations[1] == 400


class TestFailures:
    def test_nan_is_explained_and_not_saved(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        solver = write_problem(tmp_path, max_iter=60, snapshot=0)
        solver.write_text(solver.read_text().replace("base_lr: 0.01", "base_lr: 1e38"))
        with np.errstate(all="ignore"):
            assert train(tmp_path) == 1
        assert "try a tenth of base_lr" in capsys.readouterr().err
        assert not list(tmp_path.glob("run_iter_*"))

    def test_all_snapshots_damaged(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_problem(tmp_path, max_iter=4)
        assert train(tmp_path) == 0
        (tmp_path / "run_iter_4.caffemodel").write_bytes(b"x")
        assert train(tmp_path, "--snapshot", "auto") == 1
        assert "none of the 1 snapshots" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--weights", "a.caffemodel", "--snapshot", "b.solverstate"], "not both"),
            (["--iterations", "0"], "at least 1"),
            (["--log", "/nowhere/at/all.log"], "cannot write the log"),
        ],
    )
    def test_usage(self, tmp_path: Path, options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
        write_problem(tmp_path)
        assert train(tmp_path, *options) == 2
        assert says in capsys.readouterr().err

    def test_missing_solver(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["train", "--solver", str(tmp_path / "no.prototxt")]) == 1
        assert "no.prototxt" in capsys.readouterr().err


def test_a_dry_run_checks_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_problem(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    assert train(tmp_path, "--dry-run") == 0
    assert "0 errors" in capsys.readouterr().err.replace("no errors", "0 errors")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_what_would_fail_later_fails_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solver = write_problem(tmp_path)
    (tmp_path / "missing_weights.caffemodel").touch()
    assert train(tmp_path, "--weights", str(tmp_path / "missing_weights.caffemodel")) == 1
    errors = capsys.readouterr().err
    assert "missing_weights.caffemodel" in errors
    assert "training does not begin" in errors
    assert not (tmp_path / "run.log").exists()
    assert solver.exists()
