"""The fully connected CRF: time per image, ours with 1, 2 and 4 threads beside single-threaded pydensecrf.

    python benchmarks/crf.py [--image PHOTO.jpg ...] [--peer PYTHON] [--runs 7] [--out benchmarks/results/crf.json]

21 classes, 500 x 375, 10 iterations of one positional and one bilateral kernel (voc12-largefov). Without --image a
scene is drawn. ``--peer`` is a Python that has pydensecrf (its 1.0rc3 builds with Cython below 3, after removing the
generated .cpp files); it runs as one waiting process. All contestants take turns in every run, so that the ratios do
not depend on what else the machine does; both the best and the median of the runs are reported. Before timing, the
beliefs of the two are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PARAMS = "voc12-largefov"
CLASSES = 21

PEER = """
import sys, time
import numpy as np
import pydensecrf.densecrf as d
folder = sys.argv[1]
image, scores = np.load(folder + "/image.npy"), np.load(folder + "/scores.npy")
classes, h, w = scores.shape
energies = np.ascontiguousarray(-scores.reshape(classes, -1))
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    crf = d.DenseCRF2D(w, h, classes)
    crf.setUnaryEnergy(energies)
    options = dict(kernel=d.DIAG_KERNEL, normalization=d.NORMALIZE_AFTER)
    crf.addPairwiseGaussian(sxy=3, compat=3, **options)
    crf.addPairwiseBilateral(sxy=121, srgb=5, rgbim=image, compat=4, **options)
    q = np.array(crf.inference(10), np.float32).reshape(scores.shape)
    print(time.perf_counter() - start, flush=True)
    if line.strip() == "save":
        np.save(folder + "/peer.npy", q)
        print("saved", flush=True)
"""


def make_scores(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Smooth scores like a net's: bumps of one or two classes, and low-frequency noise."""
    random = np.random.default_rng(seed)
    height, width = image.shape[:2]
    coarse = random.normal(0, 0.5, (CLASSES, height // 16 + 2, width // 16 + 2))
    coarse[0] += 3
    coarse[15, 4:16, 8:20] += 6
    return np.stack(
        [
            np.asarray(Image.fromarray(c.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))
            for c in coarse
        ]
    )


class Peer:
    """pydensecrf, single-threaded, waiting in a process of its own."""

    def __init__(self, python: str, image: np.ndarray, scores: np.ndarray):
        self._folder = tempfile.TemporaryDirectory()
        np.save(Path(self._folder.name) / "image.npy", image)
        np.save(Path(self._folder.name) / "scores.npy", scores)
        self._process = subprocess.Popen(
            [python, "-c", PEER, self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        if self._ask() != "ready":
            raise SystemExit(f"{python} cannot import pydensecrf")

    def _ask(self, line: str | None = None) -> str:
        assert self._process.stdin
        assert self._process.stdout
        if line is not None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def seconds(self) -> float:
        """Time of one inference."""
        return float(self._ask("run"))

    def beliefs(self) -> np.ndarray:
        """What it computes."""
        self._ask("save")
        self._ask()
        found: np.ndarray = np.load(Path(self._folder.name) / "peer.npy")
        return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


def measure(image: np.ndarray, threads: list[int], runs: int, python: str | None) -> dict[str, Any]:
    """Seconds of every contestant in every run, and how far the beliefs are apart."""
    from pydeeplab.crf import DenseCRF
    from pydeeplab.threads import set_num_threads

    scores = make_scores(image)
    crf = DenseCRF(PARAMS)
    peer = Peer(python, image, scores) if python else None
    beliefs = crf.refine(image, scores)
    result: dict[str, Any] = {"shape": list(image.shape)}
    if peer:
        result["largest_difference"] = float(np.abs(peer.beliefs() - beliefs).max())
    seconds: dict[str, list[float]] = {f"{count} threads": [] for count in threads}
    seconds |= {"pydensecrf": []} if peer else {}
    for _ in range(runs):
        for count in threads:
            set_num_threads(count)
            start = time.perf_counter()
            crf.refine(image, scores)
            seconds[f"{count} threads"].append(time.perf_counter() - start)
        if peer:
            seconds["pydensecrf"].append(peer.seconds())
    if peer:
        peer.close()
    base = "pydensecrf" if peer else f"{threads[0]} threads"
    result["rows"] = [
        {
            "who": who,
            "best_s": round(min(times), 4),
            "median_s": round(statistics.median(times), 4),
            "times_as_fast": round(statistics.median(b / t for b, t in zip(seconds[base], times, strict=True)), 2),
        }
        for who, times in seconds.items()
    ]
    result["compared_with"] = base
    return result


def machine() -> dict[str, Any]:
    """What ran this."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {"cpu": name, "cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, action="append", default=[])
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has pydensecrf")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()

    from pydeeplab.data.synthetic import scene

    images = {path.name: np.array(Image.open(path).convert("RGB")) for path in args.image}
    results = []
    for name, image in (images or {"scene": scene(0, 375, 500)[0]}).items():
        result = {"image": name, **measure(image, args.threads, args.runs, args.peer)}
        results.append(result)
        print(f"{name} {result['shape']}  largest difference {result.get('largest_difference', 'not measured')}")
        for row in result["rows"]:
            print("  {who:12} best {best_s:.3f} s  median {median_s:.3f} s  {times_as_fast:.2f} x".format(**row))
        sys.stdout.flush()
    if args.out:
        args.out.write_text(json.dumps({"machine": machine(), "runs": args.runs, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
