"""The scripts that test and measure on GPUs run unattended: on the emulation, a little of everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.gpu import Step, capability, run_step
from tests.support.backends import need_backend

ROOT = Path(__file__).parents[1]


def dry_run(module: str, report: str, folder: Path) -> dict[str, Any]:
    need_backend("cuda-emulation")
    environment = os.environ | {"OUT": str(folder)}
    command = [sys.executable, "-m", module, "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / report).read_text())
    return found


def test_all_tests(tmp_path: Path) -> None:
    report = dry_run("tests.gpu", "test-gpu-dry.json", tmp_path)
    assert [step["name"] for step in report["steps"]] == ["kernels", "training", "cases"]
    assert all(step["good"] for step in report["steps"])
    assert "resumed run equal" in report["steps"][1]["summary"]
    assert {"gpu", "date", "python", "numpy"} <= set(report["machine"])


def test_all_measurements(tmp_path: Path) -> None:
    report = dry_run("benchmarks.gpu", "bench-gpu-dry.json", tmp_path)
    assert [row["task"]["kind"] for row in report["rows"]] == ["crf", "forward", "train"]
    for row in report["rows"]:
        ours = [one for one in row["found"] if one["contestant"] == "pydeeplab"]
        assert ours
        assert all(one["median_ms"] > 0 for one in ours), ours
    forward = report["rows"][1]
    assert max(one["difference"] for one in forward["found"] if one.get("math") == "strict") < 1e-4
    assert forward["layers"][0]["ms"] >= forward["layers"][-1]["ms"] > 0


def test_steps_that_fail_take_too_long_or_cannot_start() -> None:
    python = [sys.executable, "-c"]
    failed = run_step(Step("a", [*python, "print('3 failed'); raise SystemExit(3)"]), 60, {})
    assert (failed.status, failed.summary, failed.tail, failed.good) == (3, "3 failed", "3 failed", False)
    assert run_step(Step("b", [*python, "import time; time.sleep(60)"]), 1, {}).summary == "stopped after 1 s"
    assert "nowhere" in run_step(Step("c", ["/nowhere"]), 60, {}).summary
    assert run_step(Step("d", python), 0.5, {}).summary == "no time left"


def test_architectures() -> None:
    assert capability({"gpu": "NVIDIA H100 80GB HBM3, 580.1, 81559 MiB, 9.0"}) == "90"
    assert capability({"gpu": "unknown"}) == "90"
