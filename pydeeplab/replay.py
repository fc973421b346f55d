"""Forward passes of a net on a GPU as one recorded sequence of kernels.

Starting a kernel takes the host a few microseconds, and a deep net at batch size 1 starts hundreds of short ones. Once
a net that is run for its outputs is steady, its kernels are recorded in a CUDA graph, which one call starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from pydeeplab.backend import Backend
from pydeeplab.backend.cuda.graph import Graph
from pydeeplab.blob import Blob
from pydeeplab.errors import DeviceError
from pydeeplab.layer import Workspace

__all__ = ["SWITCH", "WARM_UP", "Replay", "wants_replay"]

SWITCH = "PYDEEPLAB_CUDA_GRAPHS"
"""The environment variable that asks for it, with 1."""

WARM_UP = 2
"""Ordinary runs before the recording, in which memory and scratch reach their sizes."""


def wants_replay(backend: Backend) -> bool:
    """Whether nets on ``backend`` are to be recorded: on GPUs, if the environment variable `SWITCH` is 1."""
    return backend.name == "cuda" and os.environ.get(SWITCH) == "1"


class Replay:
    """Runs a net's forward, and replays it while shapes, parameters and memory are what they were when it was recorded.

    Parameters
    ----------
    sources, params, results : blobs
        What may be filled before each run; what must not change; what holds something afterwards.
    memory
        Everything else that must stay alive as long as the recording.

    Attributes
    ----------
    reason : str
        Why nothing is replayed; empty while it may be.
    replays : int
        Runs that were replayed.
    """

    def __init__(
        self,
        backend: Backend,
        workspace: Workspace,
        sources: Sequence[Blob],
        params: Sequence[Blob],
        results: Sequence[Blob],
        memory: Callable[[], list[Any]],
    ):
        self._backend: Any = backend
        self._workspace, self._sources, self._params, self._results = workspace, sources, params, results
        self._memory = memory
        self._graph: Graph | None = None
        self._held: list[Any] = []
        self._state: Any = None
        self._steady = 0
        self.reason = ""
        self.replays = 0

    def forward(self, run: Callable[[], float]) -> float:
        """What ``run``, an ordinary forward, does and returns."""
        if self.reason:
            return run()
        state = self._present()
        if state != self._state:
            self._graph, self._held, self._steady = None, [], 0
        if self._graph is None and self._steady < WARM_UP:
            self._steady += 1
            loss = run()
            self._state = self._present()
            return loss
        if self._graph is None and not self._record(run):
            return run()
        assert self._graph is not None
        self._graph.launch()
        for blob in self._results:
            blob.write()
        self.replays += 1
        return 0.0

    def _present(self) -> Any:
        """Everything that the recorded kernels take for granted; the inputs are on the device afterwards."""
        return (
            [(blob.shape, blob.read().pointer) for blob in self._sources],  # type: ignore[attr-defined]
            [(id(blob.data_storage), blob.data_storage.version) for blob in self._params],
            [(blob.shape, id(blob.data_storage), blob.data_storage.capacity) for blob in self._results],
            (self._workspace.get(0).pointer, self._backend.blas.math),  # type: ignore[attr-defined]
            self._backend.library.scratch_growths(),
        )

    def _record(self, run: Callable[[], float]) -> bool:
        allocator = self._backend.allocator
        before = allocator.traffic.copies, allocator.requests
        graph = Graph(self._backend.library)
        try:
            graph.record(run)
        except DeviceError as error:
            self.reason = f"a layer does what cannot be recorded: {error}"
            return False
        if (allocator.traffic.copies, allocator.requests) != before:
            self.reason = "a layer copies between host and device or takes memory in every forward"
        else:
            self._graph, self._held = graph, [*self._memory(), self._workspace.get(0)]
        return not self.reason
