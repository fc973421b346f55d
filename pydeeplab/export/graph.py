"""A graph of operations on named values: what is built before it becomes an ONNX file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Graph", "Operation", "Value"]

Attribute = int | float | str | list[int]
Extent = int | str
"""The size of an axis, or the name of a size that is only known when the graph runs."""


@dataclass
class Operation:
    """One node: an ONNX operator, its values by name (an empty input is left out), and its attributes."""

    type: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Value:
    """An input or output of the graph, float32."""

    name: str
    shape: tuple[Extent, ...]


class Graph:
    """Operations in running order, with constants and names.

    Parameters
    ----------
    name : str
        Of the graph.
    opset : int
        Version of the operators.
    reserved : iterable of str
        Names that new values must not get, because they will be given to others later.
    """

    def __init__(self, name: str, opset: int, reserved: Iterable[str] = ()):
        self.name = name
        self.opset = opset
        self.operations: list[Operation] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self._names = set(reserved)
        self._by_content: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def unique(self, name: str) -> str:
        """``name``, numbered if it is taken already."""
        found, number = name, 1
        while found in self._names:
            number += 1
            found = f"{name}_{number}"
        self._names.add(found)
        return found

    def add_input(self, value: Value) -> None:
        """Declare an input; its name must be reserved."""
        self.inputs.append(value)

    def constant(self, array: NDArray[Any], name: str) -> str:
        """The name of a stored array; equal arrays are stored once, so that shared parameters stay shared."""
        values = np.ascontiguousarray(array)
        digest = hashlib.blake2b(values.data if values.size else b"", digest_size=16).digest()
        key = (str(values.dtype), values.shape, digest)
        if key not in self._by_content:
            self._by_content[key] = self.unique(name)
            self.constants[self._by_content[key]] = values
        return self._by_content[key]

    def add(
        self, kind: str, inputs: Iterable[str], name: str, *, outputs: int = 1, attributes: Mapping[str, Attribute]
    ) -> list[str]:
        """Append an operation; returns the names of its outputs."""
        label = self.unique(f"{name}/{kind}")
        made = [label] if outputs == 1 else [self.unique(f"{label}:{i}") for i in range(outputs)]
        self.operations.append(Operation(kind, list(inputs), made, dict(attributes), label))
        return made

    def rename(self, names: Mapping[str, str]) -> None:
        """Give values made by operations other names."""
        for operation in self.operations:
            operation.inputs = [names.get(value, value) for value in operation.inputs]
            operation.outputs = [names.get(value, value) for value in operation.outputs]

    @property
    def nbytes(self) -> int:
        """Bytes of all constants."""
        return sum(array.nbytes for array in self.constants.values())
