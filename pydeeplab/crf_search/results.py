"""The results of a search on disk: what is counted once is never counted again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from pydeeplab.crf_search.grid import Point
from pydeeplab.crf_search.task import Answer, Sample, Setting
from pydeeplab.errors import DataError, OutputError, UsageError
from pydeeplab.evaluation.confusion import ConfusionMatrix

__all__ = ["Results", "describe"]


def describe(samples: Iterable[Sample], setting: Setting) -> dict[str, Any]:
    """What results belong to: the pictures, the state of their files, and what does not vary in a search."""
    pictures = list(samples)
    digest = hashlib.blake2b(digest_size=16)
    for sample in pictures:
        digest.update(f"{sample.state()};".encode())
    params = setting.params
    return {
        "format": 1,
        "pictures": [sample.name for sample in pictures],
        "files": digest.hexdigest(),
        "classes": setting.classes,
        "ignore": list(setting.ignore),
        "scores": f"{setting.kind} {setting.key or ''}".strip(),
        "positional": [list(params.pos_w), list(params.pos_xy_std)],
        "iterations": params.iterations,
        "normalization": params.normalization,
        "min_probability": params.min_probability,
    }


class Results:
    """Counts by picture and point, in a file of JSON lines: a description first, then an answer per line.

    Parameters
    ----------
    path
        The file; it is made where there is none. Each answer is written at once, so that a search that is stopped goes
        on where it was. A last line that was cut off is dropped.
    description : mapping
        See `describe`.

    Raises
    ------
    UsageError
        The file belongs to another search.
    DataError
        It is something else, or damaged.
    OutputError
        It cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], description: Mapping[str, Any]):
        self.path = os.fspath(path)
        self._classes = int(description["classes"])
        self._ignore = description["ignore"]
        self._counts: dict[Point | None, dict[str, Any]] = {}
        try:
            lines = Path(path).read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        if lines:
            self._compare(self._parsed(lines[0], 1), description)
            for number, line in enumerate(lines[1:], 2):
                self._take(self._parsed(line, number), number)
        self._file = self._open(sum(map(len, lines)))
        if not lines:
            self._write(dict(description))

    def _open(self, size: int) -> IO[bytes]:
        """The file, ready for what comes after its whole lines."""
        try:
            file = open(self.path, "ab")  # noqa: SIM115
            file.truncate(size)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {os.strerror(error.errno or 0)}. Write elsewhere.") from None
        return file

    def close(self) -> None:
        """Nothing more will be added."""
        self._file.close()

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise DataError(
                f"{self.path}:{number}: is no line of a search's results; name another folder, or --restart"
            )
        return found

    def _compare(self, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        names = {"files": "the images, scores or label maps (they were changed since)"}
        other = [names.get(k, k) for k in wanted if found.get(k) != wanted[k]]
        if other:
            raise UsageError(
                f"{self.path} belongs to another search: it differs in {', '.join(other)}. Name another folder "
                "(--out), or begin anew: --restart"
            )

    def _take(self, line: Mapping[str, Any], number: int) -> None:
        try:
            point = line["point"] if line["point"] is None else tuple(float(v) for v in line["point"])
            cells = np.asarray(line["cells"], np.int64).reshape(-1, 3)
            in_range = (cells >= 0).all() and (cells[:, :2] < self._classes).all()
            if not in_range or (point is not None and len(point) != 3) or not isinstance(line["picture"], str):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            raise DataError(f"{self.path}:{number}: is no result; name another folder, or --restart") from None
        self._counts.setdefault(point, {})[line["picture"]] = cells

    def add(self, answer: Answer) -> None:
        """Keep an answer, and write it."""
        for point, cells in answer.cells:
            line = {"picture": answer.name, "point": point, "cells": cells}
            self._take(line, 0)
            self._write(line)

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {os.strerror(error.errno or 0)}. Make room.") from None

    def has(self, name: str, point: Point | None) -> bool:
        """Whether a picture has been counted at a point."""
        return name in self._counts.get(point, {})

    def matrix(self, point: Point | None, names: Iterable[str]) -> ConfusionMatrix:
        """The counts of some pictures together at a point."""
        matrix = ConfusionMatrix(self._classes, self._ignore)
        found = self._counts[point]
        for name in names:
            cells = found[name]
            np.add.at(matrix.counts, (cells[:, 0], cells[:, 1]), cells[:, 2])
        return matrix
