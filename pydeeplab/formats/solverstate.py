"""Solver states, .solverstate and .solverstate.h5: where training stopped, and the update rule's history."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pydeeplab.formats.blobproto import encode_blob, parse_blob, read_file, write_message
from pydeeplab.formats.hdf5_tree import hdf5_array, hdf5_children, hdf5_errors, new_hdf5
from pydeeplab.formats.sniff import damaged, identify
from pydeeplab.formats.weights import as_real
from pydeeplab.proto import wire

__all__ = ["SolverState", "read_solver_state", "write_solver_state"]

_ITER, _LEARNED_NET, _HISTORY, _CURRENT_STEP = 1, 2, 3, 4


@dataclass
class SolverState:
    """The state of a solver.

    Attributes
    ----------
    iter : int
        Completed updates.
    current_step : int
        Steps of the multistep learning-rate policy that have been taken.
    learned_net : str
        The weights that belong to it, as written: relative to the working folder of that time. May be empty.
    history : list of ndarray
        float32 or float64, in the order of the learnable parameters; Adam and AdaDelta have all their first moments
        and then all their second ones. Files of the V1 age give four axes, padded on the left with ones: compare
        numbers of elements, not shapes.
    """

    iter: int
    current_step: int = 0
    learned_net: str = ""
    history: list[NDArray[Any]] = field(default_factory=list)


def read_solver_state(path: str | os.PathLike[str]) -> SolverState:
    """Read a .solverstate or .solverstate.h5, told apart by content.

    Raises
    ------
    WeightsError
        The file is missing, damaged, or something else, such as the weights.
    """
    kind = identify(path)
    if kind == "hdf5":
        return _read_hdf5(path)
    if kind == "binary":
        return _read_binary(path)
    raise damaged(path, "is no solver state", "Give the .solverstate or .solverstate.h5 of a snapshot.")


def _read_binary(path: str | os.PathLike[str]) -> SolverState:
    state = SolverState(-1)
    buffer = read_file(path)
    try:
        for number, value in wire.fields(buffer):
            if number == _ITER and isinstance(value, int):
                state.iter = wire.signed(value)
            elif number == _CURRENT_STEP and isinstance(value, int):
                state.current_step = wire.signed(value)
            elif number == _LEARNED_NET and isinstance(value, memoryview):
                state.learned_net = bytes(value).decode(errors="replace")
            elif number == _HISTORY and isinstance(value, memoryview):
                state.history.append(parse_blob(value).data)
            else:
                raise wire.WireError(f"field {number} is not one of a solver state's; is this the .caffemodel?")
    except wire.WireError as error:
        found = f"iteration {state.iter}, {len(state.history)} history blobs" if state.iter >= 0 else "nothing usable"
        raise damaged(
            path, f"is a damaged solver state, or something else ({error}; read until there: {found})"
        ) from error
    if state.iter < 0:
        raise damaged(path, "is no solver state: it has no iteration", "Give the .solverstate of a snapshot.")
    return state


def _read_hdf5(path: str | os.PathLike[str]) -> SolverState:
    with hdf5_errors(path), h5py.File(path, "r") as file:
        history = file.get("history")
        if "iter" not in file or not isinstance(history, h5py.Group):
            what = "holds weights, not a solver state" if "data" in file else "is no solver state (no iter or history)"
            raise damaged(path, what, "Give the .solverstate.h5 of the snapshot.")
        stored = dict(hdf5_children(history, set()))
        missing = [i for i in range(len(stored)) if str(i) not in stored]
        if missing:
            raise damaged(path, f"lacks history blob {missing[0]} of {len(stored)}")
        learned_net = hdf5_array(file["learned_net"]) if "learned_net" in file else b""
        return SolverState(
            _integer(file["iter"]),
            _integer(file["current_step"]) if "current_step" in file else 0,
            learned_net.decode(errors="replace") if isinstance(learned_net, bytes) else str(learned_net),
            [as_real(hdf5_array(stored[str(i)]), f"{os.fspath(path)}: history/{i}") for i in range(len(stored))],
        )


def _integer(dataset: h5py.Dataset) -> int:
    return int(np.asarray(hdf5_array(dataset)).reshape(-1)[0])


def write_solver_state(path: str | os.PathLike[str], state: SolverState) -> None:
    """Write a solver state that Caffe reads: HDF5 if the name ends in ``.h5``, else binary."""
    history = [as_real(array, f"history blob {i}") for i, array in enumerate(state.history)]
    if os.fspath(path).endswith(".h5"):
        _write_hdf5(path, state, history)
        return
    pieces = wire.number(_ITER, state.iter)
    if state.learned_net:
        pieces += wire.text(_LEARNED_NET, state.learned_net)
    for array in history:
        pieces += wire.nested(_HISTORY, encode_blob(array))
    pieces += wire.number(_CURRENT_STEP, state.current_step)
    write_message(path, pieces, "a .solverstate.h5 (snapshot_format: HDF5)")


def _write_hdf5(path: str | os.PathLike[str], state: SolverState, history: list[NDArray[Any]]) -> None:
    with new_hdf5(path) as file:
        file.create_dataset("iter", data=np.array([state.iter], np.int32))
        file.create_dataset("current_step", data=np.array([state.current_step], np.int32))
        if state.learned_net:
            _write_c_string(file, "learned_net", state.learned_net.encode())
        group = file.create_group("history")
        for i, array in enumerate(history):
            group.create_dataset(str(i), data=array)


def _write_c_string(file: h5py.File, name: str, text: bytes) -> None:
    """A string as the HDF5 C interface writes it: Caffe relies on the zero byte at its end."""
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(text) + 1)
    kind.set_strpad(h5py.h5t.STR_NULLTERM)
    dataset = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(text + b"\0", f"S{len(text) + 1}"), mtype=kind)
