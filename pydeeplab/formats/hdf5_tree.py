"""HDF5 files without surprises.

Reading trusts no file: no loops, no other files, no values that are not there. Writing leaves whole files or none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py

from pydeeplab.errors import PydeeplabError
from pydeeplab.files import atomic_path
from pydeeplab.formats.sniff import damaged

__all__ = ["hdf5_array", "hdf5_children", "hdf5_errors", "new_hdf5"]

_MOST_DEFLATED = 1032
"""How many bytes one byte of deflated data can stand for at most."""


@contextmanager
def new_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """A file to fill; it takes the place of ``path`` when the block ends well. See `pydeeplab.files.atomic_path`.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            with h5py.File(temporary, "w") as file:
                yield file
        except RuntimeError as error:  # what the last flush of a full disk gives
            number = re.search(r"errno = (\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


@contextmanager
def hdf5_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what h5py raises for a damaged file, which has many types, into a `WeightsError` naming it."""
    try:
        yield
    except (PydeeplabError, MemoryError):
        raise
    except Exception as error:
        raise damaged(path, f"is a damaged HDF5 file ({error})") from error


def hdf5_children(group: h5py.Group, visited: set[int]) -> Iterator[tuple[str, Any]]:
    """The groups and datasets in a group, with their names.

    Parameters
    ----------
    group
    visited : set of int
        Addresses of all that has been seen in this file; what is found is added.

    Raises
    ------
    ValueError
        The file is no tree: something is a link to another place or file, or stands in two places.
    """
    for key in group:
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ValueError(f"'{key}' in {group.name} is a link to another place")
        item = group[key]
        address = int(h5py.h5o.get_info(item.id).addr)
        if address in visited:
            raise ValueError(f"{item.name} stands in two places")
        visited.add(address)
        yield key, item


def hdf5_array(dataset: Any) -> Any:
    """The values of a dataset.

    Raises
    ------
    ValueError
        It is none, its values are in other files, or it announces more of them than the file holds.
    """
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{dataset.name} is no array")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"the values of {dataset.name} are in other files")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > _MOST_DEFLATED * stored:
        raise ValueError(f"{dataset.name} announces {dataset.nbytes} bytes of values, but there are {stored}")
    return dataset[()]
