"""What is measured: rows of work, each of which several contestants do."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["KINDS", "Task", "tasks"]

FORWARD_NETS = ("voc12/vgg16_largefov", "voc12/vgg16_aspp_l", "voc12/resnet101_aspp", "voc12/resnet101_aspp_msc")
TRAIN_NETS = ("voc12/vgg16_largefov", "voc12/vgg16_aspp_l", "voc12/resnet101_aspp_msc")
KINDS = ("forward", "train", "crf")


@dataclass(frozen=True)
class Task:
    """One row: ``batch`` pictures of ``size`` x ``size`` pixels (the CRF: of the size of its scene) on some threads."""

    kind: str
    net: str
    size: int
    batch: int
    threads: int

    @property
    def name(self) -> str:
        """What rows are selected by."""
        return f"{self.kind}/{self.net}/{self.size}"

    @property
    def title(self) -> str:
        """The row in words."""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        if self.kind == "crf":
            return f"dense CRF, 21 classes, 500 x 375, 10 iterations, {threads}"
        what = "forward" if self.kind == "forward" else "training step"
        return f"{self.net}: {what}, {self.batch} x {self.size} x {self.size}, {threads}"

    def as_json(self) -> dict[str, Any]:
        """For files and for the processes that do the work."""
        return asdict(self)


def tasks(threads: Sequence[int], patterns: Sequence[str], quick: bool) -> Iterator[Task]:
    """All rows whose names (``forward/voc12/vgg16_aspp_l/513``) match one of the patterns, for each thread count."""
    rows = [("forward", net, 161 if quick else 513, 1) for net in FORWARD_NETS]
    rows += [("train", net, 97 if quick else 321, 2) for net in TRAIN_NETS]
    rows += [("crf", "voc12-largefov", 0, 1)]
    for row in rows:
        for count in threads:
            task = Task(*row, count)
            if any(fnmatch.fnmatch(task.name, f"*{pattern}*") for pattern in patterns or ["*"]):
                yield task
