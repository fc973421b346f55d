"""cuDNN's interface against a stand-in that knows the documented order of arguments, and computes by our kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pydeeplab.backend.cuda import cudnn
from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.backend.cuda.library import Unavailable
from pydeeplab.backend.cuda.memory import DeviceArray
from pydeeplab.errors import DeviceError
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from tests.support.kernels import relative_error

NOT_SUPPORTED, FMA, TENSOR = 9, 3, 1


class FakeCudnn:
    """The functions of the library; enumerations as in its headers.

    It offers an algorithm that fails, one that is not repeatable, one that needs too much memory, and number 3.
    """

    def __init__(self, backend: CudaBackend):
        self.backend = backend
        self.alive: dict[int, Any] = {}
        self.math: list[int] = []
        self.workspace = 4000
        self.known_version = 90100
        for name in (
            *(
                f"{verb}{kind}Descriptor"
                for verb in ("Create", "Destroy")
                for kind in ("Tensor", "Filter", "Convolution")
            ),
            *("SetTensor4dDescriptor", "SetFilter4dDescriptor", "SetConvolution2dDescriptor", "Create", "SetStream"),
            *("SetConvolutionGroupCount", "SetConvolutionMathType", "GetVersion", "GetErrorString"),
            *(f"Convolution{o}" for o in ("Forward", "BackwardData", "BackwardFilter")),
            *(f"GetConvolution{o}Algorithm_v7" for o in ("Forward", "BackwardData", "BackwardFilter")),
        ):
            setattr(self, f"cudnn{name}", self._function(name))

    def _function(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            types = getattr(call, "argtypes", None)
            if types is not None:
                assert len(types) == len(arguments), name
                for kind, value in zip(types, arguments, strict=True):
                    kind.from_param(value)
            if name.startswith("Create"):
                return self._create(*arguments)
            if name.startswith("Destroy"):
                del self.alive[arguments[0].value]
                return 0
            if name.startswith("GetConvolution"):
                return self._suggest(*arguments)
            if name in ("ConvolutionForward", "ConvolutionBackwardData", "ConvolutionBackwardFilter"):
                return self._compute(name.removeprefix("Convolution"), *arguments)
            special = {"GetVersion": self.known_version, "GetErrorString": b"CUDNN_STATUS_NOT_SUPPORTED"}
            if name in special:
                return special[name]
            if name.startswith("Set") and name != "SetStream":
                self._remember(name, *arguments)
            return 0

        return call

    def _create(self, made: Any) -> int:
        made._obj.value = number = 1000 + max(self.alive, default=0)
        self.alive[number] = {}
        return 0

    def _remember(self, name: str, descriptor: Any, *values: int) -> None:
        self.alive[descriptor.value][name] = values
        if name == "SetConvolutionMathType":
            self.math.append(values[0])

    def _suggest(self, handle: Any, *rest: Any) -> int:
        *_, wanted, count, suggestions = rest
        mathematics = self.math[-1]
        given = [(0, NOT_SUPPORTED, 0, 1), (1, 0, 0, 0), (2, 0, 2**40, 1), (3, 0, self.workspace, 1)]
        assert len(given) <= wanted
        for to, (number, status, memory, repeatable) in zip(suggestions, given, strict=False):
            to.algorithm, to.status, to.memory, to.determinism, to.math = number, status, memory, repeatable, TENSOR
        assert mathematics in (0, FMA)
        count._obj.value = len(given)
        return 0

    def _sizes(self, descriptor: Any) -> tuple[int, ...]:
        known = self.alive[descriptor.value]
        if "SetTensor4dDescriptor" in known:
            layout, kind, *sizes = known["SetTensor4dDescriptor"]
        else:
            kind, layout, *sizes = known["SetFilter4dDescriptor"]
        assert (layout, kind) == (0, 0)
        return tuple(sizes)

    def _array(self, descriptor: Any, pointer: int) -> DeviceArray:
        whole = DeviceArray(self.backend.allocator, (0,), np.dtype(np.float32))
        return whole._view(pointer, self._sizes(descriptor))

    def _compute(
        self,
        operation: str,
        handle: Any,
        alpha: Any,
        left: Any,
        first: int,
        right: Any,
        second: int,
        convolution: Any,
        algorithm: int,
        work: int,
        memory: int,
        beta: Any,
        target: Any,
        result: int,
    ) -> int:
        assert (algorithm, memory, bool(work)) == (3, self.workspace, bool(self.workspace))
        assert alpha._obj.value == 1
        assert beta._obj.value == (operation == "BackwardFilter")
        known = self.alive[convolution.value]
        pad_h, pad_w, stride_h, stride_w, rate_h, rate_w, mode, kind = known["SetConvolution2dDescriptor"]
        assert (mode, kind) == (1, 0)
        window = (stride_h, stride_w, pad_h, pad_w, rate_h, rate_w, *known["SetConvolutionGroupCount"])
        arrays = self._array(left, first), self._array(right, second), self._array(target, result)
        kernels, columns = self.backend.kernels, self.backend.empty(10**5, np.dtype(np.float32))
        if operation == "Forward":
            kernels.conv_forward(*arrays[:2], None, arrays[2], columns, *window)
        elif operation == "BackwardData":
            kernels.conv_backward_data(arrays[1], arrays[0], None, arrays[2], columns, *window)
        else:
            kernels.conv_backward_weights(*arrays, columns, *window)
        return 0


@pytest.fixture
def fake(backend: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> FakeCudnn:
    """A stand-in that layers find in place of cuDNN."""
    functions = FakeCudnn(backend)
    found = cudnn.Cudnn(functions, backend.library, "libfake.so")
    for module in ("_convolution_cudnn", "_convolution_engine"):
        monkeypatch.setattr(
            f"pydeeplab.layers.{module}.find_cudnn", lambda b: found if b is backend else Unavailable("not here")
        )
    return functions


def text(kind: str, param: str, shape: tuple[int, ...] = (2, 6, 9, 11)) -> str:
    dims = " ".join(f"dim: {n}" for n in shape)
    return (
        f'force_backward: true layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}'
        f'layer {{ name: "c" type: "{kind}" bottom: "x" top: "y" convolution_param {{ num_output: 4 engine: CUDNN '
        f'{param} weight_filler {{ type: "xavier" }} bias_filler {{ type: "constant" value: 0.5 }} }} }}'
    )


def run(net: Net) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    net.blobs["x"].data[...] = random.standard_normal(net.blobs["x"].shape)
    net.params["c"][0].data[...] = random.standard_normal(net.params["c"][0].shape)
    net.forward()
    net.blobs["y"].diff[...] = random.standard_normal(net.blobs["y"].shape)
    net.params["c"][0].diff[...] = 1
    net.backward()
    return {
        "y": net.blobs["y"].data.copy(),
        "dx": net.blobs["x"].diff.copy(),
        "dw": net.params["c"][0].diff.copy(),
        "db": net.params["c"][1].diff.copy(),
    }


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
@pytest.mark.parametrize(
    "param",
    [
        "kernel_size: 3 pad: 2 dilation: 2",
        "kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 0 stride_h: 2 stride_w: 1 bias_term: true",
        "kernel_size: 3 group: 2",
    ],
)
def test_layers_compute_by_cudnn(fake: FakeCudnn, name: str, kind: str, param: str) -> None:
    net = Net.from_text(text(kind, param), TEST, backend=name)
    assert net.layer_dict["c"].engine_used == "cudnn"  # type: ignore[attr-defined]
    assert net.layer_dict["c"].engine_reason == "engine CUDNN: version 90100"  # type: ignore[attr-defined]
    expected, found = run(Net.from_text(text(kind, param), TEST, backend="cpu")), run(net)
    for what, values in expected.items():
        assert relative_error(found[what], values) <= 1e-5, what


def test_a_line_has_two_axes_there(fake: FakeCudnn, name: str) -> None:
    line = text("Convolution", "kernel_size: 3 stride: 2", (2, 6, 15))
    expected, found = (run(Net.from_text(line, TEST, backend=b)) for b in ("cpu", name))
    for what, values in expected.items():
        assert relative_error(found[what], values) <= 1e-5, what


def test_what_follows_is_computed_in_place(fake: FakeCudnn, name: str) -> None:
    net = text("Convolution", "kernel_size: 3") + 'layer { name: "r" type: "ReLU" bottom: "y" top: "y" }'
    x = np.random.default_rng(0).standard_normal((2, 6, 9, 11)).astype(np.float32)
    values = []
    for backend in ("cpu", name):
        built = Net.from_text(net, TEST, backend=backend, keep="outputs")
        built.params["c"][0].data[...] = np.linspace(-1, 1, built.params["c"][0].count).reshape(4, 6, 3, 3)
        values.append(built.forward(x=x)["y"])
    assert relative_error(values[1], values[0]) <= 1e-5


def test_math_modes(fake: FakeCudnn, backend: CudaBackend, name: str) -> None:
    net = Net.from_text(text("Convolution", "kernel_size: 3"), TEST, backend=name)
    net.forward()
    assert set(fake.math) == {FMA}
    fake.math.clear()
    backend.blas.set_math("tf32")
    net.forward()
    net.forward()
    backend.blas.set_math("strict")
    assert fake.math[:2] == [0, TENSOR]
    assert fake.math[-1] == TENSOR


def test_descriptors_are_given_back(fake: FakeCudnn, backend: CudaBackend) -> None:
    before = set(fake.alive)
    found = cudnn.Cudnn(fake, backend.library, "again")
    made = cudnn.CudnnConvolution(found, (1, 1, 3, 3), (1, 1, 3, 3), (1, 1, 1, 1), (1, 1, 0, 0, 1, 1), 1)
    assert len(set(fake.alive) - before) == 5
    del made
    assert len(set(fake.alive) - before) == 1  # the handle


def test_no_algorithm_is_an_error_with_a_way_out(fake: FakeCudnn, name: str) -> None:
    fake.workspace = cudnn.WORKSPACE_BYTES + 1
    with pytest.raises(DeviceError, match=r"no repeatable algorithm for Forward within 256 MiB.*Use engine DEFAULT"):
        Net.from_text(text("Convolution", "kernel_size: 3"), TEST, backend=name).forward()


def test_failures_are_told(fake: FakeCudnn, backend: CudaBackend) -> None:
    fake.cudnnSetStream = lambda *_: NOT_SUPPORTED  # type: ignore[attr-defined]
    with pytest.raises(DeviceError, match=r"cudnnSetStream failed: cuDNN error 9, CUDNN_STATUS_NOT_SUPPORTED"):
        cudnn.Cudnn(fake, backend.library, "broken")
    fake.known_version = 7605
    with pytest.raises(DeviceError, match=r"old.so is cuDNN 7605, 8000 or newer is needed"):
        cudnn.Cudnn(fake, backend.library, "old.so")


def test_without_the_library(backend: CudaBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cudnn, "shared_libraries", lambda *_: [str(tmp_path / "libcudnn.so.9")])
    found = cudnn.connect_cudnn.__wrapped__(backend.library)
    assert isinstance(found, Unavailable)
    assert "cuDNN cannot be loaded" in found.reason
    assert "libcudnn.so.9" in found.reason


@pytest.mark.parametrize("backend_name", ["cpu", "cuda-emulation"])
def test_elsewhere_it_is_the_default_with_the_reason(backend_name: str, name: str) -> None:
    if backend_name == "cuda-emulation" != name:
        pytest.skip("there is a GPU")
    layers = [
        Net.from_text(text("Convolution", param), TEST, backend=backend_name).layer_dict["c"]
        for param in ("kernel_size: 3", "kernel_size: 3 force_nd_im2col: true")
    ]
    assert layers[0].engine_used in ("winograd", "implicit", "im2col")  # type: ignore[attr-defined]
    assert f"not on backend {backend_name}" in layers[0].engine_reason  # type: ignore[attr-defined]
    assert layers[1].engine_used == "nd"  # type: ignore[attr-defined]


def test_the_performance_record_is_as_large_as_in_c() -> None:
    assert ctypes.sizeof(cudnn._Performance) == 48
