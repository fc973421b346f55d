"""The message classes of caffe.proto, as a generated ``caffe_pb2`` would hold them.

Messages (``NetParameter``), top-level enum values (``TRAIN``, ``TEST``) and enums (``Phase``) are attributes of this
module; nested enum values are attributes of their message (``PoolingParameter.MAX``). They are built at import from the
serialised descriptor caffe.bin, in a descriptor pool of their own: a real Caffe's ``caffe_pb2`` can live beside them.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import enum_type_wrapper

_pool = descriptor_pool.DescriptorPool()


def _build() -> dict[str, Any]:
    descriptors = descriptor_pb2.FileDescriptorSet.FromString((files(__package__) / "caffe.bin").read_bytes())
    names: dict[str, Any] = {}
    for file in descriptors.file:
        _pool.Add(file)
        built = _pool.FindFileByName(file.name)
        for name, message in built.message_types_by_name.items():
            names[name] = message_factory.GetMessageClass(message)
        for name, enum in built.enum_types_by_name.items():
            names[name] = enum_type_wrapper.EnumTypeWrapper(enum)
            names.update((value.name, value.number) for value in enum.values)
    return names


globals().update(_build())


def __getattr__(name: str) -> Any:
    raise AttributeError(f"caffe.proto has no message or enum value {name!r}")
