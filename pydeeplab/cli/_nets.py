"""Arguments and steps that several commands share: which net, which weights, which inputs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.cli._options import add_quiet_argument
from pydeeplab.data.images import read_image
from pydeeplab.errors import DataError, UsageError
from pydeeplab.formats.npy import NpyError, Npz, read_npy
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import ENGINES, Net
from pydeeplab.proto import NetSource
from pydeeplab.resources import find_net
from pydeeplab.seeding import seed_inputs
from pydeeplab.threads import set_num_threads

__all__ = [
    "add_net_arguments",
    "add_threads_argument",
    "apply_threads",
    "defines_of",
    "load_net",
    "read_inputs",
    "show_notes",
]

MEAN_BGR = (104.008, 116.669, 122.675)


def add_net_arguments(parser: argparse.ArgumentParser, *, weights: str = "optional", engine: str = "DEFAULT") -> None:
    """Add NET, WEIGHTS and the options that choose how the net is built."""
    parser.add_argument(
        "net", metavar="NET", help="a net prototxt, or the name of one of ours such as voc12/vgg16_aspp_l"
    )
    if weights == "required":
        parser.add_argument("weights", metavar="WEIGHTS", help="weight file(s), comma-separated, of any format")
    else:
        parser.add_argument(
            "weights", metavar="WEIGHTS", nargs="?", help="weight file(s), comma-separated, of any format"
        )
    parser.add_argument("--phase", choices=("TRAIN", "TEST"), default="TEST", help="phase of the net (default TEST)")
    parser.add_argument("--level", type=int, default=0, help="level of the net's state")
    parser.add_argument("--stage", action="append", default=[], help="a stage of the net's state; may be repeated")
    parser.add_argument("--engine", choices=ENGINES, default=engine, help=f"convolution engine (default {engine})")
    parser.add_argument(
        "--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME} in the prototxt"
    )
    add_threads_argument(parser)
    add_quiet_argument(parser)


def add_threads_argument(parser: argparse.ArgumentParser) -> None:
    """Add --threads."""
    parser.add_argument("--threads", type=int, metavar="N", help="number of threads (default: all cores)")


def apply_threads(args: argparse.Namespace) -> None:
    """Obey --threads."""
    if args.threads is not None:
        set_num_threads(args.threads)


def defines_of(args: argparse.Namespace) -> dict[str, str]:
    """The --define options as a mapping."""
    pairs = [text.partition("=") for text in args.define]
    wrong = [text for text, (name, equals, _) in zip(args.define, pairs, strict=True) if not (name and equals)]
    if wrong:
        raise UsageError(f"--define wants NAME=VALUE, got '{wrong[0]}'")
    return {name: value for name, _, value in pairs}


def load_net(args: argparse.Namespace, **options: Any) -> Net:
    """Build the net that the arguments name and load its weights."""
    apply_threads(args)
    net = Net(
        find_net(args.net),
        TRAIN if args.phase == "TRAIN" else TEST,
        args.level,
        args.stage,
        engine=args.engine,
        defines=defines_of(args),
        **options,
    )
    show_notes(net.source, quiet=args.quiet)
    if args.weights is not None:
        net.copy_from(args.weights)
    return net


def show_notes(source: NetSource, *, quiet: bool = False) -> None:
    """Say on stderr what reading a prototxt has converted, such as an older dialect; nothing if ``quiet``."""
    for note in () if quiet else source.notes:
        print(f"{source.path}: {note}", file=sys.stderr)


def read_inputs(net: Net, given: Iterable[str], seed: int) -> dict[str, NDArray[np.float32]]:
    """Values for all inputs of a net.

    ``given`` are ``FILE`` (for the first input, or an .npz with the inputs' names) or ``BLOB=FILE``; .npy, .npz, or an
    image, which becomes 1 x 3 x H x W, BGR, minus DeepLab's mean. Inputs that are not given are random: standard
    normal times 50, drawn with ``seed``; labels are 0.
    """
    if not net.inputs:
        raise UsageError("the net has no Input layer; use its deploy prototxt")
    values: dict[str, NDArray[np.float32]] = {}
    for text in given:
        blob, equals, file = text.partition("=")
        path = Path(file if equals else text)
        values.update(_read_input(path, blob if equals else net.inputs[0]))
    unknown = set(values) - set(net.inputs)
    if unknown:
        raise UsageError(f"the net has no input '{min(unknown)}'; its inputs are {', '.join(net.inputs)}")
    seed_inputs(net, seed)
    for name in net.inputs:
        values.setdefault(name, net.blobs[name].data.copy())
    return values


def _real(array: NDArray[Any], what: str) -> NDArray[np.float32]:
    if array.dtype.kind not in "fiub":
        raise DataError(f"{what} holds values of type {array.dtype}; inputs are numbers")
    return array.astype(np.float32)


def _read_input(path: Path, blob: str) -> Mapping[str, NDArray[np.float32]]:
    if not path.is_file():
        raise DataError(f"{path}: {'is a folder; name a file in it' if path.is_dir() else 'no such file'}")
    try:
        if path.suffix == ".npz":
            with Npz(path) as archive:
                return {k.removeprefix("in/"): _real(archive[k], f"{path}: '{k}'") for k in archive}
        if path.suffix == ".npy":
            return {blob: _real(read_npy(path), os.fspath(path))}
    except NpyError as error:
        raise DataError(f"{path}: cannot be read as an array ({error}). Write it with numpy.save again.") from None
    image = read_image(path)[..., ::-1].astype(np.float32) - np.array(MEAN_BGR, np.float32)
    return {blob: np.ascontiguousarray(image.transpose(2, 0, 1))[np.newaxis]}
