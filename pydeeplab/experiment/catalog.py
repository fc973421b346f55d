"""Finding experiments: those of the paper's tables by name, others by path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydeeplab.errors import UsageError, did_you_mean
from pydeeplab.experiment.declaration import read_experiment
from pydeeplab.experiment.spec import Experiment
from pydeeplab.resources import prototxt_folder

__all__ = ["experiment_names", "find_experiment", "find_experiments"]


def _folder() -> Path | None:
    root = prototxt_folder()
    return root / "experiments" if root is not None and (root / "experiments").is_dir() else None


def experiment_names() -> list[str]:
    """The names of the experiments that come with pydeeplab, such as ``table4/msc_coco``, sorted."""
    folder = _folder()
    if folder is None:
        return []
    return sorted(f.relative_to(folder).with_suffix("").as_posix() for f in folder.rglob("*.toml"))


def find_experiment(name: str | os.PathLike[str]) -> Experiment:
    """Find an experiment by name, or read the file of one's own.

    Parameters
    ----------
    name
        ``table3/aspp_l``, or a path that ends in ``.toml``.

    Raises
    ------
    UsageError
        There is none, or its file makes no sense.

    Examples
    --------
    >>> find_experiment("table3/aspp_l").expected.after_crf
    71.57
    """
    return _find(os.fspath(name), None, ())


def _find(name: str, beside: Path | None, seen: tuple[Path, ...]) -> Experiment:
    folder = _folder()
    known = experiment_names()
    if name.endswith(".toml"):
        path, called = (beside or Path()) / name, Path(name).stem
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
    elif folder is not None and name in known:
        path, called = folder / f"{name}.toml", name
    else:
        raise UsageError(
            f"no experiment '{name}'.{did_you_mean(name, known)} `pydeeplab experiment list` shows all; a file of "
            "your own ends in .toml"
        )
    path = path.resolve()
    if path in seen:
        raise UsageError(f"{path}: its base leads back to itself: {' > '.join(p.stem for p in (*seen, path))}")
    return read_experiment(path, called, lambda base: _find(base, path.parent, (*seen, path)))


def find_experiments(names: Sequence[str]) -> list[Experiment]:
    """Experiments by name, by file, or all of a group: ``table4``; all that there are for no names.

    Raises
    ------
    UsageError
        A name is neither.
    """
    known = experiment_names()
    found: list[str] = []
    for name in names or known:
        group = [n for n in known if n.startswith(f"{name.rstrip('/')}/")]
        found += group or [name]
    return [find_experiment(name) for name in dict.fromkeys(found)]
