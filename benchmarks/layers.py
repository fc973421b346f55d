"""What limits each class of layers: its rates beside those of a large matrix product and of a copy.

    python -m benchmarks.layers [NET ...] [--threads 1] [--runs 5] [--out benchmarks/results/layers.json]

For every net a lean forward pass at 513 x 513 and a training step at 321 x 321. Times are the best of the runs, layer
by layer. Convolutions and products are set against the machine's multiply-adds (of which Winograd's algorithm does
fewer, so its rates can exceed the machine's), all others against its bytes: those of bottoms and tops, each moved once
(where they stay in a cache, rates can exceed a copy's).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from benchmarks.materials import trainable
from benchmarks.record import machine
from benchmarks.tasks import FORWARD_NETS, Task
from pydeeplab import TEST, TRAIN, Net
from pydeeplab.analysis import Rates
from pydeeplab.resources import find_net
from pydeeplab.seeding import seed_inputs, seed_params
from pydeeplab.threads import get_num_threads, set_num_threads


@dataclass
class Class:
    """All layers of one type together, in one direction."""

    layers: int = 0
    seconds: float = 0.0
    multiply_adds: int = 0
    bytes: int = 0


def _classes(steps: list[Any], seconds: dict[int, float], passes: int) -> dict[str, Class]:
    found: dict[str, Class] = defaultdict(Class)
    for index, step in enumerate(steps):
        if index not in seconds:
            continue
        entry = found[step.layer.type]
        entry.layers += len(step.parts)
        entry.seconds += seconds[index]
        entry.multiply_adds += passes * step.multiply_adds
        entry.bytes += 4 * sum(blob.count for blob in (*step.bottoms, *step.tops))
    return found


def forward(name: str, runs: int, rates: Rates) -> dict[str, Any]:
    """A lean forward pass."""
    net = Net(find_net(name), TEST, keep="outputs", inputs={"data": (1, 3, 513, 513)})
    seed_params(net)
    seed_inputs(net)
    best: dict[int, float] = {}
    for _ in range(runs):
        rates.measure(net.backend)
        for index, step in enumerate(net.steps()):
            start = time.perf_counter()
            step.forward()
            best[index] = min(best.get(index, 1e9), time.perf_counter() - start)
    return {"forward": _classes(list(net.steps()), best, 1)}


def training(name: str, runs: int, rates: Rates) -> dict[str, Any]:
    """A forward and backward pass as `train` runs it, of two pictures."""
    text = text_format.MessageToString(trainable(Task("train", name, 321, 2, 1)))
    net = Net.from_text(text, TRAIN, keep="training")
    seed_params(net)
    seed_inputs(net)
    best: dict[str, dict[int, float]] = {"forward": {}, "backward": {}}
    begun = 0.0

    def begin(_: int) -> None:
        nonlocal begun
        begun = time.perf_counter()

    def end(half: str, index: int) -> None:
        best[half][index] = min(best[half].get(index, 1e9), time.perf_counter() - begun)

    net.before_forward(begin)
    net.before_backward(begin)
    net.after_forward(lambda index: end("forward", index))
    net.after_backward(lambda index: end("backward", index))
    for _ in range(runs):
        rates.measure(net.backend)
        net.clear_param_diffs()
        net.forward()
        net.backward()
    nodes = list(net.nodes)
    best["backward"] = {i: s for i, s in best["backward"].items() if nodes[i].need_backward}
    return {half: _classes(nodes, seconds, 1 + (half == "backward")) for half, seconds in best.items()}


def _lines(halves: dict[str, dict[str, Class]], rates: Rates) -> list[str]:
    total = sum(entry.seconds for classes in halves.values() for entry in classes.values())
    lines = []
    for half, classes in halves.items():
        for name, entry in sorted(classes.items(), key=lambda item: -item[1].seconds):
            share = entry.seconds / total
            if share < 0.001:
                continue
            if entry.multiply_adds:
                reached = f"{2e-9 * entry.multiply_adds / entry.seconds:8.1f} GFLOP/s"
            else:
                reached = f"{1e-9 * entry.bytes / entry.seconds:8.1f} GB/s   "
            part = rates.share(entry.multiply_adds, entry.bytes, entry.seconds)
            lines.append(
                f"  {half:<9}{name:<18}{entry.layers:>5}{1e3 * entry.seconds:>10.1f} ms{share:>7.1%}  {reached}"
                f"{part:>7.0%} of the machine's"
            )
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=[FORWARD_NETS[0], FORWARD_NETS[3]])
    parser.add_argument("--threads", type=int, default=get_num_threads())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    set_num_threads(args.threads)
    rates, record = Rates(), []
    for name in args.nets:
        for what, measure in (("forward 513", forward), ("training step 321", training)):
            halves = measure(name, args.runs, rates)
            print(f"{name}: {what}, {args.threads} threads", *_lines(halves, rates), sep="\n", flush=True)
            rows = {half: {k: vars(v) for k, v in classes.items()} for half, classes in halves.items()}
            record.append({"net": name, "what": what, **rows})
    print(f"machine: {2e-9 * rates.multiply_adds:.1f} GFLOP/s in a product, {1e-9 * rates.bytes:.1f} GB/s in a copy")
    if args.out:
        content = {"machine": machine(), "threads": args.threads, "rates": vars(rates), "rows": record}
        args.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
