"""Recorded forwards: when nets are recorded, when again, and when not at all.

A graph's stand-in calls again what was recorded, so that results are right only where a real graph's would be.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

import pydeeplab
from pydeeplab.backend import get_backend
from pydeeplab.backend.cuda import graph as graphs
from pydeeplab.errors import DeviceError
from pydeeplab.execution import LeanExecution
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.net import Net
from pydeeplab.replay import SWITCH, WARM_UP, Replay, wants_replay
from tests.support.backends import need_backend
from tests.support.kernels import relative_error

NAME = "cuda-emulation"
TEXT = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 9 } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" convolution_param {
  num_output: 4 kernel_size: 3 pad: 2 dilation: 2 engine: CAFFE weight_filler { type: "xavier" } } }
layer { name: "s" type: "Eltwise" bottom: "a" bottom: "b" top: "s" }
"""


class Same(pydeeplab.Layer):
    """A layer that a user might have written."""

    def setup(self, bottom: Any, top: Any) -> None:
        """Nothing to check."""

    def reshape(self, bottom: Any, top: Any) -> None:
        top[0].reshape(*bottom[0].shape)


class Graph:
    """Records by remembering, launches by calling."""

    recorded: ClassVar[int] = 0

    def __init__(self, library: Any):
        self.run: Callable[[], Any] = lambda: None

    def record(self, run: Callable[[], Any]) -> Any:
        Graph.recorded += 1
        self.run = run
        return run()

    def launch(self) -> None:
        self.run()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Net, Replay]]:
    need_backend(NAME)
    monkeypatch.setattr("pydeeplab.net.wants_replay", lambda backend: backend.on_device)
    monkeypatch.setattr("pydeeplab.replay.Graph", Graph)
    monkeypatch.setattr(Graph, "recorded", 0)

    def build(text: str = TEXT, **options: Any) -> tuple[Net, Replay]:
        net = Net.from_text(text, TEST, backend=NAME, keep="outputs", **options)
        assert isinstance(net._execution, LeanExecution)
        assert net._execution.replay
        return net, net._execution.replay

    return build


def inputs(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def check(net: Net, x: np.ndarray) -> None:
    """The net's output is what it is on the CPU with the same weights."""
    plain = Net.from_text(TEXT, TEST, backend="cpu")
    for name, blobs in net.params.items():
        for mine, its in zip(plain.params[name], blobs, strict=True):
            mine.data[...] = its.look()
    plain.blobs["x"].reshape(*x.shape)
    assert relative_error(net.forward(x=x)["s"], plain.forward(x=x)["s"]) <= 1e-4


def test_a_steady_net_is_recorded_once(make: Callable[..., tuple[Net, Replay]]) -> None:
    net, replay = make()
    for seed in range(WARM_UP + 3):
        assert Graph.recorded == (seed > WARM_UP)
        check(net, inputs(2, 3, 9, 9, seed=seed))
    assert (Graph.recorded, replay.replays, replay.reason) == (1, 3, "")


def test_other_shapes_and_parameters_are_recorded_anew(make: Callable[..., tuple[Net, Replay]]) -> None:
    net, replay = make()
    x = inputs(2, 3, 9, 9)
    for _ in range(WARM_UP + 1):
        check(net, x)
    net.blobs["x"].reshape(1, 3, 11, 8)
    other = inputs(1, 3, 11, 8)
    for _ in range(WARM_UP + 2):
        check(net, other)
    assert (Graph.recorded, replay.replays) == (2, 3)
    net.params["bn"][1].data[...] = 3
    net.params["bn"][2].data[...] = 1
    for _ in range(WARM_UP + 1):
        check(net, other)
    assert (Graph.recorded, replay.replays) == (3, 4)


def test_modes_and_moved_memory_are_recorded_anew(make: Callable[..., tuple[Net, Replay]]) -> None:
    net, _ = make()
    backend: Any = get_backend(NAME)

    def steady() -> None:
        for _ in range(WARM_UP + 1):
            net.forward(x=inputs(2, 3, 9, 9))

    steady()
    backend.blas.set_math("tf32")
    steady()
    backend.blas.set_math("strict")
    steady()
    net.workspace.get(10**6)
    steady()
    assert Graph.recorded == 4


def test_what_the_recording_needs_is_held(make: Callable[..., tuple[Net, Replay]]) -> None:
    net, replay = make()
    for _ in range(WARM_UP + 1):
        net.forward(x=inputs(2, 3, 9, 9))
    held = {array.pointer for array in replay._held}
    assert net.workspace.get(0).pointer in held  # type: ignore[attr-defined]
    assert net.blobs["s"].read().pointer in held  # type: ignore[attr-defined]
    assert len(held) >= 3


def test_an_input_that_is_changed_in_place(make: Callable[..., tuple[Net, Replay]]) -> None:
    relu = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 } } }'
    net, replay = make(relu + 'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }')
    for sign in (1, -1, 1, -1, 1):
        given = np.array([1, -2, 3, -4], np.float32) * sign
        np.testing.assert_array_equal(net.forward(x=given)["x"], given.clip(min=0))
    assert replay.replays == 3


def test_what_cannot_be_recorded(make: Callable[..., tuple[Net, Replay]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Graph, run: Callable[[], Any]) -> Any:
        raise DeviceError("copy_to_host failed")

    monkeypatch.setattr(Graph, "record", refuse)
    net, replay = make()
    for seed in range(WARM_UP + 2):
        check(net, inputs(2, 3, 9, 9, seed=seed))
    assert replay.reason == "a layer does what cannot be recorded: copy_to_host failed"
    assert replay.replays == 0


@pytest.mark.parametrize("habit", ["copies", "memory"])
def test_layers_that_copy_or_take_memory(
    make: Callable[..., tuple[Net, Replay]], monkeypatch: pytest.MonkeyPatch, habit: str
) -> None:
    net, replay = make()
    backend: Any = get_backend(NAME)
    forward = net.layer_dict["s"].forward

    def busy(bottom: Any, top: Any) -> None:
        forward(bottom, top)
        if habit == "copies":
            top[0].read().host()
        else:
            backend.empty(3, np.dtype(np.float32))

    monkeypatch.setattr(net.layer_dict["s"], "forward", busy)
    for seed in range(WARM_UP + 2):
        check(net, inputs(2, 3, 9, 9, seed=seed))
    assert replay.reason.startswith("a layer copies")
    assert replay.replays == 0


@pytest.mark.parametrize("kind", ["ImageData", "MemoryData"])
def test_no_data_is_skipped(make: Callable[..., tuple[Net, Replay]], tmp_path: Path, kind: str) -> None:
    """Where a recording is given up, what the forward before it took from its source would be lost."""
    for value in range(9):
        Image.new("L", (2, 2), value).save(tmp_path / f"{value}.png")
    (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/{value}.png 0\n" for value in range(9)))
    param = {
        "ImageData": f'image_data_param {{ source: "{tmp_path}/list.txt" batch_size: 1 is_color: false }}',
        "MemoryData": "memory_data_param { batch_size: 1 channels: 1 height: 2 width: 2 }",
    }[kind]
    net, replay = make(f'layer {{ name: "d" type: "{kind}" top: "data" top: "label" {param} }}')
    if kind == "MemoryData":
        data = np.broadcast_to(np.arange(9, dtype=np.float32)[:, None, None, None], (9, 1, 2, 2)).copy()
        net.set_input_arrays(data, np.zeros(9, np.float32))
    assert [float(net.forward()["data"].max()) for _ in range(9)] == list(range(9))
    assert (Graph.recorded, replay.replays) == (0, 0)
    assert replay.reason == f"a {kind} layer may do something else in every forward"


def test_who_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Named:
        def __init__(self, name: str):
            self.name = name

    def wants(name: str) -> bool:
        return wants_replay(Named(name))  # type: ignore[arg-type]

    assert not wants("cuda")
    monkeypatch.setenv(SWITCH, "1")
    assert (wants("cuda"), wants("cpu"), wants(NAME)) == (True, False, False)


def test_training_nets_and_python_layers_are_not_recorded(make: Callable[..., tuple[Net, Replay]]) -> None:
    training = Net.from_text(TEXT, TRAIN, backend=NAME, keep="outputs")._execution
    assert isinstance(training, LeanExecution)
    assert training.replay is None
    assert not isinstance(Net.from_text(TEXT, TEST, backend=NAME)._execution, LeanExecution)
    python = f'python_param {{ module: "{__name__}" layer: "Same" }}'
    _, replay = make(TEXT + f'layer {{ name: "p" type: "Python" bottom: "s" top: "p" {python} }}')
    assert "Python layer" in replay.reason


class Library:
    """A library whose graphs end or fail as told."""

    def __init__(self, *failing: str):
        self.calls: list[str] = []
        self.failing = failing
        self.functions = self

    def call(self, name: str, *_: Any) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise DeviceError(f"{name} failed")

    def graph_destroy(self, _: Any) -> None:
        self.calls.append("graph_destroy")


def test_a_graph_is_recorded_launched_and_destroyed() -> None:
    library: Any = Library()
    graph = graphs.Graph(library)
    assert graph.record(lambda: library.calls.append("run") or 5) == 5
    graph.launch()
    del graph
    assert library.calls == ["graph_begin", "run", "graph_end", "graph_launch", "graph_destroy"]


@pytest.mark.parametrize("failing", [[], ["graph_end"]])
def test_a_failure_ends_the_recording(failing: list[str]) -> None:
    library: Any = Library(*failing)

    def fail() -> None:
        raise DeviceError("copy_to_host failed")

    with pytest.raises(DeviceError, match="copy_to_host"):
        graphs.Graph(library).record(fail)
    assert library.calls[:2] == ["graph_begin", "graph_end"]


def test_the_host_records_nothing() -> None:
    need_backend(NAME)
    backend: Any = get_backend(NAME)
    with pytest.raises(DeviceError, match=r"graph_begin failed: .*not supported"):
        graphs.Graph(backend.library).record(lambda: None)
