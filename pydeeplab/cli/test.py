"""score a net on its own test data, as `caffe test` does

Runs the net in phase TEST --iterations times and prints every value of its outputs in each batch, then their means,
in Caffe's words. The net reads its data itself (data layers with test files); all of Caffe's flags and spellings work.
Of outputs with more than 1000 values only the mean is shown.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pydeeplab.cli._device import add_gpu_argument, use_gpu
from pydeeplab.cli._nets import add_threads_argument, apply_threads, defines_of
from pydeeplab.cli._options import add_json_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._spellings import split_stages
from pydeeplab.errors import UsageError
from pydeeplab.layer import TEST
from pydeeplab.net import ENGINES, Net
from pydeeplab.resources import find_net

EXAMPLES = """\
  pydeeplab test -model train_val.prototxt -weights net.caffemodel -iterations 100
  pydeeplab test --model=train_val.prototxt --weights a.caffemodel,b.caffemodel --stage deploy,fine -gpu 0
  pydeeplab test -model train_val.prototxt -weights net.caffemodel --json | jq .loss
"""

_MOST_VALUES = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", metavar="NET", help="a net prototxt that reads its own data")
    parser.add_argument("--weights", metavar="FILES", help="weight file(s), comma-separated, of any format")
    parser.add_argument("--iterations", type=int, default=50, help="batches to run (default 50)")
    parser.add_argument("--level", type=int, default=0, help="level of the net's state")
    parser.add_argument("--stage", action="append", default=[], help="stages of the net's state, comma-separated")
    add_gpu_argument(parser)
    parser.add_argument("--engine", choices=ENGINES, default="DEFAULT", help="convolution engine (default DEFAULT)")
    parser.add_argument(
        "--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME} in the prototxt"
    )
    add_threads_argument(parser)
    add_json_argument(parser)
    add_quiet_argument(parser, "print the means only, not every batch")


@dataclass
class _Output:
    """The scores of one output: their sums so far, and those of the last batch."""

    name: str
    weight: float
    accumulates: bool
    total: NDArray[np.float64]
    last: NDArray[np.float64]

    def shown(self, values: NDArray[np.float64]) -> list[float]:
        """The values to print: all, or the mean of many."""
        flat = values.reshape(-1)
        return [float(v) for v in flat] if flat.size <= _MOST_VALUES else [float(flat.mean())]


def _accumulates(net: Net, name: str) -> bool:
    """Whether an output's layer keeps counting from batch to batch, so that means mean nothing."""
    makers = [node.layer for node in net.nodes if name in node.top_names]
    return any(m.type == "SegAccuracy" and not m.param.seg_accuracy_param.reset for m in makers)


def _run_batches(net: Net, iterations: int, quiet: bool) -> tuple[float, list[_Output]]:
    """Run the net and print the batches; returns the mean loss and the outputs' scores."""
    weights = net.blob_loss_weights
    outputs: list[_Output] = []
    loss = 0.0
    for batch in range(iterations):
        loss += net._forward(0, len(net.nodes) - 1)
        for index, name in enumerate(net.outputs):
            values = net.blobs[name].data.astype(np.float64)
            if batch == 0:
                outputs.append(_Output(name, weights[name], _accumulates(net, name), np.zeros(values.shape), values))
            output = outputs[index]
            if values.shape != output.total.shape:
                raise UsageError(
                    f"output '{name}' has shape {values.shape} in batch {batch}, {output.total.shape} before it; "
                    "means need outputs of one shape"
                )
            output.total += values
            output.last = values
            for value in output.shown(values) if not quiet else ():
                print(f"Batch {batch}, {name} = {value:g}")
    return loss / iterations, outputs


def _print_means(loss: float, outputs: list[_Output], iterations: int) -> None:
    print(f"Loss: {loss:g}")
    for output in outputs:
        for mean in output.shown(output.total / iterations):
            weighted = f" (* {output.weight:g} = {output.weight * mean:g} loss)" if output.weight else ""
            print(f"{output.name} = {mean:g}{weighted}")
    for output in outputs:
        if output.accumulates and iterations > 1:
            last = ", ".join(f"{v:g}" for v in output.shown(output.last))
            print(f"note: '{output.name}' counts on from batch to batch; its result is that of the last: {last}")


def run(args: argparse.Namespace) -> int:
    """Score and print."""
    if not args.model:
        raise UsageError("need a net to score: -model NET")
    if not args.weights:
        raise UsageError("need model weights to score: -weights FILE[,FILE]")
    if args.iterations < 1:
        raise UsageError(f"-iterations must be at least 1, got {args.iterations}")
    apply_threads(args)
    use_gpu(args.gpu)
    net = Net(
        find_net(args.model, "test"),
        TEST,
        args.level,
        split_stages(args.stage),
        engine=args.engine,
        keep="outputs",
        defines=defines_of(args),
    )
    if net.inputs:
        raise UsageError(
            f"'{args.model}' has no data of its own: its input {', '.join(net.inputs)} would be zero. Give the net "
            "with data layers, or run a deploy net with `pydeeplab segment` or `pydeeplab extract-features`"
        )
    net.copy_from(args.weights)
    if not (args.quiet or prints_json(args)):
        print("Use GPU." if net.backend.name.startswith("cuda") else "Use CPU.")
        print(f"Running for {args.iterations} iterations.")
    loss, outputs = _run_batches(net, args.iterations, args.quiet or prints_json(args))
    means = {o.name: (o.total / args.iterations).tolist() for o in outputs}
    last = {o.name: o.last.tolist() for o in outputs}
    if not write_json(args, {"iterations": args.iterations, "loss": loss, "means": means, "last": last}):
        _print_means(loss, outputs, args.iterations)
    return 0
