"""Running a net in a live Caffe: a pycaffe in a process of its own, whose blobs come back as a dump."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.compare.dump import Dump, dump_script, read_dump
from pydeeplab.errors import DataError, UsageError
from pydeeplab.layer import TRAIN
from pydeeplab.net import Net

__all__ = ["find_pycaffe", "record_live"]

_LINES_SHOWN = 8


def find_pycaffe(path: str | os.PathLike[str]) -> Path:
    """The folder to put on the module path for ``import caffe``: ``path``, or its folder ``python``.

    Raises
    ------
    UsageError
        Neither holds a package or module caffe.
    """
    root = Path(path)
    for folder in (root, root / "python", root.parent if root.name == "caffe" else root):
        if (folder / "caffe" / "__init__.py").is_file() or (folder / "caffe.py").is_file():
            return folder.resolve()
    raise UsageError(
        f"'{root}' holds no pycaffe; give the folder in which the folder caffe with __init__.py lies, such as "
        "~/caffe/python"
    )


def record_live(
    net: Net,
    net_file: str | os.PathLike[str],
    inputs: Mapping[str, NDArray[Any]],
    pycaffe: str | os.PathLike[str],
    *,
    backward: bool = True,
    python: str = sys.executable,
    timeout: float | None = None,
) -> Dump:
    """Run a net in another Caffe and return what its blobs hold.

    Parameters
    ----------
    net : Net
        Ours: its weights and its phase are used.
    net_file : path
        The prototxt to give to Caffe.
    inputs : mapping
        Values of the inputs, by blob name; empty for a net that reads its own data.
    pycaffe : path
        See `find_pycaffe`.
    backward : bool
        Record gradients too.
    python : str
        The Python interpreter to run, for which that pycaffe was built.
    timeout : float, optional
        Seconds after which to give up.

    Raises
    ------
    UsageError
        There is no pycaffe, or no such interpreter.
    DataError
        The run failed; the message ends with what it printed last.
    """
    folder = find_pycaffe(pycaffe)
    with tempfile.TemporaryDirectory(prefix="pydeeplab-compare-") as name:
        work = Path(name)
        script, weights, given, out = (work / n for n in ("record.py", "weights.caffemodel", "inputs.npz", "out.npz"))
        text = dump_script()
        script.write_text(text.replace("caffe.TEST", "caffe.TRAIN") if net.phase == TRAIN else text)
        net.save(weights)
        arrays: Any = dict(inputs)
        np.savez(given, **arrays)
        command = [python, script, net_file, weights, given, out, *(["backward"] if backward else [])]
        _run([os.fspath(word) for word in command], folder, timeout)
        if not out.is_file():
            raise DataError(f"the pycaffe in {folder} ended well, but recorded nothing")
        return read_dump(out)


def _run(command: list[str], folder: Path, timeout: float | None) -> None:
    """Run the recording script with ``folder`` first on the module path."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError(f"there is no Python interpreter '{command[0]}'") from None
    except subprocess.TimeoutExpired:
        raise DataError(f"the pycaffe in {folder} did not finish within {timeout:g} seconds") from None
    if done.returncode:
        how = f"with exit code {done.returncode}" if done.returncode > 0 else f"by signal {-done.returncode}"
        raise DataError(f"the pycaffe in {folder} ended {how}:\n{_last_words(done.stderr or done.stdout)}")


def _last_words(text: str) -> str:
    """The lines that say what went wrong: a failed check of Caffe's if there is one, and the last ones."""
    lines = [line for line in text.splitlines() if line.strip()]
    checks = [line for line in lines[:-_LINES_SHOWN] if "Check failed" in line]
    return "\n".join(f"    {line}" for line in [*checks, *lines[-_LINES_SHOWN:]])
