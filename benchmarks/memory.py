"""Peak memory and time of the big nets: forward at 321 and 513, observable and lean.

    python benchmarks/memory.py [--out benchmarks/results/memory.json]

Each run is a process of its own: it builds the net, loads seeded weights from a .caffemodel that the first run wrote,
runs twice, and reports the peak resident size. The largest column buffer of the net's convolutions is printed
beside the one workspace that they share.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NETS = ("voc12/vgg16_aspp_l", "voc12/resnet101_aspp_msc")


def measure(name: str, size: int, keep: str, engine: str, weights: str) -> dict[str, object]:
    """One run in this process."""
    from pydeeplab import TEST, Net
    from pydeeplab.resources import find_net
    from pydeeplab.seeding import seed_inputs, seed_params

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    net = Net(find_net(name), TEST, keep=keep, engine=engine, inputs={"data": (1, 3, size, size)})
    built = time.perf_counter() - start
    if not Path(weights).exists():
        seed_params(net)
        net.save(weights)
        return {}
    start = time.perf_counter()
    net.copy_from(weights)
    loaded = time.perf_counter() - start
    seed_inputs(net)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        net.forward()
        times.append(time.perf_counter() - start)
    columns = max(
        (
            node.layer.blobs[0].count
            // node.layer.blobs[0].shape[0]
            * node.tops[0].shape[2]
            * node.tops[0].shape[3]
            * 4
            for node in net.nodes
            if node.layer.type == "Convolution"
        ),
        default=0,
    )
    return {
        "net": name,
        "size": size,
        "keep": keep,
        "engine": engine,
        "build_s": round(built, 3),
        "load_s": round(loaded, 3),
        "forward_s": round(min(times), 3),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "before_mib": before // 1024,
        "weights_mib": os.path.getsize(weights) // 2**20,
        "activations_mib": net.activation_bytes() // 2**20,
        "workspace_mib": net.workspace.nbytes // 2**20,
        "largest_column_buffer_mib": columns // 2**20,
    }


def main() -> None:
    """Run all combinations and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=5, metavar=("NET", "SIZE", "KEEP", "ENGINE", "WEIGHTS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], int(args.one[1]), *args.one[2:])))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in NETS:
            weights = str(Path(folder) / f"{name.replace('/', '_')}.caffemodel")
            runs = [(321, "outputs", "DEFAULT")]
            runs += [
                (s, k, e) for s in (321, 513) for k, e in (("all", "CAFFE"), ("all", "DEFAULT"), ("outputs", "DEFAULT"))
            ]
            for size, keep, engine in runs:
                command = [sys.executable, __file__, "--one", name, str(size), keep, engine, weights]
                answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                if answer:
                    rows.append(answer)
                    print("  ".join(f"{k} {v}" for k, v in answer.items() if k != "before_mib"), flush=True)
    if args.out:
        machine = {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        }
        args.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
