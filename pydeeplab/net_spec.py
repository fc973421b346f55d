"""Nets written in Python: pycaffe's ``net_spec``.

``layers.Convolution(bottom, num_output=64, kernel_size=3)`` makes a layer and gives its top; a `NetSpec` names the tops
and turns them into a NetParameter. Nothing is built or checked against shapes before a `pydeeplab.Net` reads the text.

Examples
--------
>>> from pydeeplab.net_spec import NetSpec, layers as L, params as P
>>> n = NetSpec()
>>> n.data = L.Input(shape=dict(dim=[1, 3, 32, 32]))
>>> n.conv = L.Convolution(n.data, num_output=8, kernel_size=3, weight_filler=dict(type="xavier"))
>>> n.relu = L.ReLU(n.conv, in_place=True)
>>> n.pool = L.Pooling(n.relu, kernel_size=2, stride=2, pool=P.Pooling.MAX)
>>> [(layer.name, list(layer.bottom), list(layer.top)) for layer in n.to_proto().layer][2:]
[('relu', ['conv'], ['conv']), ('pool', ['conv'], ['pool'])]
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from pydeeplab.errors import UsageError, did_you_mean
from pydeeplab.proto import caffe_pb2

__all__ = [
    "FieldError",
    "Function",
    "Layers",
    "NetSpec",
    "Parameters",
    "Top",
    "assign_proto",
    "layers",
    "param_name_dict",
    "params",
    "to_proto",
]


class FieldError(UsageError, AttributeError, KeyError):
    """A keyword that is no field, or a name that a NetSpec does not hold."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@cache
def _param_fields() -> dict[str, str]:
    found: dict[str, str] = {}
    for field in caffe_pb2.LayerParameter.DESCRIPTOR.fields:
        if field.name.endswith("_param") and field.message_type:
            message = field.message_type.name.removesuffix("Parameter")
            found.setdefault(message, field.name.removesuffix("_param"))
    return found


def param_name_dict() -> dict[str, str]:
    """Return the parameter field of each layer type, without its ``_param``: ``{"Pooling": "pooling", ...}``."""
    return dict(_param_fields())


def _field(proto: Any, name: str) -> Any:
    fields = proto.DESCRIPTOR.fields_by_name
    if name not in fields:
        raise FieldError(f"{proto.DESCRIPTOR.name} has no field '{name}'.{did_you_mean(name, fields)}")
    return fields[name]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Set a field of a message from Python values: dicts fill messages, lists fill repeated fields.

    Parameters
    ----------
    proto : message
        Changed in place.
    name : str
        The field.
    val
        A scalar, an enum's number or name, a message, a dict of fields, or a sequence of these. One value for a
        repeated field is a sequence of one.

    Raises
    ------
    FieldError
        There is no such field.
    TypeError, ValueError
        The value does not fit the field's type.
    """
    field = _field(proto, name)
    target = getattr(proto, name)
    if hasattr(target, "extend"):
        single = isinstance(val, (str, bytes, Mapping)) or not isinstance(val, Iterable)
        for item in [val] if single else val:
            if field.message_type is None:
                target.append(_plain(item))
            else:
                _fill(target.add(), item)
    elif field.message_type is not None:
        target.SetInParent()
        _fill(target, val)
    else:
        setattr(proto, name, _plain(val))


def _fill(message: Any, val: Any) -> None:
    """Merge a dict, or a message of the same type, into a message."""
    if isinstance(val, Mapping):
        for key, item in val.items():
            assign_proto(message, key, item)
    elif type(val) is type(message):
        message.MergeFrom(val)
    else:
        raise TypeError(f"{message.DESCRIPTOR.name} is filled from a dict, not from {type(val).__name__} {val!r}")


class Top:
    """Output ``n`` of a layer (a `Function`)."""

    def __init__(self, fn: Function, n: int):
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """Return a NetParameter with this top's layer and all that it needs."""
        return to_proto(self)

    def __repr__(self) -> str:
        return f"<Top {self.n} of {self.fn.type_name}>"


class _Names:
    """Which name each top and layer gets: the caller's, or the layer's type with a running number."""

    def __init__(self, given: Mapping[Top, str]):
        self._tops = dict(given)
        self._layers: dict[Function, str] = {}
        self._used: Counter[str] = Counter()

    def _next(self, type_name: str) -> str:
        self._used[type_name] += 1
        return f"{type_name}{self._used[type_name]}"

    def top(self, top: Top) -> str:
        if top not in self._tops:
            self._tops[top] = self._next(top.fn.type_name)
        return self._tops[top]

    def layer(self, fn: Function) -> str:
        if fn not in self._layers:
            own = fn.params.get("name")
            self._layers[fn] = own or (self.top(fn.tops[0]) if fn.ntop else self._next(fn.type_name))
        return self._layers[fn]


class Function:
    """One layer: its type, the tops that it reads, and its fields.

    Parameters
    ----------
    type_name : str
        As in ``type: "Convolution"``; not checked here, so that layers of other Caffes can be written too.
    inputs : iterable of Top
    params : mapping
        Fields of the layer's own parameter message, or of LayerParameter; ``ntop`` (number of tops, default 1) and
        ``in_place`` (the tops are the bottoms) are for this class.

    Raises
    ------
    TypeError
        An input is no Top.
    """

    def __init__(self, type_name: str, inputs: Iterable[Any], params: Mapping[str, Any]):
        self.type_name = type_name
        self.inputs: tuple[Any, ...] = tuple(inputs)
        for index, top in enumerate(self.inputs):
            if not isinstance(top, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(top)})")
        self.params = dict(params)
        self.ntop = int(self.params.pop("ntop", 1))
        self.in_place = bool(self.params.pop("in_place", False))
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _message(self, layers: Mapping[Function, Any], names: _Names) -> Any:
        layer = caffe_pb2.LayerParameter()
        layer.name = names.layer(self)
        layer.type = self.type_name
        layer.bottom.extend(layers[top.fn].top[top.n] for top in self.inputs)
        layer.top.extend(layer.bottom if self.in_place else [names.top(top) for top in self.tops])
        own = _param_fields().get(self.type_name)
        for key, value in self.params.items():
            if key.endswith("param"):
                assign_proto(layer, key, value)
            elif own and key in getattr(layer, f"{own}_param").DESCRIPTOR.fields_by_name:
                assign_proto(getattr(layer, f"{own}_param"), key, value)
            elif key in layer.DESCRIPTOR.fields_by_name:
                assign_proto(layer, key, value)
            else:
                known = [f.name for f in getattr(layer, f"{own}_param").DESCRIPTOR.fields] if own else []
                way_out = "" if own else " Put fields of a message into a dict: some_param=dict(...)."
                hint = did_you_mean(key, known)
                raise FieldError(f"layer type {self.type_name} has no field '{key}'.{hint}{way_out}")
        return layer

    def __repr__(self) -> str:
        return f"<Function {self.type_name}>"


def _collect(functions: Iterable[Function], names: _Names) -> Any:
    """A NetParameter of these layers and all below them, each after what it reads."""
    done: OrderedDict[Function, Any] = OrderedDict()
    for wanted in functions:
        stack = [wanted]
        while stack:
            missing = [top.fn for top in stack[-1].inputs if top.fn not in done]
            if missing:
                stack.append(missing[0])
            else:
                fn = stack.pop()
                if fn not in done:
                    done[fn] = fn._message(done, names)
    net = caffe_pb2.NetParameter()
    net.layer.extend(done.values())
    return net


def to_proto(*tops: Top) -> Any:
    """Return a NetParameter with the layers of these tops and all that they need; names are made up."""
    return _collect([top.fn if isinstance(top, Top) else top for top in tops], _Names({}))


class NetSpec:
    """Named tops in the order in which they were set, as attributes or items.

    Setting a name names the top, and the layer whose first top it is. A layer without tops (``ntop=0``) is set too,
    under any name, to be part of the net.
    """

    tops: OrderedDict[str, Any]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getitem__(self, name: str) -> Any:
        try:
            return self.tops[name]
        except KeyError:
            raise FieldError(f"the NetSpec has no top '{name}'.{did_you_mean(name, self.tops)}") from None

    def __delitem__(self, name: str) -> None:
        self[name]
        del self.tops[name]

    def __contains__(self, name: object) -> bool:
        return name in self.tops

    def __iter__(self) -> Iterator[str]:
        return iter(self.tops)

    def __len__(self) -> int:
        return len(self.tops)

    def keys(self) -> list[str]:
        """Names of the tops."""
        return list(self.tops)

    def vals(self) -> list[Any]:
        """The tops."""
        return list(self.tops.values())

    def items(self) -> list[tuple[str, Any]]:
        """Names with tops."""
        return list(self.tops.items())

    def update(self, name: str, params: Mapping[str, Any]) -> None:
        """Change or add fields of the layer that makes the top ``name``."""
        top = self[name]
        (top.fn if isinstance(top, Top) else top).params.update(params)

    def to_proto(self) -> Any:
        """Return a NetParameter of all layers set and all that they need."""
        names = _Names({top: name for name, top in self.tops.items() if isinstance(top, Top)})
        return _collect([top.fn if isinstance(top, Top) else top for top in self.tops.values()], names)


class Layers:
    """Makes layers: ``layers.ReLU(top)`` gives a Top, a tuple of Tops with ``ntop=2``, a Function with ``ntop=0``."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def layer(*args: Any, **kwargs: Any) -> Any:
            fn = Function(name, args, kwargs)
            return fn if fn.ntop == 0 else fn.tops[0] if fn.ntop == 1 else fn.tops

        layer.__name__ = layer.__qualname__ = name
        return layer


class Parameters:
    """Looks up enum values: ``params.Pooling.MAX`` is ``PoolingParameter.MAX``."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(caffe_pb2, f"{name}Parameter")


layers = Layers()
params = Parameters()
