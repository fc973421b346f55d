"""HDF5Data: batches of rows from HDF5 files."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pydeeplab.backend.room import available_bytes
from pydeeplab.data.lists import MissingFileError, read_lines
from pydeeplab.data.order import Order
from pydeeplab.errors import DataError
from pydeeplab.layer import register
from pydeeplab.layers._batches import Batch, BatchLayer


def _values(path: str, name: str, dataset: Any) -> NDArray[Any]:
    """A dataset as float32, if it is one of numbers and fits in memory."""
    if not isinstance(dataset, h5py.Dataset):
        raise DataError(f"'{path}': '{name}' is a group; a top needs a dataset, with a row for each item")
    if dataset.shape is None or dataset.dtype.kind not in "biuf":
        kind = "nothing" if dataset.shape is None else f"values of type {dataset.dtype}"
        raise DataError(f"'{path}': dataset '{name}' holds {kind}; a top needs whole or floating-point numbers")
    need, have = 4 * dataset.size, available_bytes(swap=True)
    if have is not None and need > have:
        raise DataError(
            f"'{path}': dataset '{name}' of shape {dataset.shape} takes {need / 2**30:.1f} GiB in memory, which has "
            f"{have / 2**30:.1f} GiB left; divide the rows among several files"
        )
    return np.asarray(dataset, np.float32)


@register
class HDF5Data(BatchLayer):
    """Rows of the datasets that are named like the tops, from the files listed in ``hdf5_data_param.source``.

    ``shuffle`` permutes the files in each round and the rows within each file.
    """

    type = "HDF5Data"
    top_count = (1, None)

    def open_source(self) -> None:
        param = self.param.hdf5_data_param
        if self.param.HasField("transform_param"):
            raise self.error("does not transform data; remove transform_param and store the data as the net needs it")
        self.batch_size = self.check_batch_size(int(param.batch_size))
        self.files = [line for _, line in read_lines(param.source, "list of HDF5 files")]
        self._random = self.seed() if param.shuffle else None
        self._file_order = Order(len(self.files), self._random)
        self._loaded = ""
        self._next_file()

    def _next_file(self) -> None:
        self._load(self.files[self._file_order.next()])
        self._row = 0
        self._row_order = list(range(len(self._rows[0])))
        if self._random:
            self._random.shuffle(self._row_order)

    def _load(self, path: str) -> None:
        if path != self._loaded:
            self._rows = self._read(path)
            self._loaded = path

    def _read(self, path: str) -> list[NDArray[Any]]:
        try:
            with h5py.File(path, "r") as file:
                lost = [top for top in self.param.top if top not in file]
                if lost:
                    raise DataError(
                        f"'{path}' has no dataset '{lost[0]}', as a top is called; it has {', '.join(file) or 'none'}"
                    )
                rows = [_values(path, top, file[top]) for top in self.param.top]
        except FileNotFoundError:
            raise MissingFileError(
                f"'{path}', listed in '{self.param.hdf5_data_param.source}', does not exist"
            ) from None
        except (OSError, RuntimeError, KeyError) as error:
            raise DataError(f"'{path}' is no HDF5 file, or damaged: {error}") from None
        counts = {top: array.shape[:1] for top, array in zip(self.param.top, rows, strict=True)}
        if len(set(counts.values())) != 1 or counts[self.param.top[0]] in ((), (0,)):
            text = ", ".join(f"{top} {shape[0] if shape else 'a scalar'}" for top, shape in counts.items())
            raise DataError(f"'{path}': all datasets need the same number of rows, at least one; got {text}")
        return rows

    def plan(self) -> list[tuple[NDArray[Any], ...]]:
        """The next batch's rows, as views on the files' arrays, a tuple for each item."""
        items = []
        for _ in range(self.batch_size):
            row = self._row_order[self._row]
            items.append(tuple(array[row] for array in self._rows))
            for first, here in zip(items[0], items[-1], strict=True):
                if first.shape != here.shape:
                    raise DataError(
                        f"'{self._loaded}' has rows of shape {here.shape}, the file before it {first.shape}"
                    )
            self._row += 1
            if self._row == len(self._row_order):
                self._next_file()
        return items

    def make(self, plan: list[tuple[NDArray[Any], ...]]) -> Batch:
        batch = self.new_batch([(self.batch_size, *row.shape) for row in plan[0]])
        for index, rows in enumerate(plan):
            for target, row in zip(batch.arrays, rows, strict=True):
                target[index] = row
        return batch

    @property
    def position(self) -> dict[str, Any]:
        random = self._random.state if self._random else None
        rows = np.array(self._row_order)
        return {"files": self._file_order.state, "file": self._loaded, "rows": rows, "row": self._row, "random": random}

    @position.setter
    def position(self, saved: dict[str, Any]) -> None:
        self._load(saved["file"])
        if len(saved["rows"]) != len(self._rows[0]):
            raise self.error(
                f"the saved state is of a file of {len(saved['rows'])} rows; '{saved['file']}' has "
                f"{len(self._rows[0])} now",
                DataError,
            )
        self._file_order.state = saved["files"]
        self._row_order, self._row = [int(row) for row in saved["rows"]], int(saved["row"])
        if self._random and saved["random"]:
            self._random.state = saved["random"]
