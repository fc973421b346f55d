"""Data: Datum records from an LMDB database."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.lists import MissingFileError
from pydeeplab.data.transform import Augmenter, Draws
from pydeeplab.errors import DataError, UnsupportedError
from pydeeplab.layer import TRAIN, register
from pydeeplab.layers._batches import Batch, BatchLayer, Shapes
from pydeeplab.proto import caffe_pb2


def import_lmdb() -> Any:
    """The lmdb module; `UnsupportedError` with advice when it is not installed."""
    try:
        import lmdb
    except ImportError:
        raise UnsupportedError(
            "reading LMDB needs the Python package lmdb: pip install 'pydeeplab[lmdb]'. "
            "Or use ImageData or ImageSegData, which read image files"
        ) from None
    return lmdb


_environments: WeakValueDictionary[Path, Any] = WeakValueDictionary()


def _environment(lmdb: Any, path: Path) -> Any:
    """The open database at ``path``: a process may open each one only once, and two nets may read the same."""
    environment = _environments.get(path)
    if environment is None:
        environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False, subdir=path.is_dir())
        _environments[path] = environment
    return environment


def records(path: str) -> Iterator[bytes]:
    """The values of an LMDB database in key order, round and round."""
    lmdb = import_lmdb()
    if not Path(path).exists():
        raise MissingFileError(f"database '{path}' does not exist (looked in {Path.cwd()})")
    try:
        environment = _environment(lmdb, Path(path).resolve())
    except lmdb.Error as error:
        raise DataError(f"'{path}' is no LMDB database: {error}") from None
    with environment.begin(buffers=False) as transaction:
        if not transaction.stat()["entries"]:
            raise DataError(f"database '{path}' is empty")
        while True:
            for _, value in transaction.cursor():
                yield value


def decode_datum(raw: bytes, *, color: bool | None = None) -> tuple[NDArray[Any], int]:
    """The pixels (C, H, W), blue first, and the label of a serialised Datum.

    uint8 for byte data and encoded pictures, float32 for ``float_data``. ``color`` forces 3 channels or 1 on encoded
    pictures.
    """
    from google.protobuf.message import DecodeError
    from PIL import Image, UnidentifiedImageError

    datum = caffe_pb2.Datum()
    try:
        datum.ParseFromString(raw)
    except DecodeError as error:
        raise DataError(f"a record is no Datum: {error}") from None
    if datum.encoded:
        try:
            with Image.open(io.BytesIO(datum.data)) as picture:
                gray = picture.mode in ("L", "1", "I;16") if color is None else not color
                pixels = np.asarray(picture.convert("L" if gray else "RGB"))
        except (UnidentifiedImageError, OSError) as error:
            raise DataError(f"a record's encoded picture cannot be read: {error}") from None
        return np.ascontiguousarray(np.atleast_3d(pixels)[:, :, ::-1].transpose(2, 0, 1)), datum.label
    shape = (datum.channels, datum.height, datum.width)
    values = np.frombuffer(datum.data, np.uint8) if datum.data else np.asarray(datum.float_data, np.float32)
    if values.size != np.prod(shape):
        raise DataError(f"a record holds {values.size} numbers, its shape says {shape} (channels, height, width)")
    return values.reshape(shape), datum.label


@register
class Data(BatchLayer):
    """Images (N, C, h, w) and labels (N) of the Datums in an LMDB database, in key order."""

    type = "Data"
    top_count = (1, 2)

    def open_source(self) -> None:
        param = self.param.data_param
        self.batch_size = self.check_batch_size(int(param.batch_size))
        if param.backend == param.LEVELDB:
            raise UnsupportedError(
                "LEVELDB databases cannot be read (it is also what data_param.backend means when it is not given). "
                "Convert the database to LMDB and write backend: LMDB"
            )
        transform = self.param.transform_param
        color = param.force_encoded_color or transform.force_color
        self._color = True if color else False if transform.force_gray else None
        self._records = records(param.source)
        for _ in range(self.seed().below(int(param.rand_skip)) if param.rand_skip else 0):
            next(self._records)
        first = decode_datum(next(self._records), color=self._color)
        self._first: tuple[NDArray[Any], int] | None = first
        self.augmenter = Augmenter(transform, train=self.phase == TRAIN, channels=len(first[0]), random=self.seed())

    def fixed_shapes(self) -> Shapes | None:
        if self.augmenter.crop is None:
            return None
        return [(self.batch_size, self.augmenter.channels, *self.augmenter.crop), (self.batch_size,)]

    def _next_item(self) -> tuple[NDArray[Any], int, Draws]:
        first, self._first = self._first, None
        pixels, label = first or decode_datum(next(self._records), color=self._color)
        return pixels, label, self.augmenter.draw()

    def load(self) -> Batch:
        data, labels = None, np.empty(self.batch_size, np.float32)
        for index in range(self.batch_size):
            pixels, label, draws = self._next_item()
            if data is None:
                size = self.augmenter.output_size(*pixels.shape[1:])
                data = np.empty((self.batch_size, len(pixels), *size), np.float32)
            self.augmenter.apply_planes(pixels, draws, data[index])
            labels[index] = label
        assert data is not None
        return [data, labels]
