"""Layers that are run as one: residual sums in a convolution's last pass."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pydeeplab import Net, set_random_seed
from pydeeplab.errors import ShapeError
from pydeeplab.layer import TEST
from tests.support.backends import USABLE

SIZE = (2, 6, 19, 17)
"""More pixels than the engine `im2col` takes."""


def input_text() -> str:
    dims = " ".join(f"dim: {n}" for n in SIZE)
    return f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}'


def convolution(name: str, bottom: str, top: str, kernel: int = 1, bias: bool = True) -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{top}" convolution_param {{ '
        f"num_output: 6 kernel_size: {kernel} pad: {kernel // 2} bias_term: {str(bias).lower()} "
        'weight_filler { type: "msra" } bias_filler { type: "gaussian" std: 1 } } }'
    )


def scale(name: str, blob: str) -> str:
    return (
        f'layer {{ name: "{name}" type: "Scale" bottom: "{blob}" top: "{blob}" scale_param {{ '
        'bias_term: true filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 } } }'
    )


def total(first: str, second: str, param: str = "", relu: bool = True, top: str = "sum") -> str:
    text = (
        f'layer {{ name: "add" type: "Eltwise" bottom: "{first}" bottom: "{second}" top: "{top}" '
        f"eltwise_param {{ {param} }} }}"
    )
    return text + f'layer {{ name: "relu" type: "ReLU" bottom: "{top}" top: "{top}" }}' * relu


def power(name: str, bottom: str, top: str) -> str:
    return (
        f'layer {{ name: "{name}" type: "Power" bottom: "{bottom}" top: "{top}" power_param {{ scale: -2 shift: 1 }} }}'
    )


def pair(layers: list[str], backend: str = "cpu", engine: str = "DEFAULT") -> tuple[Net, Net]:
    """The net with all of its blobs and the one for its outputs, with the same parameters."""
    text = input_text() + "".join(layers)
    set_random_seed(3)
    full = Net.from_text(text, TEST, backend=backend, engine=engine)
    lean = Net.from_text(text, TEST, backend=backend, engine=engine, keep="outputs")
    lean.share_with(full)
    return full, lean


def check(full: Net, lean: Net) -> list[str]:
    """Compare results over several images; the names of the steps."""
    names: list[str] = []
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal(SIZE).astype(np.float32)
        expected, got = full.forward(x=x), lean.forward(x=x)
        for name, values in expected.items():
            np.testing.assert_allclose(got[name], values, atol=2e-5, err_msg=name)
        names = []
        for step in lean.steps():
            names.append(step.name)
            step.forward()
    return names


@pytest.mark.parametrize("backend", USABLE)
@pytest.mark.parametrize("engine", ["DEFAULT", "CAFFE"])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("order", [("a", "c"), ("c", "a")])
def test_a_convolution_takes_the_sum(
    backend: str, engine: str, kernel: int, relu: bool, order: tuple[str, str]
) -> None:
    layers = [power("p", "x", "a"), convolution("b", "a", "b"), convolution("c", "b", "c", kernel), scale("s", "c")]
    names = check(*pair([*layers, total(*order, relu=relu), convolution("d", "sum", "d")], backend, engine))
    assert names[-2:] == ["c+s+add" + "+relu" * relu, "d"]


def test_the_latter_of_two_convolutions_takes_the_sum() -> None:
    layers = [convolution("a", "x", "a"), scale("sa", "a"), convolution("b", "x", "b", bias=False), total("a", "b")]
    assert check(*pair(layers))[-2:] == ["a+sa", "b+add+relu"]


def test_the_sum_takes_the_memory_of_the_other_term() -> None:
    layers = [
        power("p", "x", "a"),
        power("q", "a", "b"),
        convolution("c", "b", "c"),
        total("a", "c"),
        power("r", "sum", "r"),
    ]
    full, lean = pair(layers)
    check(full, lean)
    places = {}
    for step in lean.steps():
        step.forward()
        places[step.name] = step.tops[0].read().ctypes.data
    assert places["c+add+relu"] == places["p"]
    assert lean.activation_bytes() == 4 * 4 * int(np.prod(SIZE))


def test_an_error_does_not_mix_up_memory() -> None:
    """It comes when the sum has taken the memory of a already."""
    layers = [
        input_text().replace('"x"', '"y"'),
        power("p", "x", "a"),
        power("q", "y", "b"),
        total("a", "b", relu=False),
        power("r", "sum", "c"),
        power("s", "c", "d"),
        total("sum", "d", relu=False, top="t"),
        total("t", "c", relu=False, top="u"),
    ]
    full, lean = pair(layers)
    x, y = (np.random.default_rng(seed).standard_normal(SIZE).astype(np.float32) for seed in range(2))
    expected = full.forward(x=x, y=y)["u"]
    lean.blobs["y"].reshape(2, 6, 5, 5)
    with pytest.raises(ShapeError, match="layer 'add'"):
        lean.forward(x=x, y=y[..., :5, :5])
    lean.blobs["y"].reshape(*SIZE)
    for _ in range(2):
        np.testing.assert_array_equal(lean.forward(x=x, y=y)["u"], expected)


def test_an_error_of_a_later_layer_does_not_last() -> None:
    """The convolution has its new shape already when the sum is refused."""
    layers = [input_text().replace('"x"', '"y"'), convolution("c", "x", "c"), total("c", "y")]
    full, lean = pair(layers)
    x = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    made = full.blobs["c"].shape
    for net in (full, lean):
        net.blobs["y"].reshape(*made)
    y = np.random.default_rng(1).standard_normal(made).astype(np.float32)
    expected = full.forward(x=x, y=y)["sum"]
    np.testing.assert_allclose(lean.forward(x=x, y=y)["sum"], expected, atol=1e-5)
    lean.blobs["x"].reshape(1, SIZE[1], 30, 30)
    with pytest.raises(ShapeError, match="layer 'add'") as caught:
        lean.forward()
    assert str(caught.value).count("layer '") == 1
    lean.blobs["x"].reshape(*SIZE)
    np.testing.assert_allclose(lean.forward(x=x, y=y)["sum"], expected, atol=1e-5)


def test_a_term_that_others_read_is_not_overwritten() -> None:
    layers = [
        power("p", "x", "a"),
        power("q", "x", "b"),
        convolution("c", "b", "c"),
        total("a", "c"),
        total("sum", "a", top="t"),
    ]
    layers[-1] = layers[-1].replace('"add"', '"add2"').replace('"relu"', '"relu2"')
    assert "c+add+relu" in check(*pair(layers))


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_image_of_the_convolution_is_not_overwritten(kernel: int) -> None:
    layers = [power("p", "x", "a"), convolution("c", "a", "c", kernel), total("c", "a"), power("q", "sum", "q")]
    assert "c+add+relu" in check(*pair(layers))


def test_the_input_is_not_overwritten() -> None:
    layers = [power("p", "x", "a"), convolution("c", "a", "c"), total("c", "x"), power("q", "sum", "q")]
    full, lean = pair(layers)
    x = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    lean.forward(x=x)
    np.testing.assert_array_equal(lean.blobs["x"].data, x)
    check(full, lean)


@pytest.mark.parametrize(
    "layers",
    [
        [convolution("c", "a", "c"), total("a", "c", "coeff: 1 coeff: 0.5")],
        [convolution("c", "a", "c"), total("a", "c", "operation: MAX")],
        [convolution("c", "a", "c"), total("c", "c")],
        [convolution("c", "a", "c"), 'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }', total("c", "a")],
        [convolution("c", "a", "c"), power("q", "c", "d"), total("c", "d")],
    ],
    ids=["coefficients", "maximum", "twice", "relu-before", "values-read-elsewhere"],
)
def test_other_sums_stay_by_themselves(layers: list[str]) -> None:
    names = check(*pair([power("p", "x", "a"), *layers]))
    assert not any(name.startswith("c") and "add" in name for name in names)


def test_values_that_are_kept_are_made() -> None:
    text = input_text() + power("p", "x", "a") + convolution("c", "a", "c") + total("a", "c")
    full, lean = Net.from_text(text, TEST), Net.from_text(text, TEST, keep=["c"])
    lean.share_with(full)
    x = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    np.testing.assert_allclose(lean.forward(["c"], x=x)["c"], full.forward(["c"], x=x)["c"], atol=1e-5)
    np.testing.assert_allclose(lean.forward(x=x)["sum"], full.forward(x=x)["sum"], atol=1e-5)


def test_sizes_that_change_the_engine() -> None:
    full, lean = pair([power("p", "x", "a"), power("q", "a", "b"), convolution("c", "b", "c"), total("a", "c")])
    for height in (19, 3, 40, 2):
        shape = (1, 6, height, 17)
        x = np.random.default_rng(height).standard_normal(shape).astype(np.float32)
        for net in (full, lean):
            net.blobs["x"].reshape(*shape)
        np.testing.assert_allclose(lean.forward(x=x)["sum"], full.forward(x=x)["sum"], atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_nets_drawn_at_random(seed: int) -> None:
    random = np.random.default_rng(seed)
    layers, blobs = [], ["x"]
    for number in range(12):
        one, other = (str(blobs[i]) for i in random.integers(max(0, len(blobs) - 4), len(blobs), 2))
        made, kind = f"b{number}", random.integers(4)
        if kind == 0:
            layers.append(power(f"p{number}", one, made))
        elif kind == 1:
            layers.append(convolution(f"c{number}", one, made, int(random.choice([1, 3]))))
        else:
            layers.append(convolution(f"c{number}", one, f"v{number}"))
            text = total(*random.permutation([other, f"v{number}"]), relu=bool(random.integers(2)), top=made)
            layers.append(re.sub('name: "(add|relu)"', rf'name: "\g<1>{number}"', text))
            layers.append(scale(f"s{number}", made))
        blobs.append(made)
    full, lean = pair(layers)
    x = random.standard_normal(SIZE).astype(np.float32)
    expected, got = full.forward(x=x), lean.forward(x=x)
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, atol=1e-5 * max(1, np.abs(values).max()), err_msg=name)
