"""Times on a GPU beside PyTorch with cuDNN, unattended, and how near they are to what the chip can do.

    python -m benchmarks.gpu [--limit SECONDS] [--rows PATTERN ...] [--dry-run]

For each net: a forward pass at 513 x 513 and a training step of 2 x 321 x 321, ours by engine and precision, PyTorch's
by precision, memory format and compiled or not; the CRF at 500 x 375 with 21 classes. Times are those between two
events of the device, medians after a warm-up; memory is the peak of what was allocated on the device. Copies and
products measure the chip, and heavy layers are set against them. Each contestant has a process of its own; what time
does not suffice for is left out and said. The report is bench-gpu.json in $OUT, or in benchmarks/results.
``--dry-run`` does it on the emulation, with a net in miniature.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.duel import difference
from benchmarks.materials import prepare_crf, prepare_net, prepare_train
from benchmarks.tasks import Task
from pydeeplab.backend import get_backend
from pydeeplab.files import write_text
from tests.gpu import machine, report_path

PAPER_IMAGES_PER_SECOND = 8
"""DeepLab-LargeFOV on the paper's GPU, without the CRF."""

NETS = ("voc12/vgg16_largefov", "voc12/resnet101_aspp_msc", "voc12/vgg16_aspp_l")
OURS = (("DEFAULT", "strict"), ("DEFAULT", "tf32"), ("CUDNN", "strict"), ("CUDNN", "tf32"), ("CAFFE", "strict"))
TORCH = (
    ("strict", False, False),
    ("tf32", False, False),
    ("tf32", True, False),
    ("strict", True, False),
    ("tf32", True, True),
)
"""Precision, channels last, compiled."""

CEILING_BYTES, CEILING_SIDE = 2**29, 8192
HEAVY = 12
"""Layers that are set against the ceilings."""


def rows(dry: bool) -> list[Task]:
    """What is measured, the most wanted first."""
    if dry:
        tiny = [Task("forward", "tiny/aspp", 33, 1, 1), Task("train", "tiny/aspp", 33, 2, 1)]
        return [Task("crf", "voc12-largefov,iter=1", 0, 1, 1), *tiny]
    forward = [Task("forward", net, 513, 1, 1) for net in NETS]
    train = [Task("train", net, 321, 2, 1) for net in NETS]
    crf = Task("crf", "voc12-largefov", 0, 1, 1)
    return [forward[0], crf, forward[1], train[0], train[1], forward[2], train[2]]


def timed(backend: Any, work: Callable[[], Any], runs: int) -> dict[str, float]:
    """Milliseconds on the device, median and best, after a warm-up of a third as many runs."""
    for _ in range(max(1, runs // 3)):
        work()
    spent = []
    for _ in range(runs):
        first = backend.mark()
        work()
        spent.append(1e3 * backend.seconds_between(first, backend.mark()))
    return {"median_ms": round(statistics.median(spent), 4), "best_ms": round(min(spent), 4), "runs": runs}


class TorchClock:
    """PyTorch's events, with the words of our backends."""

    def mark(self) -> Any:
        """An event, recorded."""
        import torch

        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds_between(self, first: Any, last: Any) -> float:
        """Waits for the second event."""
        last.synchronize()
        return float(first.elapsed_time(last)) / 1e3


def measure_ours(task: Task, folder: Path, name: str, runs: int) -> Iterator[dict[str, Any]]:
    """Every engine and precision in turn; the first one's outputs are saved for comparing."""
    from pydeeplab import TEST, Net
    from pydeeplab.solver import get_solver

    backend: Any = get_backend(name)
    for engine, math in OURS if name == "cuda" else OURS[::3]:
        row: dict[str, Any] = {"contestant": "pydeeplab", "engine": engine, "math": math}
        try:
            gc.collect()
            backend.blas.set_math(math)
            backend.allocator.release()
            backend.allocator.peak = backend.allocator.in_use
            if task.kind == "forward":
                options: dict[str, Any] = {"weights": folder / "net.caffemodel", "keep": "outputs", "engine": engine}
                net = Net(folder / "deploy.prototxt", TEST, backend=name, **options)
                net.blobs["data"].data[...] = np.load(folder / "data.npy")
                work = _forward(net)
            else:
                solver: Any = get_solver(
                    folder / "solver.prototxt", observers=[], keep="training", engine=engine, backend=name
                )
                net = solver.net
                net.copy_from(folder / "net.caffemodel")
                for blob in ("data", "label"):
                    net.blobs[blob].data[...] = np.load(folder / f"{blob}.npy")
                work = _step(solver)
            row |= timed(backend, work, runs)
            row["peak_mib"] = round(backend.allocator.peak / 2**20)
            if task.kind == "forward":
                found = {blob: net.blobs[blob].look().copy() for blob in net.outputs}
                row |= _compared(folder / "expected.npz", found)
            del net, work
        except Exception as error:
            row["cannot"] = f"{type(error).__name__}: {error}"[:400]
        yield row


def _forward(net: Any) -> Callable[[], Any]:
    return lambda: net._forward(0, len(net.layers) - 1)


def _step(solver: Any) -> Callable[[], Any]:
    return lambda: solver.step(1)


def _compared(path: Path, found: dict[str, Any]) -> dict[str, Any]:
    """The relative difference from what the first contestant saved, which this saves if it is the first."""
    if not path.exists():
        np.savez(path, **found)
    with np.load(path) as arrays:
        return {"difference": difference(dict(arrays), found)}


def measure_torch(task: Task, folder: Path, name: str, runs: int) -> Iterator[dict[str, Any]]:
    """Every precision and memory format in turn."""
    import torch

    from benchmarks.contestants.pytorch import DECAY, MOMENTUM, RATE
    from benchmarks.contestants.torch_net import TorchNet
    from pydeeplab import TEST, TRAIN, Net

    device = "cuda" if name == "cuda" else "cpu"
    clock = TorchClock() if device == "cuda" else get_backend("cpu")
    learn = task.kind == "train"
    torch.backends.cudnn.benchmark = True
    for math, last, compiled in TORCH:
        row: dict[str, Any] = {"contestant": "torch", "math": math, "channels_last": last, "compiled": compiled}
        try:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = math == "tf32"
            gc.collect()
            if device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            file = folder / f"{'train' if learn else 'deploy'}.prototxt"
            weights = folder / "net.caffemodel"
            net = Net(file, TRAIN if learn else TEST, weights=weights, keep="all", backend="cpu")
            names = ("data", "label") if learn else ("data",)
            outputs = list(net.outputs)
            module: Any = TorchNet(net, learn=learn).to(device)
            inputs = [torch.from_numpy(np.load(folder / f"{blob}.npy")).to(device) for blob in names]
            del net
            if last:
                module = module.to(memory_format=torch.channels_last)
                inputs = [x.to(memory_format=torch.channels_last) for x in inputs]
            groups = [
                {"params": parameters, "lr": RATE * rate, "weight_decay": DECAY * decay}
                for (rate, decay), parameters in module.groups.items()
            ]
            if compiled:
                module = torch.compile(module)
            found: list[Any] = []
            if learn:
                optimiser = torch.optim.SGD(groups, momentum=MOMENTUM, fused=True)
                work = _torch_step(module, inputs, optimiser)
            else:
                work = _torch_forward(module, inputs, found)
            row |= timed(clock, work, runs)
            if device == "cuda":
                row["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
            if found:
                arrays = {
                    blob: x.float().contiguous().cpu().numpy() for blob, x in zip(outputs, found[-1], strict=True)
                }
                row |= _compared(folder / "expected.npz", arrays)
            del module, inputs, found, work
        except Exception as error:
            row["cannot"] = f"{type(error).__name__}: {error}"[:400]
        yield row


def _torch_forward(module: Any, inputs: list[Any], found: list[Any]) -> Callable[[], Any]:
    import torch

    def work() -> None:
        with torch.inference_mode():
            found[:] = [module(*inputs)]

    return work


def _torch_step(module: Any, inputs: list[Any], optimiser: Any) -> Callable[[], Any]:
    def work() -> None:
        optimiser.zero_grad()
        module(*inputs).backward()
        optimiser.step()

    return work


def measure_crf(task: Task, folder: Path, name: str, runs: int) -> Iterator[dict[str, Any]]:
    """The whole of it with copies, and its parts on the device alone."""
    from pydeeplab.crf import CRFParameters, DenseCRF
    from pydeeplab.crf.mean_field import MeanField
    from pydeeplab.crf.memory import Memory

    backend: Any = get_backend(name)
    image, scores = np.load(folder / "image.npy"), np.load(folder / "scores.npy")
    if name != "cuda":
        image, scores = np.ascontiguousarray(image[:20, :24]), np.ascontiguousarray(scores[:3, :20, :24])
    crf, params = DenseCRF(task.net, backend=backend), CRFParameters.parse(task.net)
    row: dict[str, Any] = {"contestant": "pydeeplab", "what": "refine, with copies there and back"}
    row |= timed(backend, lambda: crf.refine(image, scores), runs)
    row["difference"] = difference(
        {"q": DenseCRF(task.net, backend="cpu").refine(image, scores)}, {"q": crf.refine(image, scores)}
    )
    yield row
    planes = backend.from_host(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32))
    deviations = backend.from_host(np.full(3, params.bi_rgb_std[0], np.float32))
    device_scores = backend.from_host(np.ascontiguousarray(scores, np.float32))
    memory = Memory(backend)

    def build() -> MeanField:
        field = MeanField(*scores.shape[1:], len(scores), backend=backend, memory=memory)
        field.add_term(params.pos_w[0], params.pos_xy_std[0])
        field.add_term(params.bi_w[0], params.bi_xy_std[0], planes, deviations)
        field.start(device_scores)
        return field

    yield {"contestant": "pydeeplab", "what": "lattices and softmax"} | timed(backend, build, runs)
    field = build()
    yield {"contestant": "pydeeplab", "what": "one iteration"} | timed(backend, field.step, runs)


def measure_ceilings(backend: Any, dry: bool) -> dict[str, float]:
    """What the chip reaches: bytes per second read and written by a copy, multiply-adds per second of a product."""
    count, side = (2**12, 32) if dry else (CEILING_BYTES // 4, CEILING_SIDE)
    real = np.dtype(np.float32)
    a, b = (backend.zeros(count, real) for _ in range(2))
    copy = timed(backend, lambda: b.__setitem__(Ellipsis, a), 10)
    found = {"copy_bytes_per_second": 2 * 4 * count / copy["best_ms"] * 1e3}
    x, w, y = (backend.zeros(side * side, real).reshape(side, side) for _ in range(3))
    for math in ("strict", "tf32"):
        backend.blas.set_math(math)
        product = timed(backend, lambda: backend.kernels.inner_product_forward(x, w, None, y, False), 10)
        found[f"{math}_multiply_adds_per_second"] = side**3 / product["best_ms"] * 1e3
    backend.blas.set_math("strict")
    return found


def measure_layers(task: Task, name: str, ceilings: dict[str, float]) -> list[dict[str, Any]]:
    """The heaviest layers of a lean forward pass and the shares of the ceilings that they reach."""
    command = [sys.executable, "-m", "pydeeplab", "time", task.net, "--input-size", f"{task.size}x{task.size}"]
    command += ["--lean", "--json", "--iterations", "10" if name == "cuda" else "1"]
    environment = os.environ | {"PYDEEPLAB_BACKEND": name}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    if done.returncode:
        return [{"cannot": done.stderr[-400:]}]
    layers = sorted(json.loads(done.stdout)["layers"], key=lambda one: -one["forward"])[:HEAVY]
    found = []
    for layer in layers:
        seconds = layer["forward"] / 1e3 or 1e-9
        shares = {
            "of_product": layer["multiply_adds"] / seconds / ceilings["strict_multiply_adds_per_second"],
            "of_copy": layer["bytes"] / seconds / ceilings["copy_bytes_per_second"],
        }
        chosen = {key: layer[key] for key in ("name", "type", "shape", "engine")} | {"ms": round(layer["forward"], 4)}
        found.append(chosen | {key: round(value, 3) for key, value in shares.items()})
    return found


def one(given: dict[str, Any], contestant: str, folder: Path, name: str) -> None:
    """The work of one process: a line of JSON for each measurement."""
    task = Task(**given)
    runs = 30 if name == "cuda" else 1
    measure = {"crf": measure_crf}.get(task.kind) or {"ours": measure_ours, "torch": measure_torch}[contestant]
    for row in measure(task, folder, name, runs):
        print(json.dumps(row), flush=True)


def run_one(task: Task, contestant: str, folder: Path, name: str, limit: float) -> list[dict[str, Any]]:
    """Measure in a process of its own; what it has printed when it ends or is stopped counts."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--one", json.dumps(task.as_json()), contestant, str(folder)]
    if limit < 5:
        return [{"contestant": contestant, "cannot": "no time left"}]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([*command, name], stdout=out, stderr=errors)
        try:
            why = "" if process.wait(limit) == 0 else f"ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            why = f"stopped after {limit:.0f} s"
        out.seek(0)
        errors.seek(0)
        found = [json.loads(line) for line in out.read().splitlines() if line.startswith("{")]
        if why:
            found.append({"contestant": contestant, "cannot": f"{why}: {errors.read()[-400:]}"})
    return found


def lines(task: Task, found: list[dict[str, Any]]) -> list[str]:
    """A row of the report as text."""
    text = [task.title]
    for row in found:
        words = " ".join(str(row[k]) for k in ("contestant", "engine", "math", "what") if k in row)
        words += " channels-last" * bool(row.get("channels_last")) + " compiled" * bool(row.get("compiled"))
        if "cannot" in row:
            text.append(f"  {words:44} cannot: {row['cannot'][:120]}")
            continue
        per_second = 1e3 * task.batch / row["median_ms"]
        more = f" {row['peak_mib']:7} MiB" if "peak_mib" in row else ""
        more += f"  differs {row['difference']:.1e}" if "difference" in row else ""
        text.append(f"  {words:44} {row['median_ms']:9.3f} ms {per_second:8.1f} images/s{more}")
    return text


def run_all(limit: float, patterns: list[str], dry: bool) -> int:
    """Measure all rows that match, as long as there is time."""
    start = time.monotonic()
    name = "cuda-emulation" if dry else "cuda"
    target = report_path("bench-gpu-dry.json" if dry else "bench-gpu.json")
    backend: Any = get_backend(name)
    document: dict[str, Any] = {
        "machine": machine(),
        "device": asdict(backend.library.devices()[0]),
        "blas": backend.blas.name,
        "paper_images_per_second": PAPER_IMAGES_PER_SECOND,
        "ceilings": measure_ceilings(backend, dry),
        "rows": [],
    }
    backend.allocator.release()
    print(json.dumps(document["ceilings"]), flush=True)
    for task in rows(dry):
        if patterns and not any(fnmatch.fnmatch(task.name, f"*{p}*") for p in patterns):
            continue
        with tempfile.TemporaryDirectory(prefix="pydeeplab-bench-") as text:
            folder = Path(text)
            {"forward": prepare_net, "train": prepare_train, "crf": prepare_crf}[task.kind](task, folder)
            found = []
            for contestant in ("ours",) if task.kind == "crf" else ("ours", "torch"):
                left = limit - (time.monotonic() - start)
                found += run_one(task, contestant, folder, name, min(left, 120))
        row: dict[str, Any] = {"task": task.as_json(), "found": found}
        if task.kind == "forward" and limit - (time.monotonic() - start) > 20:
            row["layers"] = measure_layers(task, name, document["ceilings"])
        document["rows"].append(row)
        document["seconds"] = round(time.monotonic() - start, 1)
        write_text(target, json.dumps(document, indent=1) + "\n")
        print("\n".join(lines(task, found)), flush=True)
    print(f"wrote {target}")
    failed = [row for row in document["rows"] if not any("median_ms" in one for one in row["found"])]
    return 1 if failed else 0


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=360, help="seconds after which no new measurement begins")
    parser.add_argument("--rows", nargs="+", default=[], metavar="PATTERN", help="such as forward/*largefov*, crf")
    parser.add_argument("--dry-run", action="store_true", help="on the emulation, with a net in miniature")
    parser.add_argument("--one", nargs=4, metavar=("TASK", "CONTESTANT", "FOLDER", "BACKEND"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        given, contestant, folder, name = args.one
        one(json.loads(given), contestant, Path(folder), name)
        return 0
    return run_all(args.limit, args.rows, args.dry_run)


if __name__ == "__main__":
    sys.exit(main())
