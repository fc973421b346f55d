"""compute the mean of images, as Caffe's program of that name

INPUT is an LMDB database of Datums, a list file (an image path per line, labels after it are ignored) or a folder of
images, which is searched with its sub-folders. All images must have one size, or be resized to one. The mean, float32
(channels, height, width) with blue first, goes to OUTPUT as .binaryproto, or as .npy if it is called so; the mean of
each channel is printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.cli._database import check_backend, read_database
from pydeeplab.cli._options import add_quiet_argument
from pydeeplab.cli._progress import Progress
from pydeeplab.data import ImageList, read_image, resize
from pydeeplab.errors import DataError, UsageError
from pydeeplab.formats import write_mean
from pydeeplab.layers.data import decode_datum

EXAMPLES = """\
  pydeeplab compute_image_mean train_lmdb mean.binaryproto
  pydeeplab compute_image_mean photos/ mean.npy -resize_height 256 -resize_width 256
  pydeeplab compute_image_mean train.txt --root VOC2012/ -resize_height 513 -resize_width 513
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("input", metavar="INPUT", help="an LMDB database, a list file, or a folder of images")
    parser.add_argument("output", metavar="OUTPUT", nargs="?", help=".binaryproto or .npy to write")
    parser.add_argument("--backend", default="lmdb", help="kind of the database: lmdb")
    parser.add_argument("--root", default="", metavar="DIR", help="put before each path of a list file")
    parser.add_argument("--resize-height", type=int, default=0, metavar="PIXELS", help="resize images to this height")
    parser.add_argument("--resize-width", type=int, default=0, metavar="PIXELS", help="resize images to this width")
    parser.add_argument("--gray", action="store_true", help="read image files as grey")
    add_quiet_argument(parser, "no progress, print nothing")


def _is_database(path: Path) -> bool:
    return (path / "data.mdb").is_file() or path.suffix == ".mdb"


def _pictures(folder: Path) -> list[Path]:
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in known)
    if not found:
        raise DataError(f"'{folder}' is neither an LMDB database nor a folder with images in it")
    return found


def _images(args: argparse.Namespace, progress: Progress) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Names and planes (C, H, W), blue first, of all images."""
    path = Path(args.input)
    if _is_database(path):
        check_backend(args.backend, "use")
        for key, value in read_database(path):
            yield f"record '{key}'", decode_datum(value)[0].astype(np.float64)
        return
    if not path.exists():
        raise UsageError(f"'{path}' does not exist")
    files = _pictures(path) if path.is_dir() else [Path(entry.image) for entry in ImageList(path, args.root)]
    progress.total = len(files)
    for file in files:
        image = read_image(file, args.gray)
        if args.resize_height and args.resize_width:
            image = resize(image, args.resize_height, args.resize_width)
        yield f"'{file}'", np.atleast_3d(image)[:, :, ::-1].transpose(2, 0, 1).astype(np.float64)


def _mean(args: argparse.Namespace, progress: Progress) -> tuple[NDArray[np.float64], int]:
    total: NDArray[np.float64] | None = None
    count = 0
    for name, planes in _images(args, progress):
        if total is None:
            total = np.zeros_like(planes)
        if planes.shape != total.shape:
            raise DataError(
                f"{name} has shape {planes.shape}, those before it {total.shape} (channels, height, width); "
                "images must have one size: for files give -resize_height and -resize_width"
            )
        total += planes
        count += 1
        progress.total = max(progress.total, count)
        progress.advance()
    if total is None:
        raise DataError(f"'{args.input}' holds no images")
    return total / count, count


def run(args: argparse.Namespace) -> int:
    """Compute, write and print."""
    if bool(args.resize_height) != bool(args.resize_width) or min(args.resize_height, args.resize_width) < 0:
        raise UsageError("give both -resize_height and -resize_width, in pixels")
    with Progress(0, "images", quiet=args.quiet) as progress:
        mean, count = _mean(args, progress)
    if args.output:
        write_mean(args.output, mean)
    if args.quiet:
        return 0
    if args.output:
        print(f"Write to {args.output}")
    print(f"Processed {count} files.")
    print(f"Number of channels: {len(mean)}")
    for channel, plane in enumerate(mean):
        print(f"mean_value channel [{channel}]: {plane.mean():g}")
    return 0
