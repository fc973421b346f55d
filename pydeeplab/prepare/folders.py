"""The devkit's images below the data root: links, or copies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydeeplab.errors import OutputError
from pydeeplab.files import make_folder

__all__ = ["link_folders"]


def link_folders(folders: Mapping[str, Path], root: Path, *, check: bool) -> list[str]:
    """Make ``root/<name>`` a link to each folder; returns what was (or, with ``check``, would be) changed.

    A folder that is no link stays as it is.

    Raises
    ------
    OutputError
        The link cannot be made.
    """
    changed = []
    for name, target in folders.items():
        link, wanted = root / name, target.resolve()
        if link.is_dir() and (link.resolve() == wanted or not link.is_symlink()):
            continue
        changed.append(f"{link} -> {wanted}")
        if not check:
            make_folder(root)
            _link(link, wanted)
    return changed


def _link(link: Path, target: Path) -> None:
    """Replace whatever link there is at once."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target, target_is_directory=True)
        temporary.replace(link)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"cannot link {link} to {target}: {os.strerror(error.errno or 0)}. Copy the images instead: --copy"
        ) from None
