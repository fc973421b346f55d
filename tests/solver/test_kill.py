"""Training that is killed at random moments and resumed ends with the same bits as training left alone.

``PYDEEPLAB_KILLS`` is the number of kills (3 by default; ``make kills`` does 20).
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.formats import read_solver_state, read_weights
from pydeeplab.solver.state import decode
from tests.solver.problem import write_problem

KILLS = int(os.environ.get("PYDEEPLAB_KILLS", "3"))
ITERATIONS = 24 * (KILLS + 1)
COMMAND = [sys.executable, "-m", "pydeeplab", "train"]
OPTIONS = ["--solver", "solver.prototxt", "--snapshot", "auto", "--threads", "2"]


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *OPTIONS], cwd=folder, stderr=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], iteration: int, delay: float) -> int:
    """Kill a run a moment after it has shown an iteration; returns its exit code."""
    assert process.stderr is not None
    for line in process.stderr:
        shown = re.search(r"\] Iteration (\d+) \(", line)
        if shown and int(shown[1]) >= iteration:
            time.sleep(delay)
            process.kill()
            break
    process.stderr.read()
    return process.wait()


def contents(folder: Path) -> dict[str, object]:
    """All that a finished run has left, but for names and times."""
    stem = folder / f"run_iter_{ITERATIONS}"
    found: dict[str, object] = {}
    for layer in read_weights(f"{stem}.caffemodel").layers:
        for i, blob in enumerate(layer.blobs):
            found[f"{layer.name}/{i}"] = blob.data.tobytes() if blob else None
    state = read_solver_state(f"{stem}.solverstate")
    found["history"] = [array.tobytes() for array in state.history]
    extra = decode(Path(f"{stem}.pydeeplab").read_text())
    found["random"] = repr({key: extra[key] for key in ("train", "test", "window", "iteration")}).replace(
        str(folder), "FOLDER"
    )
    return found


def make_run(folder: Path) -> Path:
    folder.mkdir()
    solver = write_problem(folder, max_iter=ITERATIONS, snapshot=3)
    solver.write_text(solver.read_text().replace(f'"{folder}/run"', '"run"'))
    return folder


@pytest.mark.parametrize("seed", [int(os.environ.get("PYDEEPLAB_KILL_SEED", "1"))])
def test_killed_and_resumed_equals_left_alone(tmp_path: Path, seed: int) -> None:
    with np.printoptions(threshold=sys.maxsize):
        alone = make_run(tmp_path / "alone")
        process = start(alone)
        _, text = process.communicate()
        assert process.returncode == 0, text
        expected = contents(alone)

        killed = make_run(tmp_path / "killed")
        moments = random.Random(seed)
        for kill in range(KILLS):
            goal = ITERATIONS * kill // KILLS + moments.randrange(12)
            code = kill_after(start(killed), goal, moments.uniform(0, 0.03))
            assert code == -signal.SIGKILL, f"kill {kill} came too late"
        process = start(killed)
        _, text = process.communicate()
        assert process.returncode == 0, text
        assert "Resuming from" in text
        assert contents(killed) == expected
    assert not list(killed.glob(".run_iter_*")), "unfinished files were left behind"
