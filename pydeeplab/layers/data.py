"""Data: Datum records from an LMDB database."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.lists import MissingFileError
from pydeeplab.data.transform import Augmenter, Draws
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError, UnsupportedError
from pydeeplab.layer import TRAIN, register
from pydeeplab.layers._pictures import PictureBatch, PictureLayer, Shapes
from pydeeplab.proto import caffe_pb2
from pydeeplab.randomness import data_seeds


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


class Records:
    """The values of an LMDB database in key order, round and round.

    Raises
    ------
    UnsupportedError
        The package lmdb is not installed.
    DataError
        There is no such database, or it is empty.
    """

    def __init__(self, path: str):
        lmdb = import_lmdb()
        if not Path(path).exists():
            raise MissingFileError(f"database '{path}' does not exist (looked in {Path.cwd()})")
        try:
            self._environment = _environment(lmdb, Path(path).resolve())
        except lmdb.Error as error:
            raise DataError(f"'{path}' is no LMDB database: {error}") from None
        self._transaction = self._environment.begin(buffers=False)
        if not self._transaction.stat()["entries"]:
            raise DataError(f"database '{path}' is empty")
        self._cursor = self._transaction.cursor()
        self._cursor.first()
        self._path = path

    def next(self) -> bytes:
        """The next record."""
        value: bytes = self._cursor.value()
        if not self._cursor.next():
            self._cursor.first()
        return value

    @property
    def key(self) -> bytes:
        """The next record's key; may be set to go there."""
        key: bytes = self._cursor.key()
        return key

    @key.setter
    def key(self, key: bytes) -> None:
        if not self._cursor.set_key(key):
            raise DataError(f"database '{self._path}' has no record '{key.decode(errors='replace')}' any more")


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
class Data(PictureLayer):
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
        self._records = Records(param.source)
        for _ in range(data_seeds().below(int(param.rand_skip)) if param.rand_skip else 0):
            self._records.next()
        here = self._records.key
        pixels, _ = decode_datum(self._records.next(), color=self._color)
        self._records.key = here
        self.augmenter = Augmenter(
            transform,
            train=self.phase == TRAIN,
            channels=len(pixels),
            random=Twister(0),
            backend=self.pixel_backend,
        )

    def fixed_shapes(self) -> Shapes | None:
        return self._shapes(*self.augmenter.crop) if self.augmenter.crop else None

    def _shapes(self, height: int, width: int) -> Shapes:
        return [(self.batch_size, self.augmenter.channels, height, width), (self.batch_size,)]

    def plan(self) -> list[tuple[bytes, Draws]]:
        """The next batch's records, with their random numbers."""
        return [(self._records.next(), self.augmenter.draw()) for _ in range(self.batch_size)]

    @property
    def position(self) -> dict[str, Any]:
        return {"key": self._records.key.hex(), "draws": self.augmenter.random.state}

    @position.setter
    def position(self, saved: dict[str, Any]) -> None:
        self._records.key = bytes.fromhex(str(saved["key"]))
        self.augmenter.random.state = saved["draws"]

    def make(self, plan: list[tuple[bytes, Draws]]) -> PictureBatch:
        batch: PictureBatch | None = None
        for index, (record, draws) in enumerate(plan):
            pixels, label = decode_datum(record, color=self._color)
            if batch is None:
                batch = self.new_batch(self._shapes(*self.augmenter.output_size(*pixels.shape[1:])))
            batch.put(index, self.augmenter.window_of_planes(pixels, draws, batch.size))
            batch.arrays[1][index] = label
        assert batch is not None
        return batch
