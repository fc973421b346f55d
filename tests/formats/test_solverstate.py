"""Solver states, binary and HDF5."""

import contextlib

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pydeeplab.errors import WeightsError
from pydeeplab.formats import SolverState, read_solver_state, save_weights, write_solver_state
from pydeeplab.proto import caffe_pb2

from .support import counted, layer, same_bits, weights

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HISTORY = st.lists(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=4, max_side=3), elements=st.floats(width=32)),
    max_size=12,
)
STATES = st.builds(
    SolverState,
    iter=st.integers(0, 2**31 - 1),
    current_step=st.integers(0, 2**31 - 1),
    learned_net=st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=40),
    history=HISTORY,
)


@pytest.mark.parametrize("suffix", ["solverstate", "solverstate.h5"])
@QUICK
@given(state=STATES)
def test_round_trip(tmp_path, suffix, state):
    path = tmp_path / f"x.{suffix}"
    write_solver_state(path, state)
    back = read_solver_state(path)
    assert (back.iter, back.current_step, back.learned_net) == (state.iter, state.current_step, state.learned_net)
    assert len(back.history) == len(state.history)
    assert all(same_bits(a, b) for a, b in zip(back.history, state.history, strict=True))


def test_protobuf_reads_what_is_written(tmp_path):
    write_solver_state(tmp_path / "x.solverstate", SolverState(7, 2, "net.caffemodel", [counted(2, 3), np.float64(5)]))
    message = caffe_pb2.SolverState.FromString((tmp_path / "x.solverstate").read_bytes())
    assert (message.iter, message.current_step, message.learned_net) == (7, 2, "net.caffemodel")
    assert list(message.history[0].shape.dim) == [2, 3]
    assert list(message.history[0].data) == [1, 2, 3, 4, 5, 6]
    assert list(message.history[1].double_data) == [5]


def test_hdf5_is_laid_out_as_caffe_does(tmp_path):
    path = tmp_path / "x.solverstate.h5"
    write_solver_state(path, SolverState(7, 2, "net.h5", [counted(2, 3)]))
    with h5py.File(path) as file:
        assert file["iter"].shape == file["current_step"].shape == (1,)
        assert file["iter"].dtype == np.int32
        kind = file["learned_net"].id.get_type()
        assert kind.get_size() == len("net.h5") + 1  # room for the zero byte that Caffe relies on
        assert kind.get_strpad() == h5py.h5t.STR_NULLTERM
        assert file["history/0"].shape == (2, 3)


def test_history_is_in_numeric_order(tmp_path):
    path = tmp_path / "x.solverstate.h5"
    write_solver_state(path, SolverState(1, history=[np.full(1, i, np.float32) for i in range(12)]))
    assert [int(h[0]) for h in read_solver_state(path).history] == list(range(12))


def test_optional_fields_may_be_absent(tmp_path):
    (tmp_path / "x").write_bytes(caffe_pb2.SolverState(iter=3).SerializeToString())
    assert read_solver_state(tmp_path / "x") == SolverState(3, 0, "", [])
    with h5py.File(tmp_path / "y", "w") as file:
        file["iter"] = 3
        file.create_group("history")
    assert read_solver_state(tmp_path / "y") == SolverState(3, 0, "", [])


def test_truncated_states_say_how_far_they_go(tmp_path):
    path = tmp_path / "x.solverstate"
    write_solver_state(path, SolverState(9, 1, "net.caffemodel", [counted(10), counted(10)]))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(WeightsError, match=r"damaged .*read until there: iteration 9, 1 history blobs"):
        read_solver_state(path)
    path.write_bytes(b"\x22\x05")
    with pytest.raises(WeightsError, match="nothing usable"):
        read_solver_state(path)
    path.write_bytes(caffe_pb2.SolverState(learned_net="x").SerializeToString())
    with pytest.raises(WeightsError, match="it has no iteration"):
        read_solver_state(path)


@QUICK
@given(data=st.binary(min_size=1, max_size=200))
def test_garbage_is_refused_or_read(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with contextlib.suppress(WeightsError):
        assert read_solver_state(tmp_path / "x").iter >= 0


@pytest.mark.parametrize("suffix", ["caffemodel", "caffemodel.h5", "npz"])
def test_weights_are_told_apart(tmp_path, suffix):
    save_weights(tmp_path / f"x.{suffix}", weights(layer("a", "Scale", (2,))))
    with pytest.raises(WeightsError, match=r"weights, not a solver state|caffemodel\?|is no solver state"):
        read_solver_state(tmp_path / f"x.{suffix}")


def test_a_gap_in_the_history_is_noticed(tmp_path):
    path = tmp_path / "x.solverstate.h5"
    write_solver_state(path, SolverState(1, history=[counted(1)] * 3))
    with h5py.File(path, "a") as file:
        file.move("history/1", "history/7")
    with pytest.raises(WeightsError, match="lacks history blob 1 of 3"):
        read_solver_state(path)


def test_a_truncated_hdf5_state_is_noticed(tmp_path):
    path = tmp_path / "x.solverstate.h5"
    write_solver_state(path, SolverState(1, history=[counted(1000)]))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged HDF5"):
        read_solver_state(path)
