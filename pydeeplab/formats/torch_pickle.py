"""An interpreter of the few pickle instructions that ``torch.save`` writes for tensors in dicts and lists.

Unpickling in Python's way calls whatever functions the file names. Here nothing is called and no object is made but
dicts, lists, tuples, strings, numbers and `StoredTensor`: a name that is not in the short list below, and an
instruction that such files do not need, is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

__all__ = ["DTYPES", "RefusedPickle", "Storage", "StoredTensor", "brief", "item_size", "load_pickle", "read_values"]

DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
"""NumPy's name of the type of each of PyTorch's storages; NumPy has no bfloat16."""


class RefusedPickle(Exception):
    """The pickle wants something other than tensors; the message says what."""


@dataclass(frozen=True)
class Storage:
    """A run of values elsewhere in the file: ``count`` of them, from ``start`` within the storage called ``key``."""

    key: str
    dtype: str
    count: int
    start: int = 0


@dataclass(frozen=True)
class StoredTensor:
    """A tensor's place in its storage; offset and strides count values."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Name:
    """A global that the pickle mentions."""

    module: str
    name: str

    def __format__(self, spec: str) -> str:
        return format(f"{self.module}.{self.name}", spec)


def _ordered_dict(*arguments: Any) -> dict[Any, Any]:
    if not arguments:
        return {}
    (pairs,) = arguments
    return {_checked_key(key): value for key, value in pairs}


def brief(value: Any) -> str:
    """A value for a message; of containers, which may be without end, only the type."""
    return f"'{value:.60}'" if isinstance(value, (str, _Name)) else f"a {type(value).__name__}"


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise RefusedPickle(f"a size or position that is no whole number but {brief(value)}")
    return value


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> StoredTensor:
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise RefusedPickle("a tensor that is not described by storage, offset, shape and strides")
    if len(shape) != len(strides) or len(shape) > 16:
        raise RefusedPickle("a tensor with another number of sizes than strides, or more than 16")
    return StoredTensor(storage, _whole(offset), tuple(map(_whole, shape)), tuple(map(_whole, strides)))


_CALLS: dict[_Name, Callable[..., Any]] = {
    _Name("collections", "OrderedDict"): _ordered_dict,
    _Name("torch._utils", "_rebuild_tensor"): _tensor,
    _Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    _Name("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
    _Name("torch", "Size"): lambda sizes=(): tuple(sizes),
}
"""What stands for the functions that describe tensors; everything here is ours."""

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
}
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
_MARK = object()


def _checked_key(key: Any) -> Any:
    if type(key) not in (str, int, float, bool, type(None)):
        raise RefusedPickle(f"a dict with a key of type {type(key).__name__}")
    return key


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, load_storage: Callable[[Any], Storage]):
        self._load_storage = load_storage
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, stream: BinaryIO) -> Any:
        """Interpret up to the end of the pickle; returns its object."""
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                return self._pop()
            self._step(opcode.name, argument)
        raise ValueError("no end")

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value should be")
        return value

    def _pop_to_mark(self) -> list[Any]:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] is _MARK:
                values = self._stack[index + 1 :]
                del self._stack[index:]
                return values
        raise ValueError("no mark")

    def _step(self, name: str, argument: Any) -> None:
        push = self._stack.append
        if name in _LITERALS:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name in _PUTS or name == "MEMOIZE":
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = self._stack[-1]
        elif name in _GETS:
            push(self._memo[argument])
        elif name == "MARK":
            push(_MARK)
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            push({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
        elif name == "TUPLE":
            push(tuple(self._pop_to_mark()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            push(tuple(reversed([self._pop() for _ in range(int(name[-1]))])))
        elif name in ("APPEND", "APPENDS"):
            values = [self._pop()] if name == "APPEND" else self._pop_to_mark()
            self._top(list).extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            pairs = list(reversed([self._pop(), self._pop()])) if name == "SETITEM" else self._pop_to_mark()
            keys = map(_checked_key, pairs[::2])
            self._top(dict).update(zip(keys, pairs[1::2], strict=True))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            words = argument.split(" ", 1) if name == "GLOBAL" else reversed([self._pop(), self._pop()])
            push(self._named(*words))
        elif name == "REDUCE":
            arguments, function = self._pop(), self._pop()
            push(self._call(function, arguments))
        elif name == "BUILD":  # attributes of a dict, such as a state dict's _metadata: of no use here
            self._pop()
            self._top(dict)
        elif name == "BINPERSID":
            push(self._load_storage(self._pop()))
        elif name not in ("PROTO", "FRAME"):
            raise RefusedPickle(f"the instruction {name}")

    def _top(self, kind: type) -> Any:
        if not self._stack or type(self._stack[-1]) is not kind:
            raise RefusedPickle(f"an object changed that is no {kind.__name__}")
        return self._stack[-1]

    @staticmethod
    def _named(module: Any, name: Any) -> _Name:
        if not isinstance(module, str) or not isinstance(name, str):
            raise RefusedPickle(f"a global called {brief(name)}")
        found = _Name(module, name)
        if found not in _CALLS and not (found.module == "torch" and found.name in DTYPES):
            raise RefusedPickle(brief(found))
        return found

    @staticmethod
    def _call(function: Any, arguments: Any) -> Any:
        if not isinstance(function, _Name) or function not in _CALLS or not isinstance(arguments, tuple):
            raise RefusedPickle(f"a call of {brief(function)}")
        return _CALLS[function](*arguments)


def storage_of(description: Any) -> Storage:
    """The storage that a persistent id of ``torch.save`` describes."""
    if not isinstance(description, tuple) or len(description) < 5 or description[0] != "storage":
        raise RefusedPickle("a reference to something other than a tensor's values (a whole model, perhaps)")
    _, kind, key, _, count, *view = description
    if not isinstance(kind, _Name) or kind.name not in DTYPES or type(key) is not str:
        raise RefusedPickle(f"values of type {brief(kind)}")
    if view and view[0] is not None:
        _, start, count = view[0]
        return Storage(key, DTYPES[kind.name], _whole(count), _whole(start))
    return Storage(key, DTYPES[kind.name], _whole(count))


def load_pickle(stream: BinaryIO) -> Any:
    """Read one pickle from where the stream is.

    Returns
    -------
    object
        dict, list, tuple, str, int, float, bool, None and `StoredTensor`, nested.

    Raises
    ------
    RefusedPickle
        It wants more than that.
    ValueError
        It is damaged.
    """
    try:
        return _Machine(storage_of).run(stream)
    except (IndexError, KeyError, TypeError, OverflowError, UnicodeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def read_values(raw: memoryview, dtype: str, *, little_endian: bool = True) -> np.ndarray[Any, np.dtype[Any]]:
    """The values of a storage or tensor from its bytes; half-precision of either kind becomes float32."""
    order = "<" if little_endian else ">"
    if dtype == "bfloat16":
        wide = np.frombuffer(raw, f"{order}u2").astype(np.uint32) << 16
        return wide.view(np.float32)
    values = np.frombuffer(raw, "?" if dtype == "?" else order + dtype)
    return values.astype(np.float32) if dtype == "f2" else values


def item_size(dtype: str) -> int:
    """Bytes of a value."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
