"""One small good file of every binary format, and what reads it; ways to spoil bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import scipy.io
from hypothesis import strategies as st

from pydeeplab import Net
from pydeeplab.compare import Dump, read_dump, write_dump
from pydeeplab.formats import (
    SolverState,
    read_mean,
    read_solver_state,
    read_weights,
    write_mean,
    write_solver_state,
)
from pydeeplab.formats.mat import read_mat, write_mat
from pydeeplab.proto import parse_binary_net

NET = """name: "n"
layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
layer { name: "c" type: "Convolution" bottom: "d" top: "c"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "c" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 1 } } }
"""
Reader = Callable[[Path], object]
ARRAY = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)


def read_binary_net(path: Path) -> object:
    return parse_binary_net(path.read_bytes(), filename=str(path))


def load(path: Path) -> object:
    """Load weights into a net; a load that fails must leave the net as it was."""
    net = Net.from_text(NET)
    blobs = [blob for layer in net.params.values() for blob in layer]
    before = [blob.data.copy() for blob in blobs]
    try:
        return net.copy_from(path)
    except Exception:
        for blob, values in zip(blobs, before, strict=True):
            np.testing.assert_array_equal(blob.data, values)
        raise


READERS: dict[str, tuple[Reader, ...]] = {
    "w.caffemodel": (load, read_weights, read_binary_net),
    "w.caffemodel.h5": (load,),
    "w.npz": (load,),
    "s.solverstate": (read_solver_state,),
    "s.solverstate.h5": (read_solver_state,),
    "m.binaryproto": (read_mean,),
    "m.npy": (read_mean,),
    "plain.mat": (read_mat,),
    "packed.mat": (read_mat,),
    "old.mat": (lambda path: read_mat(path, "v4"),),
    "dump.npz": (read_dump,),
    "dump.h5": (read_dump,),
}


def write_all(folder: Path) -> dict[str, bytes]:
    """The bytes of a good file of each name of `READERS`."""
    net = Net.from_text(NET)
    for name in ("w.caffemodel", "w.caffemodel.h5", "w.npz"):
        net.save(folder / name)
    state = SolverState(7, 1, "w.caffemodel", [ARRAY[0, 0], np.ones(3, np.float32)])
    for name in ("s.solverstate", "s.solverstate.h5"):
        write_solver_state(folder / name, state)
    for name in ("m.binaryproto", "m.npy"):
        write_mean(folder / name, ARRAY[0])
    write_mat(folder / "plain.mat", ARRAY)
    scipy.io.savemat(folder / "packed.mat", {"first": np.ones(3), "data": ARRAY.T}, do_compression=True)
    scipy.io.savemat(folder / "old.mat", {"v4": ARRAY[0, 0]}, format="4")
    for name in ("dump.npz", "dump.h5"):
        write_dump(folder / name, Dump(inputs={"d": ARRAY}, data={"c": ARRAY[0]}))
    return {name: (folder / name).read_bytes() for name in READERS}


def cuts(data: bytes, most: int = 400) -> Iterator[bytes]:
    """The data cut short after every byte, or after so many evenly spread ones."""
    return (data[:end] for end in range(0, len(data), max(1, len(data) // most)))


@st.composite
def spoiled(draw: st.DrawFn, data: bytes) -> bytes:
    """The data with a few bytes flipped, set, removed or put in."""
    spoilt = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(spoilt) - 1, 0)))
        some = draw(st.binary(min_size=1, max_size=8))
        match draw(st.sampled_from(["flip", "set", "remove", "insert"])):
            case "flip":
                spoilt[at : at + 1] = bytes(byte ^ 1 << some[0] % 8 for byte in spoilt[at : at + 1])
            case "set":
                spoilt[at : at + len(some)] = draw(st.sampled_from([some, b"\x00", b"\x7f", b"\xff" * len(some)]))
            case "remove":
                del spoilt[at : at + len(some)]
            case "insert":
                spoilt[at:at] = some
    return bytes(spoilt)
