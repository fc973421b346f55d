"""Images per second of ImageSegData, with and without background workers, and how long training waits for its data.

    python benchmarks/data.py [--list LIST --root ROOT] [--out benchmarks/results/data.json]

LIST has lines "image label"; ROOT stands before each path (with its last slash, where the list's paths have none); by
default scenes are drawn for the purpose. Numbers of workers take turns in short measurements, so that other load on
the machine meets all of them; each row has the best and the median.

The second table runs training steps, forward and backward, of two nets: prototxt/tiny/aspp and VGG-16 LargeFOV. "data"
is the time that a step spends in the data layer, waiting for a batch, planning the next and copying.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydeeplab import TRAIN, Net, set_random_seed
from pydeeplab.data.prefetch import set_data_workers
from pydeeplab.demo import write_scenes
from pydeeplab.proto import read_net
from pydeeplab.resources import find_net
from pydeeplab.threads import get_num_threads

NET = """
layer {{ name: "data" type: "ImageSegData" top: "data" top: "label"
  transform_param {{ crop_size: {crop} mean_value: 104.008 mean_value: 116.669 mean_value: 122.675 {augmentation} }}
  image_data_param {{ source: "{list}" root_folder: "{root}" batch_size: {batch} shuffle: true label_type: PIXEL }} }}
"""
AUGMENTATION = (
    "mirror: true scale_factors: 0.5 scale_factors: 0.75 scale_factors: 1 scale_factors: 1.25 scale_factors: 1.5"
)
STEPS = {"tiny/aspp": {"batch": 4, "steps": 40}, "voc12/vgg16_largefov": {"batch": 2, "steps": 3}}
"""Nets to train, images per step, and steps of a measurement."""

Data = dict[str, Any]
Take = Callable[[str, int], float]


def interleaved(cases: list[Any], rounds: int, measure: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """What ``measure`` gives for each case, in ``rounds`` rounds through all of them, every other one backwards."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for number in range(rounds):
        for case in cases[:: -1 if number % 2 else 1]:
            found[case].append(measure(case))
    return found


def rate(text: str, workers: int, batch: int, seconds: float) -> float:
    """Images per second when nothing else is done."""
    set_data_workers(workers)
    set_random_seed(1)
    net = Net.from_text(text, TRAIN)
    for _ in range(workers + 2):
        net.forward()  # what was made ahead while the net was built
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        net.forward()
        count += batch
    return count / (time.perf_counter() - start)


def training_net(name: str, data: Data, batch: int) -> Net:
    """The train net of that name on other data."""
    unset = {"DEMO": "", "DATA_ROOT": "", "TRAIN_SET": ""}
    text = find_net(name, "train").read_text()
    source = read_net(find_net(name, "train"), defines={n: v for n, v in unset.items() if f"${{{n}}}" in text})
    options = source.param.layer[0].image_data_param
    options.source, options.root_folder, options.batch_size = data["list"], data["root"], batch
    return Net.from_source(source, TRAIN)


def steps(net: Net, workers: int, count: int) -> tuple[float, float]:
    """Seconds in the data layer and in all of a training step, the means of ``count`` steps."""
    set_data_workers(workers)
    last = len(net.nodes) - 1
    net.forward()
    net.backward()
    waited, start = 0.0, time.perf_counter()
    for _ in range(count):
        begin = time.perf_counter()
        net._forward(0, 0)  # as a solver does
        waited += time.perf_counter() - begin
        net._forward(1, last)
        net.backward()
    return waited / count, (time.perf_counter() - start) / count


def rates_table(data: Data, args: argparse.Namespace) -> list[Data]:
    """Images per second by number of workers, with and without augmentation."""
    rows = []
    print("augmentation  workers  images/s best  median  speed-up")
    for name, augmentation in (("none", ""), ("full", AUGMENTATION)):
        text = NET.format(crop=args.crop, batch=args.batch, augmentation=augmentation, **data)
        found = interleaved(args.workers, args.rounds, lambda w, t=text: rate(t, w, args.batch, args.seconds))
        first = max(found[args.workers[0]])
        for workers, values in found.items():
            best, median = max(values), statistics.median(values)
            print(f"{name:12}  {workers:7}  {best:13.1f}  {median:6.1f}  {best / first:8.2f}", flush=True)
            row = {"augmentation": name, "workers": workers, "images_per_s": round(best, 1)}
            rows.append(row | {"median": round(median, 1)})
    return rows


def steps_table(data: Data, args: argparse.Namespace) -> list[Data]:
    """Time in the data layer during training steps."""
    rows = []
    print("net                   workers  step (ms) best  median  data (ms) best  median  share")
    for name, plan in STEPS.items():
        net = training_net(name, data, plan["batch"])
        workers = [0, args.training_workers]
        found = interleaved(workers, args.rounds, lambda w, n=net, p=plan: steps(n, w, p["steps"]))
        for count, values in found.items():
            waits, times = [1000 * v[0] for v in values], [1000 * v[1] for v in values]
            wait, whole = statistics.median(waits), statistics.median(times)
            print(
                f"{name:20}  {count:7}  {min(times):14.1f}  {whole:6.1f}  {min(waits):14.2f}  {wait:6.2f}  "
                f"{100 * wait / whole:4.1f}%",
                flush=True,
            )
            row = {"net": name, "batch": plan["batch"], "workers": count, "step_ms": round(min(times), 1)}
            row |= {
                "median_step_ms": round(whole, 1),
                "data_ms": round(min(waits), 2),
                "median_data_ms": round(wait, 2),
            }
            rows.append(row)
    return rows


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=Path)
    parser.add_argument("--root", default="")
    parser.add_argument("--crop", type=int, default=321)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--training-workers", type=int, default=2, help="workers in the second table, beside none")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = {"list": str(args.list), "root": args.root}
        if args.list is None:
            scenes = write_scenes(Path(folder), seed=1, training=0, held_out=100)
            data = {"list": str(scenes.held_out_list), "root": f"{scenes.path}/"}
        print(f"crop {args.crop}, batch {args.batch}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        record = {
            "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "threads": get_num_threads(),
            "load": os.getloadavg(),
            "pictures": str(args.list or "100 drawn scenes of 241 x 321, PNG"),
            "crop": args.crop,
            "batch": args.batch,
            "rounds": args.rounds,
            "rates": rates_table(data, args),
            "training_steps": steps_table(data, args),
        }
    if args.out:
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
