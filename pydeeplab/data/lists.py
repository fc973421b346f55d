"""List files: one item per line, an image and perhaps its label."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydeeplab.errors import DataError

__all__ = ["ImageList", "ListEntry", "MissingFileError", "read_lines"]


class MissingFileError(DataError):
    """A list, or a file that it names, does not exist: the folder is probably wrong."""


def read_lines(path: str | os.PathLike[str], what: str = "list file") -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers from 1.

    Raises
    ------
    DataError
        The file does not exist, cannot be read, is no text, or holds only blank lines.
    """
    name = os.fspath(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # Windows writes a byte-order mark, which is no name
    except FileNotFoundError:
        raise MissingFileError(f"{what} '{name}' does not exist (looked in {Path.cwd()})") from None
    except IsADirectoryError:
        raise DataError(f"{what} '{name}' is a folder") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{what} '{name}' is no UTF-8 text: {error}") from None
    except OSError as error:
        raise DataError(f"{what} '{name}' cannot be read: {error.strerror}") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"{what} '{name}' is empty; expected one item per line")
    return lines


@dataclass(frozen=True)
class ListEntry:
    """One line: ``image`` (and ``label``, None where the line has none) with the root folder before it."""

    image: str
    label: str | None
    line: int


class ImageList:
    """The items of a list file.

    Parameters
    ----------
    path
        The list. Each line holds an image path and, after white space, perhaps a label: a path or a number.
    root_folder
        Put before each path as it is, with no separator added: public lists begin their paths with ``/``.
    label_is_path
        Whether ``root_folder`` goes before labels too.
    split_last
        Take what follows the line's last space as label, so that image paths may hold spaces (as Caffe's ImageData).

    Raises
    ------
    DataError
        The list cannot be read or is empty.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        root_folder: str = "",
        *,
        label_is_path: bool = True,
        split_last: bool = False,
    ):
        self.path = os.fspath(path)
        self.root_folder = root_folder
        self._entries = []
        for number, line in read_lines(path):
            fields = line.rsplit(None, 1) if split_last else line.split()
            label = fields[1] if len(fields) > 1 else None
            if label is not None and label_is_path:
                label = root_folder + label
            self._entries.append(ListEntry(root_folder + fields[0], label, number))

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> ListEntry:
        return self._entries[index]

    def __iter__(self) -> Iterator[ListEntry]:
        return iter(self._entries)

    @property
    def labelled(self) -> int:
        """The number of entries that have a label."""
        return sum(entry.label is not None for entry in self._entries)

    def where(self, entry: ListEntry) -> str:
        """``list.txt:12``, for messages."""
        return f"{self.path}:{entry.line}"

    def missing(self, *, labels: bool) -> list[tuple[ListEntry, str]]:
        """The files named in the list that do not exist, with their entries; labels too when ``labels``."""
        absent = []
        for entry in self._entries:
            for path in (entry.image, entry.label if labels else None):
                if path is not None and not os.path.exists(path):
                    absent.append((entry, path))
        return absent

    def slash_advice(self, path: str) -> str:
        """What to do about a path that exists only with a slash between root folder and name; empty for others."""
        root, name = self.root_folder, path.removeprefix(self.root_folder)
        if not root or root.endswith("/") or not os.path.exists(os.path.join(root, name)):
            return ""
        return f'The root folder is put before each path as it stands: write root_folder: "{root}/".'
