"""Telling files apart by their first bytes, and naming what people hand in by mistake."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from pydeeplab.errors import WeightsError

__all__ = ["damaged", "identify"]

_AGAIN = "Copy or download it again, and compare its size or checksum with the source."

_KNOWN = [
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x93NUMPY", "npy"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "torch"),
]

_FOREIGN = [
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Fetch the file with `git lfs pull`."),
    (b"\x1f\x8b", "compressed by gzip", "Unpack it first: gunzip, or tar -xzf."),
    (b"BZh", "compressed by bzip2", "Unpack it first: bunzip2, or tar -xjf."),
    (b"\xfd7zXZ", "compressed by xz", "Unpack it first: unxz, or tar -xJf."),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it first."),
    (b"Rar!", "a RAR archive", "Unpack it first."),
    (b"\x80\x02", "a Python pickle", "Save the arrays with numpy.savez(**{'layer/0': ...})."),
    (b"\x80\x03", "a Python pickle", "Save the arrays with numpy.savez(**{'layer/0': ...})."),
    (b"\x80\x04", "a Python pickle", "Save the arrays with numpy.savez(**{'layer/0': ...})."),
    (b"MATLAB 5.0", "a MATLAB file", "Weights are read from .caffemodel, .caffemodel.h5 and .npz."),
    (b"\x89PNG", "a PNG image", "Give the weight file instead."),
    (b"\xff\xd8\xff", "a JPEG image", "Give the weight file instead."),
]

_TEXT = b"\t\n\f\r" + bytes(range(32, 256))

_WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml")


def damaged(path: str | os.PathLike[str], what: str, advice: str = _AGAIN) -> WeightsError:
    """The error for a file that cannot be what it should be: says what was found, and what to do."""
    return WeightsError(f"{os.fspath(path)} {what}. {advice}")


def identify(path: str | os.PathLike[str]) -> str:
    """Tell the kind of a file from its contents.

    Parameters
    ----------
    path : path
        An existing file.

    Returns
    -------
    str
        "hdf5", "zip" (which .npz and PyTorch's .pth are), "npy", "torch" (a .pth from before PyTorch 1.6),
        "safetensors", or "binary": none of these, presumably a protobuf message.

    Raises
    ------
    WeightsError
        The file does not exist or may not be read, is empty, a folder, a device, a Git LFS pointer, a web page, text,
        or compressed.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise damaged(path, "is a folder, not a file", "Name the file within it.")
        if file.exists() and not file.is_file():
            raise damaged(path, "is a pipe or a device, not a file", "Save what comes out of it as a file first.")
        with file.open("rb") as stream:
            head = stream.read(1024)
    except FileNotFoundError:
        raise WeightsError(f"{os.fspath(path)} does not exist{_beside(file)}") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise WeightsError(f"{os.fspath(path)!r} cannot be read: {why}. Check its name and permissions.") from None
    if not head:
        raise damaged(path, "is empty (0 bytes)")
    for signature, kind in _KNOWN:
        if head.startswith(signature):
            return kind
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= file.stat().st_size - 8:
        return "safetensors"
    for signature, what, advice in _FOREIGN:
        if head.startswith(signature):
            raise damaged(path, f"is {what}", advice)
    if head[257:262] == b"ustar":
        raise damaged(path, "is a tar archive", "Unpack it first: tar -xf.")
    if head.lstrip().lower().startswith(_WEB_PAGE):
        raise damaged(
            path, "is a web page, not weights", "The download link has expired or asked something: use a browser."
        )
    if _is_text(head):
        raise damaged(path, "is text, such as a prototxt", "Give the binary file (.caffemodel, .solverstate) instead.")
    return "binary"


def _is_text(head: bytes) -> bool:
    """Whether these first bytes of a file are UTF-8 without control characters."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return not head.translate(None, _TEXT)


def _beside(file: Path) -> str:
    """Other weight files in the folder of a missing one, for its message."""
    if not file.parent.is_dir():
        return f": there is no folder {file.parent}"
    found = sorted(p.name for p in file.parent.iterdir() if p.suffix in (".caffemodel", ".h5", ".npz", ".solverstate"))
    return f"; in its folder: {', '.join(found[:5])}{', ...' if len(found) > 5 else ''}" if found else ""
