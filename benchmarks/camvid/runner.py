"""Running the stages of each training that are not finished."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.camvid.rows import CRF_SEARCH, Job, jobs_of

__all__ = ["SETS", "TRIMAP", "run"]

SETS = ("val", "test")
TRIMAP = 20


class Runner:
    """Calls `pydeeplab` for what is missing. ``root`` is the folder of CamVid."""

    def __init__(self, root: Path, threads: int):
        self.root, self.threads = root.resolve(), str(threads)

    def train(self, job: Job) -> None:
        """To the last snapshot, from the newest that there is."""
        if job.weights().is_file():
            return
        job.folder.mkdir(parents=True, exist_ok=True)
        defines = {"DATA_ROOT": self.root, "TRAIN_SET": "train", "SEED": job.seed}
        self._call(
            job.folder,
            "train",
            *("--solver", job.solver, "--snapshot", "auto", "--check", "fast", "--quiet"),
            *(word for name, value in defines.items() for word in ("--define", f"{name}={value}")),
        )

    def score(
        self, job: Job, pictures: Path, result: Path, *, crf: Path | None = None, iteration: int | None = None
    ) -> Any:
        """The scores of a snapshot on a list of pictures, as `pydeeplab eval` writes them."""
        if not result.is_file():
            self._call(
                job.folder,
                "eval",
                *("--list", pictures, "--root", self.root, "--classes", "camvid", "--jobs", "1", "--quiet"),
                *("--net", f"camvid/{job.row.net}", "--weights", job.weights(iteration)),
                *("--trimap", "--trimap-around", "edges", "--trimap-widths", str(TRIMAP)),
                *([f"--crf={crf}"] if crf else []),
                *("--json", result),
            )
        return json.loads(result.read_text())

    def choose_crf(self, job: Job) -> Path:
        """The file of the parameters that are best on some pictures of the validation set."""
        best = job.folder / "crf" / "best.json"
        if not best.is_file():
            self._call(
                job.folder,
                "crf-search",
                *("--list", self.root / "val.txt", "--root", self.root, "--classes", "camvid", "--quiet"),
                *("--net", f"camvid/{job.row.net}", "--weights", job.weights(), "--jobs", "1", "-o", best.parent),
                *CRF_SEARCH,
            )
        return best

    def score_all(self, job: Job, crf: Path | None = None) -> None:
        """The last weights on both sets; with a CRF, the first seed's earlier ones on the validation set too."""
        for name in SETS:
            self.score(job, self.root / f"{name}.txt", job.folder / f"{name}.json", crf=crf)
        for iteration in job.iterations[:-1] if crf and job.seed == 1 else ():
            result = job.folder / f"val_iter_{iteration}.json"
            self.score(job, self.root / "val.txt", result, iteration=iteration)

    def _call(self, folder: Path, command: str, *words: object) -> None:
        line = [sys.executable, "-m", "pydeeplab", command, "--threads", self.threads, *map(str, words)]
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"in {folder}: {' '.join(line)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def run(root: Path, out: Path, rows: Sequence[str], seeds: Sequence[int], *, jobs: int, threads: int) -> None:
    """Train, choose CRF parameters on the first seed of a row, score; ``jobs`` trainings at once."""
    runner = Runner(root, threads)
    all_jobs = jobs_of(out, rows, seeds)

    def whole(job: Job) -> None:
        print(f"{job.name}, seed {job.seed}: begins", flush=True)
        runner.train(job)
        if not job.row.crf:
            runner.score_all(job)
        print(f"{job.name}, seed {job.seed}: done", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(whole, all_jobs))
        refined = [job for job in all_jobs if job.row.crf]
        firsts = jobs_of(out, dict.fromkeys(job.name for job in refined), [1])
        chosen = dict(zip((job.name for job in firsts), pool.map(runner.choose_crf, firsts), strict=True))
        list(pool.map(lambda job: runner.score_all(job, chosen[job.name]), refined))
