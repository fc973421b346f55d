"""Every test here runs with pydeeplab under the name ``caffe``, and leaves no module of that name behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

import pydeeplab


def _caffe_modules() -> list[str]:
    return [name for name in sys.modules if name == "caffe" or name.startswith("caffe.")]


@pytest.fixture(autouse=True)
def caffe() -> Iterator[ModuleType]:
    """The module ``caffe``, importable during the test."""
    saved = {name: sys.modules.pop(name) for name in _caffe_modules()}
    yield pydeeplab.install_as_caffe()
    for name in _caffe_modules():
        del sys.modules[name]
    sys.modules.update(saved)
