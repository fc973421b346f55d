"""Finding the nets and weights that come with pydeeplab, by name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydeeplab.errors import UsageError, did_you_mean

__all__ = ["find_net", "find_weights", "net_names", "prototxt_folder", "weights_folder"]

PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path | None:
    """A folder of the checkout that this package lies in, or the installed copy."""
    checkout = PACKAGE.parent
    candidates = [PACKAGE / "share" / name]
    if (checkout / "setup.py").is_file():
        candidates.insert(0, checkout / name)
    return next((c for c in candidates if c.is_dir()), None)


def prototxt_folder() -> Path | None:
    """The folder of nets, or None where this installation has none."""
    return _folder("prototxt")


def weights_folder() -> Path | None:
    """The folder of weights, or None where this installation has none."""
    return _folder("weights")


def net_names() -> list[str]:
    """The names that `find_net` knows, such as ``voc12/vgg16_largefov``, sorted."""
    root = prototxt_folder()
    if root is None:
        return []
    folders = {f.parent.relative_to(root).as_posix() for f in root.rglob("*.prototxt")}
    return sorted(folders - {"."})


def find_net(name: str | os.PathLike[str], kind: str = "deploy") -> Path:
    """Find a prototxt by path or by name.

    Parameters
    ----------
    name
        A file; a folder that holds ``<kind>.prototxt``; or the name of a net that comes with pydeeplab:
        ``voc12/resnet101_aspp_msc``, with ``/train`` or ``/test.prototxt`` for another file than ``kind``. The
        dataset may be left out where only one has the net.
    kind
        Which file of a folder: ``deploy``, ``train``, ``test``, ``solver``, ``solver2``.

    Raises
    ------
    UsageError
        There is no such file or net; the message offers the nearest name.

    Examples
    --------
    >>> find_net("voc12/vgg16_largefov", "train").name
    'train.prototxt'
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        return _in_folder(path, kind)
    root = prototxt_folder()
    text = path.as_posix()
    if root is None:
        raise UsageError(f"no file '{text}', and this installation has no prototxt folder to look names up in")
    text = text.removesuffix(".prototxt")
    if _is_net(root / text, root):
        return _in_folder(root / text, kind)
    if (root / f"{text}.prototxt").is_file():
        return root / f"{text}.prototxt"
    names = net_names()
    same = [n for n in names if n.endswith(f"/{text}")]
    if len(same) == 1:
        return _in_folder(root / same[0], kind)
    if same:
        raise UsageError(f"net '{text}' exists for several datasets; say which: {', '.join(same)}")
    hint = _hint(text, names)
    raise UsageError(
        f"no file or net '{path.as_posix()}'.{hint} `python -m pydeeplab.networks --list` shows all names."
    )


def find_weights(name: str | os.PathLike[str]) -> Path:
    """Find a weight file by path, or by its name in the weights folder (the suffix may be left out).

    Raises
    ------
    UsageError
        There is no such file; the message offers the nearest name.
    """
    path = Path(name)
    if path.is_file():
        return path
    root = weights_folder()
    files = [f for f in sorted(root.rglob("*")) if f.is_file()] if root else []
    known = {f.relative_to(root).as_posix(): f for f in files if root and f.suffix in (".caffemodel", ".h5", ".npz")}
    text = path.as_posix()
    found = [f for n, f in known.items() if text in (n, n.partition(".")[0], f.name, f.name.partition(".")[0])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"weights '{text}' could be any of {', '.join(f.name for f in found)}; say which")
    raise UsageError(
        f"no weight file '{text}'.{did_you_mean(text, known)} weights/README.md says where weights come from."
    )


def _is_net(folder: Path, root: Path) -> bool:
    """Whether a folder is one of those that `net_names` lists."""
    below = folder != root and folder.is_relative_to(root) and ".." not in folder.relative_to(root).parts
    return below and folder.is_dir() and any(folder.glob("*.prototxt"))


def _in_folder(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.prototxt"
    if path.is_file():
        return path
    there = sorted(f.stem for f in folder.glob("*.prototxt"))
    has = f"it has {', '.join(there)}" if there else "it holds no prototxt"
    raise UsageError(f"net folder {folder} has no {kind}.prototxt; {has}")


def _hint(text: str, names: Iterable[str]) -> str:
    """The nearest name: of the whole, or of the part after the dataset."""
    known = list(names)
    if "/" not in text:
        known = sorted({n.rpartition("/")[2] for n in known})
    stem = text.rpartition("/")
    if stem[2] in ("train", "test", "deploy", "solver", "solver2"):
        return did_you_mean(stem[0], known)
    return did_you_mean(text, known)
