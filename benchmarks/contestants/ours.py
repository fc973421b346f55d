"""pydeeplab itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tasks import Task
from pydeeplab import TEST, TRAIN, Net
from pydeeplab.crf import DenseCRF
from pydeeplab.solver import get_solver
from pydeeplab.threads import set_num_threads

CHECKED = 2**20
"""Elements up to which a parameter's gradient is compared."""


class Ours:
    """Forward as `segment` runs it, training steps as `train` does, unless ``keep`` says otherwise; the CRF."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        check: bool,
        *,
        keep: str | None = None,
        engine: str = "DEFAULT",
        threads: int | None = None,
    ):
        set_num_threads(threads or task.threads)
        keep = keep or {"train": "training"}.get(task.kind, "outputs")
        self._results: dict[str, Any] = {}
        if task.kind == "crf":
            self._load_crf(task, folder)
        elif task.kind == "forward":
            net = Net(folder / "deploy.prototxt", TEST, weights=folder / "net.caffemodel", keep=keep, engine=engine)
            net.blobs["data"].data[...] = np.load(folder / "data.npy")
            self.run = lambda: self._results.update(net.forward())
        else:
            self._load_training(folder, check, {"keep": keep, "engine": engine})

    def _load_crf(self, task: Task, folder: Path) -> None:
        image, scores = np.load(folder / "image.npy"), np.load(folder / "scores.npy")
        crf = DenseCRF(task.net)
        self.run = lambda: self._results.update(q=crf.refine(image, scores))

    def _load_training(self, folder: Path, check: bool, options: dict[str, str]) -> None:
        if check:
            net = Net(folder / "check.prototxt", TRAIN, **options)
        else:
            solver = get_solver(folder / "solver.prototxt", observers=[], **options)
            net = solver.net
        net.copy_from(folder / "net.caffemodel")
        for name in ("data", "label"):
            net.blobs[name].data[...] = np.load(folder / f"{name}.npy")
        self.run = (lambda: self._once(net)) if check else (lambda: solver.step(1))

    def _once(self, net: Net) -> None:
        net.clear_param_diffs()
        loss = sum(map(float, net.forward().values()))
        net.backward()
        learned = [p for p in net.learnable_params if p.lr_mult and p.blob.count <= CHECKED]
        self._results = {"loss": np.float32(loss)}
        self._results |= {f"{p.layer.name}/{p.blob_index}": p.blob.diff for p in learned}

    def results(self) -> dict[str, Any]:
        """What the last run gave."""
        return self._results
