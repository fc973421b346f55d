"""cuDNN through ctypes: convolution by NVIDIA's own kernels, where its library (8 or newer) is installed."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from pydeeplab.backend.cuda.library import Library, Unavailable
from pydeeplab.backend.cuda.packages import shared_libraries
from pydeeplab.errors import DeviceError

__all__ = ["WORKSPACE_BYTES", "Cudnn", "CudnnConvolution", "connect_cudnn"]

WORKSPACE_BYTES = 256 * 2**20
"""What an algorithm may use beside its arrays."""

OLDEST = 8000

_NCHW, _FLOAT, _CROSS_CORRELATION, _DETERMINISTIC = 0, 0, 1, 1
_DEFAULT_MATH, _FMA_MATH = 0, 3

_INT, _P, _SIZE = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
_RUN = [_P, _P, _P, _P, _P, _P, _P, _INT, _P, _SIZE, _P, _P, _P]
_SIGNATURES: dict[str, list[Any]] = {
    "cudnnCreate": [_P],
    "cudnnSetStream": [_P, _P],
    **{f"cudnnCreate{kind}Descriptor": [_P] for kind in ("Tensor", "Filter", "Convolution")},
    **{f"cudnnDestroy{kind}Descriptor": [_P] for kind in ("Tensor", "Filter", "Convolution")},
    "cudnnSetTensor4dDescriptor": [_P, *[_INT] * 6],
    "cudnnSetFilter4dDescriptor": [_P, *[_INT] * 6],
    "cudnnSetConvolution2dDescriptor": [_P, *[_INT] * 8],
    "cudnnSetConvolutionGroupCount": [_P, _INT],
    "cudnnSetConvolutionMathType": [_P, _INT],
    **{
        f"cudnn{kind}": types
        for operation in ("Forward", "BackwardData", "BackwardFilter")
        for kind, types in (
            (f"GetConvolution{operation}Algorithm_v7", [_P, _P, _P, _P, _P, _INT, _P, _P]),
            (f"Convolution{operation}", _RUN),
        )
    },
}


class _Performance(ctypes.Structure):
    """cudnnConvolutionFwdAlgoPerf_t and its two twins."""

    _fields_: ClassVar[list[Any]] = [
        ("algorithm", _INT),
        ("status", _INT),
        ("time", ctypes.c_float),
        ("memory", _SIZE),
        ("determinism", _INT),
        ("math", _INT),
        ("reserved", _INT * 3),
    ]


class Cudnn:
    """A handle of cuDNN that works on the library's stream.

    Parameters
    ----------
    functions
        The loaded library.
    name : str
        Where it was found.
    """

    def __init__(self, functions: Any, library: Library, name: str):
        self.name, self._functions = name, functions
        functions.cudnnGetVersion.restype = _SIZE
        functions.cudnnGetErrorString.restype = ctypes.c_char_p
        self.version = int(functions.cudnnGetVersion())
        if self.version < OLDEST:
            raise DeviceError(f"{name} is cuDNN {self.version}, {OLDEST} or newer is needed")
        for function, types in _SIGNATURES.items():
            getattr(functions, function).argtypes = types
        self.handle, stream = _P(), _P()
        self.call("cudnnCreate", ctypes.byref(self.handle))
        library.call("stream_get", ctypes.byref(stream))
        self.call("cudnnSetStream", self.handle, stream)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function; `DeviceError` if it fails."""
        status = getattr(self._functions, name)(*arguments)
        if status:
            text = self._functions.cudnnGetErrorString(status).decode()
            raise DeviceError(f"{name} failed: cuDNN error {status}, {text}. Use engine DEFAULT.")

    def descriptor(self, owner: object, kind: str) -> ctypes.c_void_p:
        """A new Tensor, Filter or Convolution descriptor that lives as long as ``owner``."""
        made = _P()
        self.call(f"cudnnCreate{kind}Descriptor", ctypes.byref(made))
        weakref.finalize(owner, getattr(self._functions, f"cudnnDestroy{kind}Descriptor"), made).atexit = False
        return made


@cache
def connect_cudnn(library: Library) -> Cudnn | Unavailable:
    """Load cuDNN; where that is impossible, say why instead of raising."""
    reasons = []
    for name in shared_libraries("cudnn", (9, 8)):
        try:
            return Cudnn(ctypes.CDLL(name), library, name)
        except (OSError, AttributeError, DeviceError) as error:
            reasons.append(str(error))
    return Unavailable(f"cuDNN cannot be loaded ({reasons[-1]})")


@dataclass(frozen=True)
class _Algorithm:
    number: int
    memory: int
    math: int


class CudnnConvolution:
    """A convolution of x[N,C,H,W] with w[O,I,R,S] to y[N,O,P,Q].

    Parameters
    ----------
    x, w, y : four sizes each
    window : six sizes
        Stride, pad and dilation, each for rows and columns.
    """

    def __init__(
        self, cudnn: Cudnn, x: Sequence[int], w: Sequence[int], y: Sequence[int], window: Sequence[int], group: int
    ):
        self._cudnn = cudnn
        self._x, self._y = cudnn.descriptor(self, "Tensor"), cudnn.descriptor(self, "Tensor")
        self._w = cudnn.descriptor(self, "Filter")
        self._convolution = cudnn.descriptor(self, "Convolution")
        self._found: dict[tuple[str, str], _Algorithm] = {}
        for descriptor, sizes in ((self._x, x), (self._y, y)):
            cudnn.call("cudnnSetTensor4dDescriptor", descriptor, _NCHW, _FLOAT, *sizes)
        cudnn.call("cudnnSetFilter4dDescriptor", self._w, _FLOAT, _NCHW, *w)
        stride, pad, dilation = window[0:2], window[2:4], window[4:6]
        how = (*pad, *stride, *dilation, _CROSS_CORRELATION, _FLOAT)
        cudnn.call("cudnnSetConvolution2dDescriptor", self._convolution, *how)
        cudnn.call("cudnnSetConvolutionGroupCount", self._convolution, group)

    def _descriptors(self, operation: str) -> tuple[Any, Any, Any]:
        """Of the two factors and of the result."""
        return {
            "Forward": (self._x, self._w, self._y),
            "BackwardData": (self._w, self._y, self._x),
            "BackwardFilter": (self._x, self._y, self._w),
        }[operation]

    def algorithm(self, operation: str, math: str) -> _Algorithm:
        """The first of cuDNN's suggestions that is repeatable and small enough; it sets the math mode, too.

        Parameters
        ----------
        operation : {"Forward", "BackwardData", "BackwardFilter"}
        math : {"strict", "tf32"}
        """
        wanted = _FMA_MATH if math == "strict" else _DEFAULT_MATH
        self._cudnn.call("cudnnSetConvolutionMathType", self._convolution, wanted)
        if (operation, math) not in self._found:
            self._found[operation, math] = self._search(operation, wanted)
        found = self._found[operation, math]
        self._cudnn.call("cudnnSetConvolutionMathType", self._convolution, found.math)
        return found

    def _search(self, operation: str, math: int) -> _Algorithm:
        first, second, result = self._descriptors(operation)
        count, tried = _INT(), (_Performance * 10)()
        given = self._cudnn.handle, first, second, self._convolution, result
        self._cudnn.call(f"cudnnGetConvolution{operation}Algorithm_v7", *given, 10, ctypes.byref(count), tried)
        for one in tried[: count.value]:
            if not one.status and one.memory <= WORKSPACE_BYTES and one.determinism == _DETERMINISTIC:
                return _Algorithm(one.algorithm, one.memory, math if math == _FMA_MATH else one.math)
        raise DeviceError(
            f"cuDNN has no repeatable algorithm for {operation} within {WORKSPACE_BYTES >> 20} MiB of workspace. "
            "Use engine DEFAULT."
        )

    def run(
        self, operation: str, math: str, first: Any, second: Any, result: Any, work: Any, *, add: bool = False
    ) -> None:
        """Compute a pass of arrays on the device, with a work array as large as its `algorithm` says.

        The factors are x and w (Forward), w and dy (BackwardData), x and dy (BackwardFilter).
        """
        found = self.algorithm(operation, math)
        left, right, target = self._descriptors(operation)
        alpha, beta = ctypes.c_float(1), ctypes.c_float(1 if add else 0)
        self._cudnn.call(
            f"cudnnConvolution{operation}",
            self._cudnn.handle,
            ctypes.byref(alpha),
            left,
            first.pointer,
            right,
            second.pointer,
            self._convolution,
            found.number,
            work.pointer,
            found.memory,
            ctypes.byref(beta),
            target,
            result.pointer,
        )
