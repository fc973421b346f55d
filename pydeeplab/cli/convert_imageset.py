"""put listed images and labels into an LMDB database, as Caffe's program of that name

Each line of LISTFILE holds an image path (ROOTFOLDER is put before it as it is, so end it with /) and a whole number,
the label. The database's records are Datums under keys such as 00000007_cat.jpg, for Data layers of this and of
Caffe. Images that cannot be read are named and left out, and the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.cli._database import check_backend, create_database
from pydeeplab.cli._options import add_quiet_argument
from pydeeplab.cli._progress import Progress
from pydeeplab.data import ImageList, read_image, resize
from pydeeplab.errors import DataError, UsageError
from pydeeplab.io import array_to_datum
from pydeeplab.proto import caffe_pb2

EXAMPLES = """\
  pydeeplab convert_imageset -resize_height 256 -resize_width 256 -shuffle photos/ train.txt train_lmdb
  pydeeplab convert_imageset -gray -encoded -encode_type png digits/ labels.txt digits_lmdb
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("root", metavar="ROOTFOLDER", help="put before each image path as it is")
    parser.add_argument("list", metavar="LISTFILE", help="an image path and a label per line")
    parser.add_argument("database", metavar="DB_NAME", help="the database to make; must not exist")
    parser.add_argument("--gray", action="store_true", help="read images as grey")
    parser.add_argument("--shuffle", action="store_true", help="shuffle the images first")
    parser.add_argument("--seed", type=int, help="seed of --shuffle (default: another one each time)")
    parser.add_argument("--backend", default="lmdb", help="kind of the database: lmdb")
    parser.add_argument("--resize-width", type=int, default=0, metavar="PIXELS", help="resize images to this width")
    parser.add_argument("--resize-height", type=int, default=0, metavar="PIXELS", help="resize images to this height")
    parser.add_argument("--check-size", action="store_true", help="fail if images differ in size")
    parser.add_argument("--encoded", action="store_true", help="store compressed pictures instead of pixels")
    add_quiet_argument(parser, "no progress, name only what is left out")
    parser.add_argument("--encode-type", default="", metavar="TYPE", help="png, jpg, ...; default: each file's own")


def _compressed(path: Path, args: argparse.Namespace) -> bytes | None:
    """The bytes to store for --encoded, or None where pixels are stored.

    A file of the right type and colours that is not resized goes in byte by byte.
    """
    kind = (args.encode_type or path.suffix[1:] if args.encoded else args.encode_type).lower().lstrip(".")
    if not kind:
        return None
    if f".{kind}" not in Image.registered_extensions():
        raise UsageError(f"-encode_type '{kind}' is no picture format that can be written; use png or jpg")
    same_type = path.suffix.lower() in ({".jpg", ".jpeg"} if kind in ("jpg", "jpeg") else {f".{kind}"})
    if same_type and not args.resize_height:
        with Image.open(path) as picture:
            if (picture.mode in ("L", "1")) == args.gray:
                return path.read_bytes()
    buffer = io.BytesIO()
    Image.fromarray(_pixels(path, args)).save(
        buffer, Image.registered_extensions()[f".{kind}"], **({"quality": 95} if kind in ("jpg", "jpeg") else {})
    )
    return buffer.getvalue()


def _pixels(path: Path, args: argparse.Namespace) -> NDArray[np.uint8]:
    image = read_image(path, args.gray)
    return resize(image, args.resize_height, args.resize_width) if args.resize_height else image


def _datum(path: Path, label: int, args: argparse.Namespace) -> Any:
    encoded = _compressed(path, args)
    if encoded is not None:
        read_image(path)
        return caffe_pb2.Datum(data=encoded, label=label, encoded=True)
    planes = np.atleast_3d(_pixels(path, args))[:, :, ::-1].transpose(2, 0, 1)
    return array_to_datum(np.ascontiguousarray(planes), label)


def _entries(args: argparse.Namespace) -> list[tuple[str, int]]:
    """Image paths below the root, and labels."""
    listed = ImageList(args.list, label_is_path=False, split_last=True)
    entries = []
    for entry in listed:
        try:
            entries.append((entry.image, int(entry.label or "")))
        except ValueError:
            raise DataError(
                f"{listed.where(entry)}: expected an image path and a whole number, got label '{entry.label or ''}'"
            ) from None
    if args.shuffle:
        order = np.random.default_rng(args.seed).permutation(len(entries))
        entries = [entries[i] for i in order]
        if not args.quiet:
            print("Shuffling data")
    return entries


def run(args: argparse.Namespace) -> int:
    """Convert."""
    check_backend(args.backend, "use")
    if bool(args.resize_height) != bool(args.resize_width) or min(args.resize_height, args.resize_width) < 0:
        raise UsageError("give both -resize_height and -resize_width, in pixels")
    entries = _entries(args)
    if not args.quiet:
        print(f"A total of {len(entries)} images.")
    lost, size = 0, 0
    watch = Progress(len(entries), "images", quiet=args.quiet)
    with create_database(args.database) as database, watch as progress:
        for number, (name, label) in enumerate(entries):
            progress.advance()
            try:
                datum = _datum(Path(args.root + name), label, args)
            except (DataError, OSError) as error:
                print(f"left out: {error}", file=sys.stderr)
                lost += 1
                continue
            if args.check_size and not datum.encoded:
                size = size or len(datum.data)
                if len(datum.data) != size:
                    raise DataError(
                        f"'{name}' has {len(datum.data)} values, those before it {size}; "
                        "resize them, or omit -check_size"
                    )
            database.put(f"{number:08d}_{name}", datum.SerializeToString())
    if not args.quiet:
        print(f"Processed {len(entries) - lost} files.")
    return 1 if lost else 0
