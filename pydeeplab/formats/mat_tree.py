"""MATLAB's structs, as the annotations of data sets are stored in them.

What a file announces is compared with the bytes that there are before it is believed (see `mat_reader`), and only what
is asked for is read.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import DataError, did_you_mean
from pydeeplab.formats.mat_reader import (
    NUMERIC_CLASSES,
    OTHER_CLASSES,
    MatError,
    byte_order,
    matrices,
    read_element,
    read_head,
    read_values,
)

__all__ = ["MatFields", "MatNode", "open_mat"]

_STRUCT, _CHAR = 2, 4
_COMPLEX, _MATRIX, _INT32 = 0x800, 14, 5
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}


def open_mat(path: str | os.PathLike[str]) -> dict[str, MatNode]:
    """The variables of a .mat file of version 5 to 7, by name.

    Raises
    ------
    DataError
        The file does not exist, is no .mat file, or is damaged.

    Examples
    --------
    >>> import scipy.io
    >>> scipy.io.savemat("a.mat", {"GTcls": {"Segmentation": np.eye(2, dtype=np.uint8)}})
    >>> open_mat("a.mat")["GTcls"]["Segmentation"].array().tolist()
    [[1, 0], [0, 1]]
    """
    name = os.fspath(path)
    try:
        buffer = memoryview(Path(path).read_bytes())
        order = byte_order(buffer)
        nodes = {}
        for head, body in matrices(buffer, order):
            label = read_head(head, order)[2]
            nodes[label] = MatNode(name, label, body(), order)
        return nodes
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from None
    except MatError as error:
        raise DataError(f"{name}: cannot be read as a .mat file: {error}") from None


class MatFields(dict[str, "MatNode"]):
    """The fields of one struct by name; asking for one that it lacks is a `DataError`."""

    def __init__(self, file: str, place: str, fields: Iterable[tuple[str, MatNode]]):
        super().__init__(fields)
        self._file, self._place = file, place

    def __missing__(self, field: str) -> MatNode:
        fields = ", ".join(self) or "none"
        raise DataError(
            f"{self._file}: {self._place} has no field '{field}', only {fields}.{did_you_mean(field, self)}"
        )


@dataclass(frozen=True)
class MatNode:
    """One matrix of a file: numbers, text or structs.

    Attributes
    ----------
    file : str
        The file, for messages.
    place : str
        Where in the file: ``anno.objects(2).parts``.
    """

    file: str
    place: str
    _body: memoryview
    _order: str

    def _error(self, expected: str, got: str) -> DataError:
        return DataError(f"{self.file}: {self.place} must be {expected}, got {got}")

    @cached_property
    def _head(self) -> tuple[int, tuple[int, ...], str, int]:
        if not len(self._body):  # an empty matrix may be written as nothing at all
            return 6, (0, 0), "", 0
        try:
            return read_head(self._body, self._order)
        except MatError as error:
            raise DataError(f"{self.file}: {self.place} is damaged: {error}") from None

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns, and what follows."""
        return self._head[1]

    @property
    def kind(self) -> str:
        """What it is, in words."""
        word = self._head[0]
        size = " x ".join(map(str, self.shape))
        if word & 0xFF in NUMERIC_CLASSES:
            return f"{size} {'complex ' if word & _COMPLEX else ''}numbers"
        return f"{OTHER_CLASSES.get(word & 0xFF, 'something else')} of size {size}"

    @property
    def empty(self) -> bool:
        """Whether it has no elements."""
        return 0 in self.shape

    def array(self) -> NDArray[Any]:
        """Its numbers, in MATLAB's shape; `DataError` if it holds something else."""
        word, shape, _, at = self._head
        if self.empty:
            return np.zeros((0, 0))
        dtype = NUMERIC_CLASSES.get(word & 0xFF)
        if dtype is None or word & _COMPLEX:
            raise self._error("an array of real numbers", self.kind)
        try:
            return read_values(self.place, shape, dtype, self._body, at, self._order)
        except MatError as error:
            raise DataError(f"{self.file}: {error}") from None

    def number(self) -> float:
        """Its only number; `DataError` if there is not exactly one."""
        array = self.array()
        if array.size != 1:
            raise self._error("one number", self.kind)
        return float(array.item())

    def text(self) -> str:
        """Its text, of one line; `DataError` if it is none."""
        word, _, _, at = self._head
        if word & 0xFF != _CHAR:
            raise self._error("text", self.kind)
        kind, data, _ = self._element(at)
        encoding = _TEXT.get(kind)
        if encoding is None:
            raise self._error("text", f"elements of type {kind}")
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self._order == "<" else "-be"
        return bytes(data).decode(encoding, errors="replace")

    def __getitem__(self, field: str) -> MatNode:
        """A field of a struct of one element; `DataError` if it has none of that name."""
        elements = self.elements()
        if len(elements) != 1:
            raise self._error("one struct", self.kind)
        return elements[0][field]

    def elements(self) -> list[MatFields]:
        """The elements of an array of structs, as fields by name; none of an empty matrix of any kind."""
        word, _, _, at = self._head
        if self.empty:
            return []
        if word & 0xFF != _STRUCT:
            raise self._error("a struct", self.kind)
        kind, data, at = self._element(at)
        if kind != _INT32 or len(data) != 4 or (length := struct.unpack(f"{self._order}i", data)[0]) < 1:
            raise self._error("a struct", "one without field names")
        kind, letters, at = self._element(at)
        names = [
            bytes(letters[i : i + length]).split(b"\0")[0].decode("latin-1") for i in range(0, len(letters), length)
        ]
        count = self._count(len(names))
        children = self._children(at, count * len(names))
        places = [self.place] if count == 1 else [f"{self.place}({i + 1})" for i in range(count)]
        return [
            MatFields(
                self.file,
                place,
                ((name, MatNode(self.file, f"{place}.{name}", next(children), self._order)) for name in names),
            )
            for place in places
        ]

    def _count(self, fields: int) -> int:
        """The number of elements of a struct, if as many fit into the bytes that there are (8 for each field)."""
        count = math.prod(self.shape)
        if min(self.shape, default=-1) < 0 or count * max(fields, 1) * 8 > len(self._body):
            raise self._error("whole", f"{self.kind} in {len(self._body)} bytes")
        return count

    def _element(self, at: int) -> tuple[int, memoryview, int]:
        try:
            return read_element(self._body, at, self._order)
        except MatError as error:
            raise DataError(f"{self.file}: {self.place} is damaged: {error}") from None

    def _children(self, at: int, count: int) -> Iterator[memoryview]:
        """The matrices within it, one behind the other."""
        for _ in range(count):
            kind, data, at = self._element(at)
            if kind != _MATRIX:
                raise self._error("made of matrices", f"an element of type {kind}")
            yield data
