"""measure how long each layer of a net takes

Runs the net forward, and backward unless told not to, several times after one warm-up and prints, for each layer, the
mean time, its share, the multiply-adds per second it reaches, the bytes of bottoms and tops per second, which share
of the machine's rate that is (of a large matrix product's multiply-adds by BLAS, of a copy's bytes for layers without
any; fewer multiply-adds than counted, as by Winograd's algorithm, and caches lead beyond 100 %), and the convolution
engine that it chose; --why adds the reasons. On a GPU (--gpu 0) its own clock measures. With --lean, the last column
names the types of the layers that run as one with it; convolutions that share their weights and run together have one
line, with the sizes of all tops and the others' names at the end.

Inputs are random; data layers are replaced by inputs of their shapes, so no files are needed. A net without a loss is
run backward through all layers.

With -model NET it is `caffe time`: phase TRAIN and 50 iterations unless told otherwise, Caffe's flags, spellings and
words.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from pydeeplab.analysis import Rates, without_data_layers
from pydeeplab.cli._device import add_gpu_argument, memory_line, use_gpu
from pydeeplab.cli._nets import add_net_arguments, apply_threads, defines_of
from pydeeplab.cli._options import add_json_argument, parse_size, prints_json, write_json
from pydeeplab.cli._progress import Progress
from pydeeplab.cli._spellings import split_stages
from pydeeplab.cli._tables import format_table, has_colours
from pydeeplab.errors import UsageError, counted
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from pydeeplab.proto import read_net
from pydeeplab.resources import find_net
from pydeeplab.seeding import seed_inputs, seed_params
from pydeeplab.threads import get_num_threads

EXAMPLES = """\
  pydeeplab time voc12/vgg16_aspp_l --input-size 513x513
  pydeeplab time deploy.prototxt net.caffemodel --engine CAFFE --iterations 20 --json
  pydeeplab time deploy.prototxt --lean        # as `segment` runs it: forward, blobs share memory
  pydeeplab time -model train_val.prototxt -iterations 10 -phase TEST     # in Caffe's words
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_net_arguments(parser)
    net = next(a for a in parser._actions if a.dest == "net")
    net.nargs, net.required = "?", False
    parser.set_defaults(phase=None)
    parser.add_argument("--model", metavar="NET", help="the net, as Caffe has it; prints Caffe's words")
    parser.add_argument("--weights", dest="weights_flag", metavar="FILES", help="the weights, as Caffe has it")
    add_gpu_argument(parser)
    parser.add_argument("--iterations", type=int, help="measured runs after one warm-up (default 10; -model: 50)")
    parser.add_argument("--forward-only", action="store_true", help="do not run backward")
    parser.add_argument("--lean", action="store_true", help="keep the outputs only (implies --forward-only)")
    parser.add_argument("--input-size", metavar="HxW", help="height and width of the image inputs")
    parser.add_argument("--why", action="store_true", help="say why each convolution computes as it does")
    add_json_argument(parser)


_HEADER = [
    *("layer", "type", "top", "forward ms", "share", "GFLOP/s", "GB/s", "of peak"),
    *("backward ms", "engine", "merged with it"),
]

_SHORT = 0.0005
"""The share of a run below which a layer's time says nothing of rates: it does nothing, or fits into a cache."""


@dataclass
class _Part:
    """What the layer of one part of a step did."""

    layer: str
    shape: tuple[int, ...]
    engine: str
    reason: str

    @classmethod
    def of(cls, part: Any) -> _Part:
        """What one part of a step did."""
        layer, shape = part.layer, part.tops[0].shape if part.tops else ()
        return cls(layer.name, shape, getattr(layer, "engine_used", ""), getattr(layer, "engine_reason", ""))


@dataclass
class _Timing:
    """The share of a run of one layer, or of several that were merged: the first's type, those of the others, and those
    that ran together with it, in the same way each."""

    name: str
    layers: list[str]
    type: str
    merged: list[str]
    shape: tuple[int, ...]
    multiply_adds: int
    bytes: int
    engine: str
    reason: str
    together: list[_Part]
    forward: list[float] = field(default_factory=list)
    backward: list[float] = field(default_factory=list)


def _timing(step: Any) -> _Timing:
    first, *others = (_Part.of(part) for part in step.parts)
    return _Timing(
        step.name,
        [node.name for node in step.nodes],
        step.layer.type,
        [node.layer.type for node in step.parts[0].nodes[1:]],
        first.shape,
        step.multiply_adds,
        sum(blob.count * blob.dtype.itemsize for blob in (*step.bottoms, *step.tops)),
        first.engine,
        first.reason,
        others,
    )


def _measure(net: Net, runs: int, backward: bool, progress: Progress) -> list[_Timing]:
    timings: list[_Timing] = []
    for number in range(runs + 1):
        marks = [net.backend.mark()]
        for step in net.steps():
            step.forward()
            marks.append(net.backend.mark())
            if number == 0:
                timings.append(_timing(step))
        if backward:
            for node in reversed(net.nodes):
                if node.need_backward:
                    node.backward()
                marks.append(net.backend.mark())
        spent = [net.backend.seconds_between(*pair) for pair in pairwise(marks)]
        if number:
            for timing, seconds in zip(timings, spent, strict=False):
                timing.forward.append(seconds)
            for timing, seconds in zip(reversed(timings), spent[len(timings) :], strict=False):
                timing.backward.append(seconds)
        progress.advance()
    return timings


def _mean_ms(values: list[float]) -> float:
    return 1e3 * sum(values) / len(values) if values else 0.0


def _share_of_peak(timing: _Timing, total: float, rates: Rates) -> float | None:
    """None for layers that take hardly any of the ``total`` milliseconds."""
    ms = _mean_ms(timing.forward)
    return None if ms <= _SHORT * total else rates.share(timing.multiply_adds, timing.bytes, 1e-3 * ms)


def _sizes(timing: _Timing) -> str:
    """The shape of the top; of others that run together with it, what is not the same."""
    texts = ["x".join(map(str, timing.shape))]
    for part in timing.together:
        alike = part.shape[:2] == timing.shape[:2]
        texts.append("x".join(map(str, part.shape[2:] if alike else part.shape)))
    return " + ".join(texts)


def _engines(timing: _Timing, why: bool) -> str:
    """The engines of all that run together, each once, with the reasons."""
    pairs = [(timing.engine, timing.reason), *((part.engine, part.reason) for part in timing.together)]
    texts = [f"{engine}: {reason}" if why and reason else engine for engine, reason in pairs]
    return "; ".join(dict.fromkeys(texts))


def _row(timing: _Timing, total: float, rates: Rates, backward: bool, why: bool) -> list[str]:
    """The cells of a layer's line; see `_HEADER`."""
    ms, reached = _mean_ms(timing.forward), _share_of_peak(timing, total, rates)
    others = f"; with {', '.join(part.layer for part in timing.together)}" if timing.together else ""
    return [
        timing.layers[0],
        timing.type,
        _sizes(timing),
        f"{ms:.3f}",
        f"{100 * ms / (total or 1):.1f}%",
        f"{2e-6 * timing.multiply_adds / ms:.1f}" if timing.multiply_adds and ms else "",
        f"{1e-6 * timing.bytes / ms:.1f}" if ms else "",
        "" if reached is None else f"{reached:.0%}",
        f"{_mean_ms(timing.backward):.3f}" if backward else "",
        _engines(timing, why),
        ", ".join(timing.merged) + others,
    ]


def _print(timings: list[_Timing], rates: Rates, backward: bool, net: Net, memory: str, why: bool) -> None:
    total = {h: sum(_mean_ms(getattr(t, h)) for t in timings) for h in ("forward", "backward")}
    rows = [_row(timing, total["forward"], rates, backward, why) for timing in timings]
    print("\n".join(format_table(_HEADER, rows, right=range(3, 9), colours=has_colours(sys.stdout))))
    print()
    macs = sum(t.multiply_adds for t in timings)
    runs = len(timings[0].forward)
    print(f"Average Forward pass: {total['forward']:.3f} ms.")
    if backward:
        print(f"Average Backward pass: {total['backward']:.3f} ms.")
        print(f"Average Forward-Backward: {total['forward'] + total['backward']:.3f} ms.")
    speed = 2e-6 * macs / total["forward"]
    how = f"{counted(runs, 'run')} on {counted(get_num_threads(), 'thread')}"
    print(f"{how}; {macs / 1e9:.2f} G multiply-adds; {speed:.1f} GFLOP/s")
    product, copy = 2e-9 * rates.multiply_adds, 1e-9 * rates.bytes
    print(f"peak: {product:.1f} GFLOP/s in a product of matrices, {copy:.1f} GB/s in a copy")
    print(memory)
    if line := memory_line(net.backend):
        print(line)


def _memory(net: Net) -> str:
    """A line on the memory used so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"memory: activations {net.activation_bytes() / 2**20:.0f} MiB, shared workspace "
        f"{net.workspace.nbytes / 2**20:.0f} MiB, peak of the process {peak:.0f} MiB"
    )


def _document(timings: list[_Timing], rates: Rates, net: Net, engine: str) -> dict[str, Any]:
    total = sum(_mean_ms(t.forward) for t in timings)
    rows = [
        asdict(t)
        | {"forward": _mean_ms(t.forward), "backward": _mean_ms(t.backward)}
        | {"share_of_peak": _share_of_peak(t, total, rates)}
        for t in timings
    ]
    memory = net.backend.memory_use()
    document = {"unit": "ms", "backend": net.backend.name, "threads": get_num_threads(), "engine": engine}
    document["peak"] = {"multiply_adds_per_second": rates.multiply_adds, "bytes_per_second": rates.bytes}
    return document | ({"device_memory": memory} if memory else {}) | {"layers": rows}


def _print_as_caffe(timings: list[_Timing], backward: bool, loss: float, total: float) -> None:
    """What `caffe time` logs; ``total`` in seconds."""
    runs = len(timings[0].forward)
    halves = ["forward", "backward"] if backward else ["forward"]
    print("Performing Forward", f"Initial loss: {loss:g}", sep="\n")
    if backward:
        print("Performing Backward")
    print("*** Benchmark begins ***", f"Testing for {runs} iterations.", sep="\n")
    for i in range(runs):
        spent = 1e3 * sum(getattr(t, half)[i] for t in timings for half in halves)
        print(f"Iteration: {i + 1} forward-backward time: {spent:g} ms.")
    print("Average time per layer: ")
    for timing in timings:
        for half in halves:
            print(f"{timing.name:>10}\t{half}: {_mean_ms(getattr(timing, half)):g} ms.")
    means = {half: sum(_mean_ms(getattr(t, half)) for t in timings) for half in halves}
    for half, mean in means.items():
        print(f"Average {half.capitalize()} pass: {mean:g} ms.")
    print(f"Average Forward-Backward: {sum(means.values()):g} ms.")
    print(f"Total Time: {1e3 * total:g} ms.", "*** Benchmark ends ***", sep="\n")


def _resolve(args: argparse.Namespace) -> None:
    """Merge Caffe's way to name net and weights with ours, and set the defaults that depend on it."""
    if args.net and args.model:
        raise UsageError(f"two nets: '{args.net}' and -model {args.model}")
    if args.weights and args.weights_flag:
        raise UsageError(f"weights twice: '{args.weights}' and -weights {args.weights_flag}")
    args.net, args.weights = args.net or args.model, args.weights or args.weights_flag
    if not args.net:
        raise UsageError("need a net to time: NET, or -model NET")
    args.phase = args.phase or ("TRAIN" if args.model else "TEST")
    if args.iterations is None:
        args.iterations = 50 if args.model else 10
    args.stage = split_stages(args.stage)


def _build(args: argparse.Namespace) -> Net:
    size = parse_size(args.input_size, "--input-size")
    source = without_data_layers(read_net(find_net(args.net), defines=defines_of(args)), image_size=size)
    if not any(layer.type.endswith("Loss") or layer.loss_weight for layer in source.param.layer):
        source.param.force_backward = True
    phase = TRAIN if args.phase == "TRAIN" else TEST
    keep = "outputs" if args.lean else "all"
    net = Net.from_source(source, phase, level=args.level, stages=args.stage, engine=args.engine, keep=keep)
    if args.weights is not None:
        net.copy_from(args.weights)
    else:
        seed_params(net)
    return net


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    _resolve(args)
    if args.iterations < 1:
        raise UsageError("--iterations must be at least 1")
    apply_threads(args)
    use_gpu(args.gpu)
    net = _build(args)
    seed_inputs(net)
    backward = not (args.forward_only or args.lean)
    start = time.perf_counter()
    with Progress(args.iterations + 1, "running", quiet=args.quiet or prints_json(args)) as progress:
        timings = _measure(net, args.iterations, backward, progress)
    elapsed = time.perf_counter() - start
    memory, rates = _memory(net), Rates()
    rates.measure(net.backend)
    if write_json(args, _document(timings, rates, net, args.engine)):
        return 0
    if args.model:
        _print_as_caffe(timings, backward, 0.0 if args.lean else sum(node.loss() for node in net.nodes), elapsed)
    else:
        _print(timings, rates, backward, net, memory, args.why)
    return 0
