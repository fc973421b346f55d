"""Writing files so that a crash or a full disk never leaves half of one."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydeeplab.errors import OutputError

__all__ = ["atomic_path", "check_target", "make_folder", "write_bytes", "write_if_changed", "write_text"]

_ADVICE = {
    errno.ENOSPC: "Free some space, or write elsewhere.",
    errno.EDQUOT: "Free some space, or write elsewhere.",
    errno.EFBIG: "Write to another file system, or raise the limit on file sizes (ulimit -f).",
    errno.EACCES: "Change its permissions, or write elsewhere.",
    errno.EPERM: "Change its permissions, or write elsewhere.",
    errno.EROFS: "Write to another file system.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def _refusal(path: str | os.PathLike[str], error: OSError) -> OutputError:
    why = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or errno.ENOSPC, "Write elsewhere.")
    return OutputError(f"cannot write {os.fspath(path)}: {why}. {advice}")


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder ``path``, made with those above it where there is none.

    Raises
    ------
    OutputError
        It cannot be made, or is a file.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "a file has that name" if isinstance(error, FileExistsError) else os.strerror(error.errno or 0)
        raise OutputError(f"cannot make the folder {folder}: {why}. Name another.") from None
    return folder


def check_target(path: str | os.PathLike[str]) -> Path:
    """The file that writing to ``path`` means, links followed; call it before computing what is to be written.

    Raises
    ------
    OutputError
        The folder does not exist or may not be written to, or the name is a folder's or a protected file's.
    """
    try:
        target = Path(os.path.realpath(path))
        exists, protected = target.exists(), not os.access(target, os.W_OK)
    except ValueError as error:  # a zero byte in the name
        raise OutputError(f"cannot write {os.fspath(path)!r}: {error}. Choose another name.") from None
    except OSError as error:
        raise _refusal(path, error) from error
    name = f"cannot write {os.fspath(path)}"
    if target.is_dir():
        raise OutputError(f"{name}: it is a folder. Name a file within it.")
    if not target.parent.is_dir():
        folder = target.parent if os.path.islink(path) else Path(path).parent
        raise OutputError(f"{name}: there is no folder {folder}. Create it first.")
    if exists and protected:
        raise OutputError(f"{name}: the file is write-protected. Write elsewhere, or unprotect it.")
    if not exists and not os.access(target.parent, os.W_OK):
        raise OutputError(f"{name}: folder {target.parent} is write-protected. Write elsewhere.")
    return target


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; it is renamed to ``path`` when the block ends well, removed when not.

    A link keeps pointing where it points: the file behind it is replaced. The permissions of a file that exists stay.
    What is no file at all, such as /dev/stdout or a pipe, gets the finished contents written to it.

    Raises
    ------
    OutputError
        The folder does not exist or may not be written to, the name is a folder's or a protected file's, or there is
        no room; what stood at ``path`` is untouched.
    """
    target = check_target(path)
    special = target.exists() and not target.is_file()
    try:
        folder = None if special else target.parent
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=f".tmp{target.suffix}", dir=folder)
        os.close(handle)
    except OSError as error:
        raise _refusal(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        if special:
            with temporary.open("rb") as written, target.open("wb") as stream:
                shutil.copyfileobj(written, stream)
        else:
            _finish(temporary, target)
    except OutputError:
        raise
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _finish(temporary: Path, target: Path) -> None:
    """Put the finished file in its place, once it is on the disk."""
    if target.exists():
        mode = target.stat().st_mode & 0o7777
    else:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    temporary.chmod(mode)
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(target)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a whole file atomically; see `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a whole UTF-8 text file atomically; see `atomic_path`.

    Names of files that are no UTF-8, and bytes of prototxts that are none, are written as they were.
    """
    write_bytes(path, text.encode(errors="surrogateescape"))


def write_if_changed(path: str | os.PathLike[str], text: str, *, dry_run: bool = False) -> bool:
    """Write a whole UTF-8 text file, and its folder, unless it says so already; see `atomic_path`.

    With ``dry_run`` nothing is written.

    Returns
    -------
    bool
        Whether the file was, or would have to be, written.
    """
    target = Path(path)
    data = text.encode(errors="surrogateescape")
    try:
        if target.stat().st_size == len(data) and target.read_bytes() == data:
            return False
    except OSError:
        pass
    if not dry_run:
        make_folder(target.parent)
        write_bytes(target, data)
    return True
