"""Layers in Python that import ``caffe``: what they are given, what they may do, and what becomes of their errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LAYERS = '''
import caffe
import numpy as np

class Tenfold(caffe.Layer):
    """Multiplies by ten, and adjusts to its bottom."""
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = 10 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 10 * top[0].diff

class FromString(caffe.Layer):
    """Multiplies by what param_str says."""
    def setup(self, bottom, top):
        try:
            self.value = float(self.param_str)
        except ValueError:
            raise ValueError("param_str must be a number")

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.value * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = self.value * top[0].diff

class Fails(caffe.Layer):
    def setup(self, bottom, top):
        raise RuntimeError("this layer always fails")

class Owner(caffe.Layer):
    """Has a parameter, filled with zero, and gives it out."""
    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = 0

    def reshape(self, bottom, top):
        top[0].reshape(10)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[0] = 1

class Phase(caffe.Layer):
    """A scalar: the phase."""
    def setup(self, bottom, top):
        self.seen = self.phase

    def reshape(self, bottom, top):
        top[0].reshape()

    def forward(self, bottom, top):
        top[0].data[()] = self.seen
'''
INPUT = "input: 'data' input_shape { dim: 10 dim: 9 dim: 8 }\n"


@pytest.fixture(autouse=True)
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "some_layers.py").write_text(LAYERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("some_layers", None)


def chain(*classes: str, param_str: str | None = None, top: str = "result", inputs: str = INPUT) -> str:
    extra = f"param_str: '{param_str}'" if param_str is not None else ""
    names = ["data", *(f"stage{i}" for i in range(len(classes) - 1)), top]
    return "force_backward: true\n" + inputs + "".join(
        f"layer {{ type: 'Python' name: 'layer{i}' {f'bottom: {names[i]!r}' if inputs else ''} top: '{names[i + 1]}' "
        f"python_param {{ module: 'some_layers' layer: '{name}' {extra} }} }}\n"
        for i, name in enumerate(classes)
    )  # fmt: skip


@pytest.fixture
def build(caffe: Any, tmp_path: Path) -> Any:
    def build(text: str, phase: int = 0, **options: Any) -> Any:
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return caffe.Net(str(path), phase, **options)

    return build


def test_forward_and_backward(build: Any) -> None:
    net = build(chain("Tenfold", "Tenfold", "Tenfold"))
    net.blobs["data"].data[...] = 8
    assert (net.forward()["result"] == 8000).all()
    net.blobs["result"].diff[...] = 2
    net.backward()
    assert (net.blobs["data"].diff == 2000).all()


def test_reshaping_an_input_reaches_the_top(build: Any) -> None:
    net = build(chain("Tenfold", "Tenfold"))
    net.blobs["data"].reshape(4, 1, 2, 5)
    net.forward()
    assert [list(blob.shape) for blob in net.blobs.values()] == [[4, 1, 2, 5]] * 3


def test_param_str(build: Any) -> None:
    net = build(chain("FromString", "FromString", param_str="-1.5"))
    net.blobs["data"].data[...] = 8
    assert (net.forward()["result"] == 18).all()
    net.blobs["result"].diff[...] = 4
    net.backward()
    assert (net.blobs["data"].diff == 9).all()
    assert net.layers[1].param_str == "-1.5"


def test_exceptions_keep_their_type_and_text(build: Any) -> None:
    with pytest.raises(RuntimeError) as caught:
        build(chain("Fails"))
    assert (type(caught.value), str(caught.value)) == (RuntimeError, "this layer always fails")
    with pytest.raises(ValueError, match="param_str must be a number") as other:
        build(chain("FromString"))
    assert type(other.value) is ValueError
    assert "'layer0' (Python)" in "".join(other.value.__notes__)


def test_parameters(build: Any) -> None:
    net = build(chain("Owner", inputs=""))
    assert list(net.params) == ["layer0"]
    net.params["layer0"][0].data[...] += 1
    assert (net.forward()["result"] == 1).all()
    net.backward()
    assert net.params["layer0"][0].diff[0] == 1


def test_parameters_are_saved_and_shared(build: Any, tmp_path: Path) -> None:
    net = build(chain("Owner", inputs=""))
    net.params["layer0"][0].data[...] = 4
    saved = str(tmp_path / "owner.caffemodel")
    net.save(saved)
    again = build(chain("Owner", inputs=""))
    assert again.params["layer0"][0].data[0] == 0
    again.copy_from(saved)
    assert again.forward()["result"][3] == 4
    sharing = build(chain("Owner", inputs=""))
    sharing.share_with(net)
    net.params["layer0"][0].data[...] = 5
    assert sharing.params["layer0"][0].data[0] == 5
    assert again.params["layer0"][0].data[0] == 4


@pytest.mark.parametrize("phase", [0, 1])
def test_the_phase_is_known(build: Any, phase: int) -> None:
    result = build(chain("Phase", inputs=""), phase).forward()["result"]
    assert result.shape == ()
    assert result == phase


def test_the_layer_type_and_base(caffe: Any, build: Any) -> None:
    net = build(chain("Tenfold"))
    layer = net.layers[1]
    assert layer.type == "Python"
    assert isinstance(layer, caffe.Layer)
    assert len(layer.blobs) == 0
    with pytest.raises(RuntimeError):
        layer.blobs.add_blob(num=3)
    assert len(layer.blobs) == 0


def test_a_layer_of_another_caffe_is_explained(build: Any, tmp_path: Path) -> None:
    (tmp_path / "foreign_layers.py").write_text(
        "Base = type('Layer', (), {'__module__': 'caffe._caffe'})\n\nclass Foreign(Base):\n    pass\n"
    )
    text = chain("Foreign").replace("some_layers", "foreign_layers")
    with pytest.raises(RuntimeError, match="another Caffe that is installed"):
        build(text)
    sys.modules.pop("foreign_layers", None)
