"""Images per second of ImageSegData, with and without background workers, and how long a net waits for its data.

    python benchmarks/data.py LIST ROOT [--crop 321] [--batch 10] [--seconds 4] [--out benchmarks/results/data.json]

LIST has lines "image label"; ROOT stands before each path (with its last slash, where the list's paths have none).
Every item is mirrored, scaled by 0.5 to 1.5 and cropped at random, as for training DeepLab v2.
"wait" is the part of a training step spent on data when the rest of the step takes --step seconds of other work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from pydeeplab import TRAIN, Net, set_random_seed
from pydeeplab.data.prefetch import set_data_workers

NET = """
layer {{ name: "data" type: "ImageSegData" top: "data" top: "label"
  transform_param {{ mirror: true crop_size: {crop} mean_value: 104.008 mean_value: 116.669 mean_value: 122.675
    scale_factors: 0.5 scale_factors: 0.75 scale_factors: 1 scale_factors: 1.25 scale_factors: 1.5 }}
  image_data_param {{ source: "{list}" root_folder: "{root}" batch_size: {batch} shuffle: true label_type: PIXEL }} }}
"""


def measure(text: str, workers: int, batch: int, seconds: float, step: float) -> dict[str, Any]:
    """Images per second when nothing else is done, and the mean wait per step when something is."""
    set_data_workers(workers)
    set_random_seed(1)
    net = Net.from_text(text, TRAIN)
    net.forward()
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < seconds:
        net.forward()
        count += batch
    rate = count / (time.perf_counter() - start)
    waited, steps = 0.0, max(3, int(seconds / step))
    for _ in range(steps):
        time.sleep(step)
        start = time.perf_counter()
        net.forward()
        waited += time.perf_counter() - start
    return {"workers": workers, "images_per_s": round(rate, 1), "wait_ms": round(1000 * waited / steps, 2)}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path)
    parser.add_argument("root")
    parser.add_argument("--crop", type=int, default=321)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=4, help="length of each measurement")
    parser.add_argument("--step", type=float, default=0.3, help="seconds of other work in a step, for the wait")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    text = NET.format(crop=args.crop, list=args.list, root=args.root, batch=args.batch)
    print(f"crop {args.crop}, batch {args.batch}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("workers  images/s  speed-up  wait per step (ms)")
    rows = []
    for workers in args.workers:
        rows.append(measure(text, workers, args.batch, args.seconds, args.step))
        row, first = rows[-1], rows[0]
        factor = row["images_per_s"] / first["images_per_s"]
        print(f"{workers:7}  {row['images_per_s']:8.1f}  {factor:8.2f}  {row['wait_ms']:18.2f}", flush=True)
    if args.out:
        record = {
            "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
            "load": os.getloadavg(),
            "python": platform.python_version(),
            "crop": args.crop,
            "batch": args.batch,
            "step_s": args.step,
            "rows": rows,
        }
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
