"""Layers that users write in Python, as pycaffe's own tests use them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pydeeplab
from pydeeplab import TEST, TRAIN, Net
from pydeeplab.errors import LayerError, ShapeError

SOURCE = '''
import pydeeplab as caffe

class Scale(caffe.Layer):
    """Times a number; keeps what it saw."""
    def setup(self, bottom, top):
        self.factor = float(self.param_str or 1)
        self.seen_phase = self.phase

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = self.factor * top[0].diff

class Own(caffe.Layer):
    """A constructor of its own, and a parameter."""
    def __init__(self, layer_param, *args):
        super().__init__(layer_param)
        self.made = True

    def setup(self, bottom, top):
        self.blobs.add_blob(2, 3)
        self.blobs[0].data[...] = 5

    def reshape(self, bottom, top):
        top[0].reshape()

    def forward(self, bottom, top):
        top[0].data[()] = self.blobs[0].data.sum()

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += top[0].diff

class Raises(caffe.Layer):
    def setup(self, bottom, top):
        raise KeyError("mine")

class Growing(caffe.Layer):
    """Tops of another shape in each forward."""
    def setup(self, bottom, top):
        self.size = 0

    def reshape(self, bottom, top):
        self.size += 1
        top[0].reshape(self.size)

    def forward(self, bottom, top):
        top[0].data[...] = self.size

class NoLayer:
    pass
'''


@pytest.fixture(autouse=True)
def my_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of layers in the working folder, which is not on the path."""
    (tmp_path / "my_layers.py").write_text(SOURCE)
    (tmp_path / "wants_caffe.py").write_text(
        "import caffe\n\n\nclass Ones(caffe.Layer):\n"
        "    def reshape(self, bottom, top):\n        top[0].reshape(2)\n\n"
        "    def forward(self, bottom, top):\n        top[0].data[...] = 1\n"
    )
    (tmp_path / "wants_other.py").write_text("import no_such_module\n")
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("my_layers", None)


INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'


def python(
    layer: str, *, bottom: str = 'bottom: "x"', param: str = "", module: str = "my_layers", more: str = ""
) -> str:
    return (
        f'layer {{ name: "p" type: "Python" {bottom} top: "y" {more} '
        f"python_param {{ module: '{module}' layer: '{layer}' {param} }} }}\n"
    )


def test_forward_backward_and_param_str() -> None:
    net = Net.from_text("force_backward: true\n" + INPUT + python("Scale", param='param_str: "2.5"'), TRAIN)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(net.forward(x=x)["y"], 2.5 * x)
    diff = net.backward(y=np.ones((2, 3)))["x"]
    np.testing.assert_array_equal(diff, np.full((2, 3), 2.5))


def test_the_nets_layer_is_the_users_object() -> None:
    for phase in (TRAIN, TEST):
        net = Net.from_text(INPUT + python("Scale", param='param_str: "3"'), phase)
        layer = net.layer_dict["p"]
        assert type(layer).__name__ == "Scale"
        assert isinstance(layer, pydeeplab.Layer)
        assert layer.type == "Python"
        assert (layer.seen_phase, layer.param_str) == (phase, "3")
        layer.factor = 10
        assert net.forward(x=np.ones((2, 3)))["y"][0, 0] == 10


def test_parameters_and_scalar_tops(tmp_path: Path) -> None:
    text = INPUT + python("Own", more="loss_weight: 1")
    net = Net.from_text(text, TRAIN)
    assert net.layer_dict["p"].made
    assert net.params["p"][0].shape == (2, 3)
    assert net.forward()["y"][()] == 30
    net.backward()
    net.backward()
    np.testing.assert_array_equal(net.params["p"][0].diff, np.full((2, 3), 2))
    net.params["p"][0].data[...] = 1
    net.save(tmp_path / "w.caffemodel")
    other = Net.from_text(text, TRAIN)
    other.copy_from(tmp_path / "w.caffemodel")
    assert other.forward()["y"][()] == 6
    shared = Net.from_text(text, TRAIN)
    shared.share_with(net)
    net.params["p"][0].data[...] = 2
    assert shared.forward()["y"][()] == 12


def test_layers_that_reshape_in_every_forward() -> None:
    net = Net.from_text(python("Growing", bottom=""), TEST)
    sizes = [net.forward()["y"].shape[0] for _ in range(3)]
    assert sizes == [sizes[0], sizes[0] + 1, sizes[0] + 2]


def test_the_users_exceptions_keep_their_type() -> None:
    with pytest.raises(KeyError, match="mine"):
        Net.from_text(INPUT + python("Raises"), TEST)


@pytest.mark.parametrize(
    ("layer", "module", "message"),
    [
        ("Scael", "my_layers", r"has no class 'Scael'\. Did you mean 'Scale'\? Its layers are: Scale, Own"),
        ("NoLayer", "my_layers", "must be a class derived from pydeeplab.Layer"),
        ("Scale", "my_layerz", "module 'my_layerz' is neither in .* PYTHONPATH"),
        ("", "my_layers", "needs python_param"),
    ],
)
def test_errors_say_which_layer(layer: str, module: str, message: str) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        Net.from_text(INPUT + python(layer, module=module), TEST, filename="net.prototxt")
    assert "net.prototxt:2:1: layer 'p' (Python)" in str(caught.value)


def test_imports_that_fail_within_the_module() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module") as caught:
        Net.from_text(INPUT + python("X", module="wants_other"), TEST)
    assert "layer 'p' (Python, wants_other.X)" in "".join(caught.value.__notes__)


def test_what_a_layer_imports_as_caffe_is_pydeeplab() -> None:
    net = Net.from_text(INPUT + python("Ones", module="wants_caffe"), TEST)
    assert isinstance(net.layer_dict["p"], pydeeplab.Layer)
    assert (net.forward()["y"] == 1).all()


def test_the_path_is_as_before() -> None:
    before = list(sys.path)
    Net.from_text(INPUT + python("Scale"), TEST)
    assert sys.path == before


FAULTY = """
import numpy as np
import pydeeplab

class Sound(pydeeplab.Layer):
    def reshape(self, bottom, top):
        top[0].reshape(2, 3)

    def forward(self, bottom, top):
        top[0].data[...] = 1

class WrongShape(Sound):
    def forward(self, bottom, top):
        top[0].data[...] = np.zeros((5, 5))

class Negative(Sound):
    def reshape(self, bottom, top):
        top[0].reshape(-1, 3)

class Word(Sound):
    def reshape(self, bottom, top):
        top[0].reshape("a", 3)

class Huge(Sound):
    def reshape(self, bottom, top):
        top[0].reshape(10**7, 10**7)

class OtherTop(Sound):
    def reshape(self, bottom, top):
        top[1].reshape(1)

class Missing(Sound):
    def setup(self, bottom, top):
        open("nowhere.txt")

class Settings(Sound):
    def setup(self, bottom, top):
        self.source = eval(self.param_str)["source"]

class Replaces(Sound):
    def forward(self, bottom, top):
        top[0].data = np.zeros((2, 3))

class NoForward(pydeeplab.Layer):
    def reshape(self, bottom, top):
        top[0].reshape(2, 3)

class NoReshape(pydeeplab.Layer):
    pass
"""


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("WrongShape", ValueError, "could not broadcast"),
        ("Negative", ShapeError, "must not be negative"),
        ("Word", ValueError, "'a'"),
        ("Huge", ShapeError, "at most 2147483647"),
        ("OtherTop", IndexError, "out of range"),
        ("Missing", FileNotFoundError, "nowhere.txt"),
        ("Settings", SyntaxError, "never closed"),
        ("Replaces", AttributeError, "data"),
        ("NoForward", NotImplementedError, "class NoForward has no method forward"),
        ("NoReshape", NotImplementedError, "class NoReshape has no method reshape"),
    ],
)
def test_faulty_data_layers_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception], text: str
) -> None:
    """What a layer raises keeps its type, and the layer's name and place stand beside it."""
    (tmp_path / "faulty_layers.py").write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("faulty_layers", None)
    layer = f'python_param {{ module: "faulty_layers" layer: "{name}" param_str: "{{" }}'
    with pytest.raises(error, match=text) as caught:
        Net.from_text(f'layer {{ name: "d" type: "Python" top: "x" {layer} }}', TRAIN).forward()
    said = [str(caught.value), *getattr(caught.value, "__notes__", [])]
    assert any("<text>:1:1: layer 'd' (Python)" in part for part in said)
