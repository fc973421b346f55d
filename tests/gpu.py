"""All that can be tested on a GPU, unattended: builds in place, runs the tests on it, and writes a report.

    python -m tests.gpu [--limit SECONDS] [--no-build] [--dry-run]

Tests run side by side, each group in a process of its own with its own time limit; then compute-sanitizer watches a
choice of kernel cases, if it is installed. The report is test-gpu.json in $OUT, or in benchmarks/results. The status is
0 if nothing failed. ``--dry-run`` does a little of everything on the emulation.

    python -m tests.gpu --cases PATTERN     runs the kernel cases with names that match, and nothing else
    python -m tests.gpu --build             builds, and nothing else
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("memcheck", "racecheck")
WATCHED = ("crf_update-*", "lattice_*", "conv_*", "softmax*", "pool*", "interp*", "channel*", "batch_norm*", "image*")
"""Kernel cases that the sanitizers see: those with shared memory, atomics or gathers."""


@dataclass
class Step:
    """One process of the run and what came of it."""

    name: str
    command: list[str]
    status: int | None = None
    seconds: float = 0.0
    summary: str = ""
    tail: str = ""

    @property
    def good(self) -> bool:
        """Whether it ran to its end and found nothing."""
        return self.status == 0


def run_step(step: Step, limit: float, environment: dict[str, str]) -> Step:
    """Run it for at most ``limit`` seconds."""
    start = time.monotonic()
    if limit < 1:
        step.summary = "no time left"
        return step
    try:
        done = subprocess.run(
            step.command,
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
            check=False,
        )
        output, step.status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        output, step.summary = error.stdout or b"", f"stopped after {limit:.0f} s"
    except OSError as error:
        output, step.summary = b"", str(error)
    lines = output.decode(errors="replace").rstrip().splitlines()
    counts = [line for line in lines if re.search(r"\d+ (passed|failed|error)|ERROR SUMMARY|RACECHECK SUMMARY", line)]
    step.seconds = round(time.monotonic() - start, 1)
    step.summary = step.summary or (counts or lines or [""])[-1].strip("= ")
    step.tail = "" if step.good else "\n".join(lines[-60:])
    return step


def test_steps(backend: str, dry: bool) -> list[Step]:
    """The groups of tests."""
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    if importlib.util.find_spec("xdist") and not dry:
        pytest += ["-n", "2"]
    own = f"{backend} and not emulation" if backend == "cuda" else backend
    if dry:
        return [Step("kernels", [*pytest, "tests/backend/test_kernels.py", "-k", f"relu_forward and {own}"])]
    groups = {
        "kernels": ["tests/backend", "--ignore=tests/backend/cuda", "-k", own],
        "device": ["tests/backend/cuda"],
        "layers": ["tests/layers"],
        "reference cases": ["tests/reference"],
        "CRF": ["tests/crf", "-k", "not search"],
        "solver": ["tests/solver", "--ignore=tests/solver/test_kill.py"],
        "nets": ["tests/test_net.py", "tests/test_blob.py", "tests/test_segmentation.py", "tests/pycaffe"],
        "commands": ["tests/cli/test_train.py", "tests/cli/test_segment.py"],
    }
    return [Step(name, [*pytest, *arguments]) for name, arguments in groups.items()]


def watched_steps(dry: bool) -> list[Step]:
    """A choice of kernel cases under compute-sanitizer."""
    sanitizer = shutil.which("compute-sanitizer", path=f"{os.environ.get('PATH', '')}:/usr/local/cuda/bin")
    cases = [sys.executable, "-m", "tests.gpu", "--cases"]
    if dry:
        return [Step("cases", [*cases, "crf_join*"])]
    if not sanitizer:
        return [Step(tool, ["compute-sanitizer"], summary="compute-sanitizer was not found") for tool in TOOLS]
    return [Step(tool, [sanitizer, "--tool", tool, "--error-exitcode", "9", *cases, *WATCHED]) for tool in TOOLS]


def run_cases(patterns: list[str], backend: str) -> int:
    """Run kernel cases in this process; returns the number of those that differ."""
    from tests.backend.test_kernels import CASES, TABLE, run
    from tests.support.kernels import relative_error

    wrong = count = 0
    for case in CASES:
        if TABLE[case.kernel].only == "cpu" or not any(fnmatch.fnmatch(case.id, p) for p in patterns):
            continue
        expected, got = (run(case, case.kernel, name, "f4") for name in ("reference", backend))
        error = max((relative_error(got[name], values) for name, values in expected.items()), default=0.0)
        count += 1
        if error > TABLE[case.kernel].tolerance:
            wrong += 1
            print(f"{case.id}: relative error {error:.2g}")
    print(f"{count} cases, {wrong} wrong")
    return wrong if count else 1


def run_training(iterations: int) -> None:
    """Train a small net on the GPU: the loss falls, and a resumed run ends with the same bits."""
    from pydeeplab.cli import main
    from pydeeplab.formats import read_weights
    from tests.solver.problem import write_problem

    found, half = [], iterations // 2
    with tempfile.TemporaryDirectory() as text:
        for name, parts in (("whole", [iterations]), ("halves", [half, iterations - half])):
            folder = Path(text, name)
            folder.mkdir()
            options = ["--solver", str(write_problem(folder, max_iter=iterations, snapshot=half)), "--gpu", "0"]
            options += ["--quiet", "--json-log", str(folder / "log"), "--snapshot", "auto"]
            for part in parts:
                if main(["train", *options, "--iterations", str(part)]):
                    sys.exit(f"training ({name}) failed")
            layers = read_weights(folder / f"run_iter_{iterations}.caffemodel").layers
            found.append([blob.data.tobytes() for one in layers for blob in one.blobs if blob])
        events = [json.loads(line) for line in Path(text, "whole", "log").read_text().splitlines()]
    losses = [event["loss"] for event in events if event["event"] == "train"]
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}; resumed run {'equal' if found[0] == found[1] else 'differs'}")
    if not losses[-1] < losses[0] or found[0] != found[1]:
        sys.exit(1)


def machine() -> dict[str, Any]:
    """GPU, driver and versions, as far as they are known."""
    facts: dict[str, Any] = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "python": sys.version}
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader"]
    for name, command in (("gpu", query), ("nvcc", ["nvcc", "--version"]), ("commit", ["git", "rev-parse", "HEAD"])):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
            facts[name] = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()
        except (OSError, subprocess.TimeoutExpired) as error:
            facts[name] = f"unknown ({error})"
    for package in ("numpy", "scipy", "torch"):
        try:
            from importlib.metadata import version

            facts[package] = version(package)
        except ImportError:
            facts[package] = "not installed"
    return facts


def capability(facts: dict[str, Any]) -> str:
    """The GPU's compute capability times ten, such as 90."""
    match = re.search(r"(\d+)\.(\d)\s*$", facts["gpu"])
    return f"{match[1]}{match[2]}" if match else "90"


def build_steps(arch: str) -> list[Step]:
    """The CPU's kernels, which much is compared with, and the GPU's."""
    jobs = str(os.cpu_count() or 1)
    cpu = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace", "-j", jobs]
    cuda = [sys.executable, "-m", "pydeeplab.backend.cuda.build", "cuda", "--arch", arch, "--jobs", jobs]
    return [Step("build cpu", cpu), Step("build cuda", cuda)]


def report_path(name: str) -> Path:
    """Where a report goes: $OUT, or benchmarks/results."""
    return Path(os.environ.get("OUT") or ROOT / "benchmarks" / "results") / name


class Run:
    """Steps with a common time limit, and the report on them.

    Parameters
    ----------
    limit : float
        Seconds for all of them.
    report : Path or None
        Where to write it, after every step.
    """

    def __init__(self, limit: float, backend: str, report: Path | None):
        self._start, self._limit, self._report = time.monotonic(), limit, report
        self.facts, self._backend = machine(), backend
        self.done: list[Step] = []
        threads = str(max(1, (os.cpu_count() or 1) // 4))
        self._environment = {"PYDEEPLAB_BACKEND": backend, "OMP_NUM_THREADS": threads}

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._start

    def together(self, steps: list[Step], workers: int) -> None:
        """Run steps, so many at a time."""
        with ThreadPoolExecutor(workers) as pool:
            for step in pool.map(lambda one: run_step(one, self._limit - self.seconds, self._environment), steps):
                self.done.append(step)
                state = "ok" if step.good else "FAILED"
                print(f"{state:7}{step.name:18}{step.seconds:7.1f} s  {step.summary}", flush=True)
                if not step.good:
                    print(step.tail[-3000:], flush=True)
                self._write()

    def _write(self) -> None:
        if self._report:
            steps = [asdict(step) | {"good": step.good} for step in self.done]
            document = {"machine": self.facts, "backend": self._backend, "seconds": round(self.seconds, 1)}
            self._report.parent.mkdir(parents=True, exist_ok=True)
            self._report.write_text(json.dumps(document | {"steps": steps}, indent=1) + "\n")

    @property
    def failed(self) -> int:
        """The number of steps that failed."""
        return sum(not step.good for step in self.done)


def run_all(limit: float, build: bool, dry: bool) -> int:
    """Build and test; returns the number of steps that failed."""
    backend = "cuda-emulation" if dry else "cuda"
    report = report_path("test-gpu-dry.json" if dry else "test-gpu.json")
    run = Run(limit, backend, report)
    if build:
        run.together(build_steps(capability(run.facts)), 2)
        if run.failed:
            return run.failed
    training = [sys.executable, "-m", "tests.gpu", "--training", "10" if dry else "40"]
    run.together([*test_steps(backend, dry), Step("training", training)], 5)
    run.together(watched_steps(dry), 2)
    print(f"wrote {report}")
    return run.failed


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=460, help="seconds after which nothing runs any more")
    parser.add_argument("--no-build", action="store_true", help="use the libraries that are there")
    parser.add_argument("--dry-run", action="store_true", help="a little of everything, on the emulation")
    parser.add_argument("--cases", nargs="+", metavar="PATTERN", help="only run these kernel cases")
    parser.add_argument("--build", action="store_true", help="only build")
    parser.add_argument("--training", type=int, metavar="N", help="only train for N iterations")
    args = parser.parse_args()
    if args.cases:
        return min(run_cases(args.cases, os.environ.get("PYDEEPLAB_BACKEND") or "cuda"), 1)
    if args.build:
        run = Run(args.limit, "cuda", None)
        run.together(build_steps(capability(run.facts)), 2)
        return min(run.failed, 1)
    if args.training:
        run_training(args.training)
        return 0
    return min(run_all(args.limit, not (args.no_build or args.dry_run), args.dry_run), 1)


if __name__ == "__main__":
    sys.exit(main())
