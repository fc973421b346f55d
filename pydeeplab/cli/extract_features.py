"""save what a net computes in some of its blobs, as Caffe's program of that name

Runs NET, which reads its own data, in phase TEST for NUM_MINI_BATCHES batches and saves each BLOB, one item after the
other, under the name given in its place. FORMAT lmdb writes databases of Datums with float_data, as Caffe does; npz,
h5 and mat write one array (items x ...) each, called as the blob (data in a .mat).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pydeeplab.cli._database import check_backend, create_database
from pydeeplab.cli._device import add_gpu_argument, use_gpu
from pydeeplab.cli._nets import add_threads_argument, apply_threads
from pydeeplab.cli._options import add_quiet_argument
from pydeeplab.cli._progress import Progress
from pydeeplab.errors import UsageError, did_you_mean
from pydeeplab.files import atomic_path
from pydeeplab.formats.mat import write_mat
from pydeeplab.layer import TEST
from pydeeplab.net import ENGINES, Net
from pydeeplab.proto import caffe_pb2
from pydeeplab.resources import find_net

EXAMPLES = """\
  pydeeplab extract_features net.caffemodel train_val.prototxt fc7 features_lmdb 10 lmdb
  pydeeplab extract_features net.caffemodel train_val.prototxt fc7,prob fc7.npz,prob.npz 10 npz
"""

FORMATS = ("npz", "h5", "mat", "lmdb")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("weights", metavar="WEIGHTS", help="weight file(s), comma-separated, of any format")
    parser.add_argument("net", metavar="NET", help="a net prototxt that reads its own data")
    parser.add_argument("blobs", metavar="BLOB[,BLOB]", help="names of the blobs to save")
    parser.add_argument("outputs", metavar="OUT[,OUT]", help="as many names of databases or files to write")
    parser.add_argument("batches", metavar="NUM_MINI_BATCHES", type=int, help="batches to run")
    parser.add_argument("format", metavar="FORMAT", help=f"{', '.join(FORMATS)}")
    parser.add_argument("device", metavar="CPU|GPU", nargs="?", default="CPU", help="what to compute on (default CPU)")
    parser.add_argument("device_id", metavar="DEVICE_ID", nargs="?", help="which GPU (default 0)")
    parser.add_argument("--engine", choices=ENGINES, default="DEFAULT", help="convolution engine (default DEFAULT)")
    add_threads_argument(parser)
    add_gpu_argument(parser)
    add_quiet_argument(parser)


def _write_datums(path: str, items: NDArray[np.float32]) -> None:
    shape = (*items.shape[1:], 1, 1, 1)[:3]
    with create_database(path) as database:
        for index, item in enumerate(items):
            datum = caffe_pb2.Datum(channels=shape[0], height=shape[1], width=shape[2])
            datum.float_data.extend(item.reshape(-1).tolist())
            database.put(f"{index:010d}", datum.SerializeToString())


def _write(path: str, blob: str, items: NDArray[np.float32], kind: str) -> None:
    if kind == "lmdb":
        _write_datums(path, items)
    elif kind == "mat":
        write_mat(path, items)
    else:
        with atomic_path(path) as temporary:
            if kind == "npz":
                arrays: Any = {blob: items}
                with temporary.open("wb") as file:
                    np.savez_compressed(file, **arrays)
            else:
                with h5py.File(temporary, "w") as file:
                    file[blob] = items


def _collect(net: Net, blobs: list[str], batches: int, quiet: bool) -> list[NDArray[np.float32]]:
    found: list[list[NDArray[np.float32]]] = [[] for _ in blobs]
    with Progress(batches, "batches", quiet=quiet) as progress:
        for _ in range(batches):
            net.forward()
            for name, items in zip(blobs, found, strict=True):
                items.append(np.atleast_1d(net.blobs[name].data).copy())
            progress.advance()
    for name, items in zip(blobs, found, strict=True):
        shapes = {a.shape[1:] for a in items}
        if len(shapes) > 1:
            raise UsageError(f"blob '{name}' changes its shape from batch to batch: {sorted(shapes)}")
    return [np.concatenate(items) for items in found]


def run(args: argparse.Namespace) -> int:
    """Extract and write."""
    blobs, outputs = args.blobs.split(","), args.outputs.split(",")
    if len(blobs) != len(outputs):
        raise UsageError(f"{len(blobs)} blob(s) need as many outputs, got {len(outputs)}")
    if args.batches < 1:
        raise UsageError(f"NUM_MINI_BATCHES must be at least 1, got {args.batches}")
    if args.format not in FORMATS:
        if args.format == "leveldb":
            check_backend("leveldb", "write")
        raise UsageError(
            f"unknown format '{args.format}'; known are {', '.join(FORMATS)}.{did_you_mean(args.format, FORMATS)}"
        )
    for output in outputs if args.format == "lmdb" else ():
        if Path(output).exists():
            raise UsageError(f"'{output}' exists already; remove it, or choose another name")
    apply_threads(args)
    use_gpu(args.gpu or ((args.device_id or "0") if args.device.upper() == "GPU" else None))
    net = Net(find_net(args.net, "test"), TEST, engine=args.engine, weights=args.weights)
    if net.inputs:
        raise UsageError(
            f"'{args.net}' has no data of its own: its input {', '.join(net.inputs)} would be zero; give a net "
            "with data layers"
        )
    for name in blobs:
        if name not in net.blobs:
            raise UsageError(f"unknown feature blob name '{name}'.{did_you_mean(name, net.blobs)}")
    found = _collect(net, blobs, args.batches, args.quiet)
    for name, output, items in zip(blobs, outputs, found, strict=True):
        _write(output, name, items, args.format)
        if not args.quiet:
            print(f"Extracted features of {len(items)} query images for feature blob {name}: {output}")
    return 0
