"""Table 1's speed: training images per second of the four VGG-16 nets, and their ratios to the first.

    python benchmarks/table1.py                          # all four, crop 321, batch 1
    python benchmarks/table1.py --rows 7x7_rate4 3x3_rate12 --iterations 5 --batch 2
    python benchmarks/table1.py --out benchmarks/results/table1.json

The nets are those of prototxt/voc12, trained by their own solvers on random images and labels that stay in memory, so
that reading pictures takes no part. An iteration is forward, backward and update. Only one net is in memory at a time:
the rounds go through the rows again and again, each time with a fresh process, and the best iteration of each counts.
Ratios are of the same round, and their median is printed, as the machine's speed may drift. The 7x7 net with its 134
million parameters, their gradients and momentum needs 2.4 GB at batch 1, the others less.
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

ROWS = {
    "7x7_rate4": "vgg16_7x7",
    "4x4_rate4": "vgg16_4x4",
    "4x4_rate8": "vgg16_4x4_largefov",
    "3x3_rate12": "vgg16_largefov",
}
"""The rows of Table 1 and their nets."""

PAPER = {"7x7_rate4": 1.44, "4x4_rate4": 2.90, "4x4_rate8": 2.90, "3x3_rate12": 4.84}
"""Images per second that the paper reports, on one GPU."""


def training_net(net: str, crop: int, batch: int) -> str:
    """The text of a training net whose images and labels are constant blobs of random values."""
    from pydeeplab.proto import caffe_pb2, read_net, write_text
    from pydeeplab.resources import find_net

    param = read_net(find_net(f"voc12/{net}", "train"), defines={"TRAIN_SET": "none", "DATA_ROOT": ""}).param
    side = crop + max(0, param.layer[0].transform_param.crop_size % 8 - 1)  # 8k+1, or 8k+2 as in the original
    data = caffe_pb2.LayerParameter(name="data", type="DummyData", top=["data", "label"])
    for channels in (3, 1):
        data.dummy_data_param.shape.add().dim.extend([batch, channels, side, side])
    data.dummy_data_param.data_filler.add(type="gaussian", std=60)
    data.dummy_data_param.data_filler.add(type="constant", value=15)
    param.layer[0].CopyFrom(data)
    for layer in param.layer:
        if layer.type == "Convolution" and not layer.convolution_param.HasField("weight_filler"):
            layer.convolution_param.weight_filler.type = "msra"
    return str(write_text(param))


def measure(row: str, crop: int, batch: int, iterations: int) -> dict[str, Any]:
    """One row in this process: seconds of its fastest iteration, and peak memory."""
    import resource

    from pydeeplab.proto import read_solver
    from pydeeplab.resources import find_net
    from pydeeplab.solver import get_solver

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.prototxt")
        path.write_text(training_net(ROWS[row], crop, batch))
        source = read_solver(find_net(f"voc12/{ROWS[row]}", "solver"))
        source.param.train_net, source.param.snapshot_prefix = str(path), str(Path(folder, "train"))
        source.param.snapshot = source.param.display = 0
        source.param.base_lr = 1e-8
        solver = get_solver(source, observers=[])
        solver.step(1)  # memory is fetched, kernels are chosen
        times = []
        for _ in range(iterations):
            start = time.perf_counter()
            solver.step(1)
            times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"row": row, "seconds": min(times), "images_per_second": batch / min(times), "peak_mib": peak}


def run_one(args: argparse.Namespace, row: str) -> dict[str, Any]:
    """One row in a process of its own."""
    numbers = [f"--{name}={getattr(args, name)}" for name in ("crop", "batch", "iterations")]
    command = [sys.executable, __file__, "--one", row, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{row} failed with exit code {done.returncode}:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def summary(args: argparse.Namespace, rounds: list[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """For each row the best speed of all rounds, and the median of the rounds' ratios to the first row."""
    first = args.rows[0]
    lines = []
    for row in args.rows:
        ratios = [r[row]["images_per_second"] / r[first]["images_per_second"] for r in rounds]
        lines.append(
            {
                "row": row,
                "net": f"voc12/{ROWS[row]}",
                "images_per_second": max(r[row]["images_per_second"] for r in rounds),
                "ratio": statistics.median(ratios),
                "paper_images_per_second": PAPER[row],
                "paper_ratio": PAPER[row] / PAPER[first],
                "peak_mib": max(r[row]["peak_mib"] for r in rounds),
            }
        )
    return lines


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="rows; ratios are to the first")
    parser.add_argument("--crop", type=int, default=321, help="side of the images, 8k+1 (default 321)")
    parser.add_argument("--batch", type=int, default=1, help="images of an iteration (default 1)")
    parser.add_argument("--iterations", type=int, default=3, help="timed iterations of each round (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds through the rows (default 3)")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    parser.add_argument("--one", choices=ROWS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.crop, args.batch, args.iterations)))
        return
    rounds = []
    for number in range(args.rounds):
        rounds.append({row: run_one(args, row) for row in args.rows})
        speeds = ", ".join(f"{row} {found['images_per_second']:.3f}" for row, found in rounds[-1].items())
        print(f"round {number + 1}: {speeds} images/s", file=sys.stderr)
    lines = summary(args, rounds)
    print(f"{'row':12} {'images/s':>9} {'ratio':>6} {'paper':>6} {'ratio':>6} {'MiB':>6}")
    for line in lines:
        print(
            f"{line['row']:12} {line['images_per_second']:9.3f} {line['ratio']:6.2f} "
            f"{line['paper_images_per_second']:6.2f} {line['paper_ratio']:6.2f} {line['peak_mib']:6}"
        )
    if args.out:
        from pydeeplab.files import write_text
        from pydeeplab.threads import get_num_threads

        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "threads": get_num_threads()}
        settings = {name: getattr(args, name) for name in ("crop", "batch", "iterations", "rounds")}
        text = json.dumps({**machine, **settings, "rows": lines, "measured": rounds}, indent=1)
        write_text(args.out, text + "\n")


if __name__ == "__main__":
    main()
