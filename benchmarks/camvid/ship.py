"""Making the model camvid-small of a finished training: weights, description, log and checksums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from benchmarks.camvid.report import ROOT
from benchmarks.camvid.rows import Job, jobs_of
from benchmarks.camvid.runner import SETS
from pydeeplab import TEST, Net
from pydeeplab.files import write_text
from pydeeplab.networks import find
from pydeeplab.networks.datasets import MEAN_BGR

__all__ = ["ship"]

FOLDER = ROOT / "weights"
NAME, ROW = "camvid-small", "long"
LICENCE = (
    "As pydeeplab (see LICENSE), as far as it is ours to give. The pictures, no part of it, are under CamVid's "
    "terms (research), in a copy that SegNet's authors publish under CC BY-NC 4.0. Ask them before commercial use."
)
DATA = (
    "The 367 training pictures of CamVid (Brostow, Fauqueur and Cipolla 2009), 480 x 360, 11 classes, in SegNet's "
    "division. Training began with random weights; the CRF's parameters were chosen on pictures of val."
)
SHOWS = "Streets seen from a car, 480 x 360 pixels: bring larger pictures to about that size first."


def ship(out: Path) -> None:
    """Write weights/camvid-small.* and their lines in SHA256SUMS."""
    (job,) = jobs_of(out, [ROW], [1])
    net = f"camvid/{job.row.net}"
    # The deploy net has no data layer: training's files name the folder of the data.
    Net(find(net), TEST, weights=job.weights()).save(FOLDER / f"{NAME}.caffemodel")
    write_text(FOLDER / f"{NAME}.json", json.dumps(_description(job, net), indent=1) + "\n")
    kept = [line for line in job.log.read_text().splitlines() if "net output" not in line and "machine" not in line]
    write_text(FOLDER / f"{NAME}.log", "\n".join(kept) + "\n")
    _sum_up()


def _description(job: Job, net: str) -> dict[str, object]:
    scores = {s: json.loads((job.folder / f"{s}.json").read_text())["variants"] for s in SETS}
    return {
        "net": net,
        "weights": f"{NAME}.caffemodel",
        "classes": "camvid",
        "mean": MEAN_BGR,
        "crf": json.loads((job.folder / "crf" / "best.json").read_text())["params"],
        "about": {
            "shows": SHOWS,
            "data": DATA,
            "licence": LICENCE,
            "solver": f"{net}/{job.row.solver}",
            "log": f"{NAME}.log",
            "mean_iou": {s: {v: round(100 * of["mean_iou"], 2) for v, of in scores[s].items()} for s in SETS},
        },
    }


def _sum_up() -> None:
    sums = FOLDER / "SHA256SUMS"
    others = [line for line in sums.read_text().splitlines() if NAME not in line]
    own = [FOLDER / f"{NAME}.{suffix}" for suffix in ("caffemodel", "json")]
    lines = sorted([*others, *(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}" for f in own)], key=_file_name)
    write_text(sums, "\n".join(lines) + "\n")


def _file_name(line: str) -> str:
    return line.split()[1]
