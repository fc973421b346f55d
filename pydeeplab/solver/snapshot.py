"""Snapshots on disk: weights and solver state as Caffe writes them, and beside them what makes resuming exact.

A snapshot ``P_iter_N`` has up to three files: the weights (.caffemodel), the solver's state (.solverstate), both with
.h5 after it in HDF5, and ``P_iter_N.pydeeplab``, JSON with what Caffe never kept and with checksums. They are written
in the order weights, JSON, solver state, each atomically: where the solver state is, all is.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.errors import PydeeplabError, UsageError, WeightsError
from pydeeplab.files import write_text
from pydeeplab.formats import SolverState, read_solver_state, read_weights, write_solver_state, write_weights
from pydeeplab.net import Net
from pydeeplab.proto import caffe_pb2
from pydeeplab.solver.state import decode, encode

__all__ = ["Snapshot", "find_newest", "is_hdf5", "probe", "read", "remove_leftovers", "write"]

_KIND, _VERSION = "pydeeplab training state", 1
_STATE_NAME = re.compile(r"(.*_iter_(\d+))\.solverstate(\.h5)?$")


@dataclass
class Snapshot:
    """A snapshot as read: ``extra`` is None where only Caffe's two files are there."""

    path: Path
    state: SolverState
    weights: Path
    extra: dict[str, Any] | None = None


def _stem(prefix: str, iteration: int) -> str:
    return f"{prefix}_iter_{iteration}"


def _history_digest(history: Sequence[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in history:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def probe(prefix: str, iteration: int) -> None:
    """Check that snapshots can be written, by writing and removing an empty file.

    Raises
    ------
    UsageError
        There is no prefix, no such folder, or it is not writable.
    """
    if not prefix:
        raise UsageError("snapshots are asked for, but the solver has no snapshot_prefix")
    path = Path(f"{_stem(prefix, iteration)}.tempfile")
    try:
        path.touch()
        path.unlink()
    except FileNotFoundError:
        raise UsageError(
            f"cannot write snapshots to '{prefix}*': there is no folder '{path.parent}' in {Path.cwd()}. Create it "
            f"(mkdir -p '{path.parent}') or change snapshot_prefix."
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot write snapshots to '{prefix}*': {error.strerror}. Make the folder writable or change "
            "snapshot_prefix."
        ) from None


def remove_leftovers(prefix: str) -> None:
    """Remove unfinished files of this prefix that a kill left behind."""
    path = Path(prefix)
    for leftover in path.parent.glob(f".{_escaped(path.name)}_iter_*.tmp*"):
        leftover.unlink(missing_ok=True)


def write(
    prefix: str, net: Net, state: SolverState, extra: dict[str, Any], *, hdf5: bool, diffs: bool
) -> tuple[str, str]:
    """Write a snapshot; returns the names of weights and state. ``state.learned_net`` is filled in."""
    stem, suffix = _stem(prefix, state.iter), ".h5" if hdf5 else ""
    weights, solver = f"{stem}.caffemodel{suffix}", f"{stem}.solverstate{suffix}"
    write_weights(weights, net, format="hdf5" if hdf5 else "caffemodel", diffs=diffs)
    state.learned_net = weights
    record = {
        "kind": _KIND,
        "version": _VERSION,
        "iteration": state.iter,
        "saved": time.time(),
        "weights_sha256": _file_digest(Path(weights)),
        "history_sha256": _history_digest(state.history),
        **extra,
    }
    write_text(f"{stem}.pydeeplab", encode(record))
    write_solver_state(solver, state)
    return weights, solver


def _extra_path(path: Path) -> Path | None:
    match = _STATE_NAME.match(path.name)
    return path.with_name(f"{match[1]}.pydeeplab") if match else None


def _read_extra(path: Path) -> dict[str, Any] | None:
    extra = _extra_path(path)
    if extra is None or not extra.exists():
        return None
    try:
        record = decode(extra.read_text())
        if record["kind"] == _KIND and record["version"] == _VERSION:
            return dict(record)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{extra} is damaged ({error}). Remove it to resume without the exact random state and data position."
        ) from None
    raise WeightsError(f"{extra} was written by another version of pydeeplab; remove it to resume without it.")


def _find_weights(path: Path, learned_net: str) -> Path:
    """The weights of a state: where it says, or beside it under that name, or beside it under its own."""
    match = _STATE_NAME.match(path.name)
    own = [path.with_name(f"{match[1]}.caffemodel{match[3] or ''}")] if match else []
    named = [Path(learned_net), path.parent / Path(learned_net).name] if learned_net else []
    for candidate in (*own, *named) if own and own[0].exists() else (*named, *own):
        if candidate.is_file():
            return candidate
    tried = ", ".join(str(c) for c in (*named, *own)) or "no name is given"
    raise WeightsError(f"{path}: its weights are nowhere to be found (tried {tried})")


def read(path: str | os.PathLike[str]) -> Snapshot:
    """Read a solver state, find its weights and check both against their checksums if these are there.

    Raises
    ------
    WeightsError
        A file is missing or damaged, or the files do not belong together.
    """
    path = Path(path)
    state = read_solver_state(path)
    weights = _find_weights(path, state.learned_net)
    extra = _read_extra(path)
    if extra is not None:
        if extra["iteration"] != state.iter or extra["history_sha256"] != _history_digest(state.history):
            raise WeightsError(f"{path} and {_extra_path(path)} do not belong together, or one is damaged")
        if extra["weights_sha256"] != _file_digest(weights):
            raise WeightsError(f"{path} and {weights} do not belong together, or one is damaged (checksum)")
    return Snapshot(path, state, weights, extra)


def _escaped(name: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", name)


def _saved_at(path: Path) -> float:
    try:
        extra = _read_extra(path)
    except WeightsError:
        extra = None
    return float(extra["saved"]) if extra else path.stat().st_mtime


def find_newest(prefix: str) -> tuple[Snapshot | None, list[str]]:
    """The newest snapshot of a prefix that can be used, and why newer ones cannot."""
    folder, name = Path(prefix).parent, Path(prefix).name
    found = []
    for path in folder.glob(f"{_escaped(name)}_iter_*.solverstate*"):
        match = _STATE_NAME.match(path.name)
        if match and match[1] == f"{name}_iter_{match[2]}":
            found.append((_saved_at(path), int(match[2]), path))
    refused: list[str] = []
    for _, _, path in sorted(found, reverse=True):
        try:
            snapshot = read(path)
            if snapshot.extra is None:
                read_weights(snapshot.weights)
            return snapshot, refused
        except (PydeeplabError, OSError) as error:
            refused.append(str(error))
    return None, refused


def is_hdf5(param: Any) -> bool:
    """Whether a solver asks for HDF5 snapshots."""
    return bool(param.snapshot_format == caffe_pb2.SolverParameter.HDF5)
