"""LMDB databases of records: reading all once, and writing one that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydeeplab.errors import DataError, UnsupportedError, UsageError

__all__ = ["check_backend", "create_database", "read_database"]

_FIRST_SIZE = 1 << 28
_BATCH, _MOST_BYTES = 1000, 1 << 25


def check_backend(name: str, what: str) -> None:
    """Raise unless ``name`` is lmdb: `UnsupportedError` for leveldb, `UsageError` for anything else."""
    if name == "leveldb":
        raise UnsupportedError(f"LEVELDB is not supported; {what} lmdb, which Caffe reads and writes as well")
    if name != "lmdb":
        raise UsageError(f"unknown database backend '{name}'; {what} lmdb")


def _lmdb() -> Any:
    try:
        import lmdb
    except ImportError:
        raise UnsupportedError("LMDB databases need the Python package lmdb: pip install 'pydeeplab[lmdb]'") from None
    return lmdb


def read_database(path: str | os.PathLike[str]) -> Iterator[tuple[str, bytes]]:
    """All (key, value) pairs of a database in the order of their keys, once.

    Raises
    ------
    UnsupportedError
        The package lmdb is not installed.
    DataError
        There is no such database, or it is damaged or empty.
    """
    lmdb = _lmdb()
    if not Path(path).exists():
        raise DataError(f"database '{path}' does not exist (looked in {Path.cwd()})")
    try:
        environment = lmdb.open(str(path), readonly=True, lock=False, subdir=Path(path).is_dir())
    except lmdb.Error as error:
        raise DataError(f"'{path}' is no LMDB database: {error}") from None
    with environment, environment.begin() as transaction:
        if not transaction.stat()["entries"]:
            raise DataError(f"database '{path}' is empty")
        for key, value in transaction.cursor():
            yield bytes(key).decode("utf-8", "replace"), bytes(value)


class DatabaseWriter:
    """Collects records and writes them by the thousand, growing the database as needed."""

    def __init__(self, lmdb: Any, path: Path):
        self._lmdb = lmdb
        self._size = _FIRST_SIZE
        self._environment = lmdb.open(str(path), map_size=self._size, sync=False, metasync=False)
        self._pending: list[tuple[bytes, bytes]] = []
        self._bytes = 0

    def put(self, key: str, value: bytes) -> None:
        """Add a record."""
        self._pending.append((key.encode(), value))
        self._bytes += len(value)
        if len(self._pending) >= _BATCH or self._bytes >= _MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has been collected."""
        while self._pending:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in self._pending:
                        transaction.put(key, value)
            except self._lmdb.MapFullError:
                self._size *= 2
                self._environment.set_mapsize(self._size)
            else:
                self._pending, self._bytes = [], 0

    def close(self) -> None:
        """Write everything to the disk."""
        self.flush()
        self._environment.sync(True)
        self._environment.close()


@contextmanager
def create_database(path: str | os.PathLike[str]) -> Iterator[DatabaseWriter]:
    """Make a new LMDB database, a folder, which must not exist yet; it appears when the block ends well."""
    lmdb = _lmdb()
    target = Path(path)
    if target.exists():
        raise UsageError(f"'{target}' exists already; remove it, or choose another name")
    if not target.parent.is_dir():
        raise UsageError(f"the folder '{target.parent}' for the database does not exist")
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        writer = DatabaseWriter(lmdb, temporary)
        try:
            yield writer
        finally:
            writer.close()
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o777 & ~mask)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
