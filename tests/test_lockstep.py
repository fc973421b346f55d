"""Convolutions that share their parameters run together in lean nets, to the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydeeplab import Net, set_random_seed
from pydeeplab.errors import ShapeError
from pydeeplab.execution import LeanExecution
from pydeeplab.layer import TEST, TRAIN
from pydeeplab.lockstep import Lockstep
from pydeeplab.resources import find_net
from pydeeplab.threads import get_num_threads, set_num_threads
from tests.support.backends import need_backend

SIZE = (1, 6, 97, 81)
"""More pixels than the engine `im2col` takes, at half the size too."""


def source(name: str = "x") -> str:
    dims = " ".join(f"dim: {n}" for n in SIZE)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'


def layer(kind: str, name: str, bottoms: str, top: str, body: str = "", params: str = "") -> str:
    ends = "".join(f'bottom: "{b}" ' for b in bottoms.split()) + f'top: "{top}" '
    shared = "".join(f'param {{ name: "{p}" }} ' for p in params.split())
    return f'layer {{ name: "{name}" type: "{kind}" {ends}{shared}{body} }}\n'


def convolution(name: str, bottom: str, top: str, params: str = "", kernel: int = 1, more: str = "") -> str:
    body = (
        f"convolution_param {{ num_output: 6 kernel_size: {kernel} pad: {kernel // 2} {more} "
        'weight_filler { type: "msra" } bias_filler { type: "gaussian" std: 1 } }'
    )
    return layer("Convolution", name, bottom, top, body, params)


def relu(blob: str, slope: float = 0.0) -> str:
    return layer("ReLU", f"{blob}_relu", blob, blob, f"relu_param {{ negative_slope: {slope} }}")


def scale(name: str, blob: str, params: str = "") -> str:
    body = 'scale_param { bias_term: true filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 } }'
    return layer("Scale", name, blob, blob, body, params)


def power(bottom: str, top: str, factor: float = -2) -> str:
    return layer("Power", f"{top}_from_{bottom}", bottom, top, f"power_param {{ scale: {factor} shift: 1 }}")


def trunk(end: str, bottom: str) -> str:
    """Two convolutions with a residual sum, and what follows; parameters belong to all trunks."""
    a, b, c, total = (f"{n}{end}" for n in ("a", "b", "c", "sum"))
    return (
        convolution(a, bottom, a, "aw ab")
        + scale(f"scale_{a}", a, "sw sb")
        + relu(a)
        + convolution(b, a, b, "bw bb", 3, "stride: 2")
        + relu(b)
        + convolution(c, b, c, "cw cb")
        + scale(f"scale_{c}", c, "tw tb")
        + layer("Eltwise", total, f"{c} {b}", total)
        + relu(total)
        + layer("Interp", f"out{end}", total, f"out{end}", "interp_param { height: 20 width: 20 }")
    )


SCALES = {"": "x", "_75": "x75", "_50": "x50"}

MULTI_SCALE = (
    source()
    + layer("Interp", "x75", "x", "x75", "interp_param { shrink_factor: 4 zoom_factor: 3 }")
    + layer("Interp", "x50", "x", "x50", "interp_param { shrink_factor: 2 }")
    + "".join(trunk(*scale) for scale in SCALES.items())
    + layer("Eltwise", "max", "out out_75 out_50", "max", "eltwise_param { operation: MAX }")
)


def build(text: str, weights: Net | None = None, phase: int = TEST, keep: str = "outputs", apart: bool = False) -> Net:
    set_random_seed(3)
    with pytest.MonkeyPatch.context() as patch:
        if apart:
            patch.setattr("pydeeplab.lean.in_lockstep", list)
        net = Net.from_text(text, phase, keep=keep)
    if weights:
        net.share_with(weights)
    return net


def image(net: Net, seed: int = 0) -> np.ndarray:
    shape = net.blobs[net.inputs[0]].shape
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def groups(net: Net) -> list[list[str]]:
    """The first layers of the parts of each step of several."""
    assert isinstance(net._execution, LeanExecution)
    steps = net._execution.plan.nodes
    return [[part.nodes[0].name for part in step.parts] for step in steps if isinstance(step, Lockstep)]


def check(text: str, phase: int = TEST) -> list[list[str]]:
    """Compare with the net whose steps stay apart, and with the one that keeps all; returns what runs together."""
    full = build(text, phase=phase, keep="all")
    apart, together = build(text, full, phase, apart=True), build(text, full, phase)
    assert not groups(apart)
    for seed in range(3):
        x = image(full, seed)
        expected, same, got = (dict(net.forward(x=x)) for net in (full, apart, together))
        for name, values in got.items():
            np.testing.assert_array_equal(values, same[name])
            np.testing.assert_allclose(values, expected[name], atol=1e-5 * np.abs(expected[name]).max())
    return groups(together)


TOGETHER = [["a", "a_75", "a_50"], ["b", "b_75", "b_50"], ["c", "c_75", "c_50"]]


def test_the_trunks_of_several_scales_run_together() -> None:
    assert check(MULTI_SCALE) == TOGETHER


def test_threads_do_not_change_a_bit() -> None:
    full = build(MULTI_SCALE, keep="all")
    apart, together = build(MULTI_SCALE, full, apart=True), build(MULTI_SCALE, full)
    x, before = image(full), get_num_threads()
    expected = apart.forward(x=x)["max"].copy()
    try:
        for threads in (1, 2, 4, 16):
            set_num_threads(threads)
            np.testing.assert_array_equal(together.forward(x=x)["max"], expected)
    finally:
        set_num_threads(before)


def test_the_net_of_the_paper_has_one_trunk() -> None:
    net = Net(find_net("voc12/resnet101_aspp_msc"), TEST, keep="outputs")
    assert isinstance(net._execution, LeanExecution)
    pointwise = [
        len(getattr(step, "parts", [step]))
        for step in net._execution.plan.nodes
        if step.layer.type == "Convolution" and step.layer.param.convolution_param.kernel_size[0] == 1
    ]
    assert pointwise == [3] * 70


def test_what_differs_stays_apart() -> None:
    """In a parameter, a setting, or in what is merged; the convolutions' parameters are the same."""
    a, b = convolution("a", "x", "a", "w b"), convolution("b", "x", "b", "w b")
    assert check(source() + a + b) == [["a", "b"]]
    assert check(source() + a + scale("sa", "a", "sw sb") + b + scale("sb", "b", "sw sb")) == [["a", "b"]]
    assert check(source() + a + scale("sa", "a", "sw sb") + b + scale("sb", "b", "tw tb")) == []
    assert check(source() + a + relu("a") + b + relu("b")) == [["a", "b"]]
    assert check(source() + a + relu("a") + b + relu("b", 0.1)) == []
    assert check(source() + a + b + relu("b")) == []
    assert check(source() + a + convolution("b", "x", "b", "w c")) == []
    assert check(source() + a + convolution("b", "x", "b", "w b", more="stride: 2")) == []


def test_what_needs_the_other_runs_behind_it() -> None:
    text = source() + convolution("a", "x", "a", "w b") + convolution("b", "a", "b", "w b")
    assert check(text) == []
    assert check(text + convolution("c", "x", "c", "w b")) == [["a", "c"]]
    crossing = convolution("d", "b", "d", "v") + convolution("e", "x", "e", "v") + convolution("f", "e", "f", "w b")
    assert check(text + crossing) == [["a", "f"]]


def test_memory_that_changes_is_read_before() -> None:
    """The memory of p is that of q, which changes in place behind a."""
    text = (
        source()
        + power("x", "p")
        + convolution("a", "p", "a", "w b")
        + layer("Reshape", "q", "p", "q", "reshape_param { shape { dim: 0 dim: 0 dim: 0 dim: 0 } }")
        + relu("q")
        + convolution("b", "q", "b", "w b")
        + convolution("c", "x", "c", "w b")
    )
    assert check(text) == [["a", "c"]]


def residual(end: str, image: str, other: str) -> str:
    conv = convolution(f"r{end}", image, f"r{end}", "rw rb")
    return conv + layer("Eltwise", f"s{end}", f"r{end} {other}", f"s{end}")


def test_sums_take_the_memory_of_terms_that_only_they_read() -> None:
    start = source() + "".join(power("x", f"p{i}", i + 2) for i in range(4))
    text = start + residual("0", "p0", "p1") + residual("1", "p2", "p3")
    assert check(text) == [["r0", "r1"]]
    net = build(text + layer("Eltwise", "total", "s0 s1", "total"))
    found = [net.forward(x=image(net)), net.activation_bytes()][1]
    assert found == 6 * 4 * int(np.prod(SIZE))


@pytest.mark.parametrize(
    "pairs",
    [(("p0", "p1"), ("p1", "p2")), (("p0", "p1"), ("p2", "p1")), (("p0", "p1"), ("p1", "p0"))],
    ids=["image of another", "term of both", "crosswise"],
)
def test_terms_that_another_part_reads_are_not_overwritten(pairs: tuple[tuple[str, str], ...]) -> None:
    start = source() + "".join(power("x", f"p{i}", i + 2) for i in range(3))
    text = start + "".join(residual(str(i), *pair) for i, pair in enumerate(pairs))
    assert check(text + layer("Eltwise", "total", "s0 s1", "total")) == [["r0", "r1"]]


def test_parameters_that_are_shared_no_more() -> None:
    text = source() + convolution("a", "x", "a", "w b") + convolution("b", "x", "b", "w b")
    net, other = build(text), build(source() + convolution("a", "x", "a") + convolution("b", "x", "b"), keep="all")
    x = image(net)
    net.forward(x=x)
    for donor in (other, build(text, keep="all")):
        net.share_with(donor)
        expected = donor.forward(x=x)
        for name, values in net.forward(x=x).items():
            np.testing.assert_allclose(values, expected[name], atol=1e-5)
    assert not np.array_equal(other.params["a"][0].data, other.params["b"][0].data)


def test_other_sizes() -> None:
    full = build(MULTI_SCALE, keep="all")
    net = build(MULTI_SCALE, full)
    for size in ((129, 97), (33, 33), (97, 81)):
        for each in (full, net):
            each.blobs["x"].reshape(1, 6, *size)
        x = image(full)
        expected = full.forward(x=x)["max"]
        np.testing.assert_allclose(net.forward(x=x)["max"], expected, atol=1e-5 * np.abs(expected).max())


def test_layers_with_a_state_keep_their_order() -> None:
    """Random numbers are drawn by the same layer in the same order."""
    noise = [
        layer("Pooling", f"n{i}", f"c{i}", f"n{i}", "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }")
        for i in range(2)
    ]
    starts = [convolution(f"c{i}", "x", f"c{i}", "w b") + relu(f"c{i}") for i in range(2)]
    ends = [convolution(f"d{i}", f"n{i}", f"d{i}", "v u") for i in range(2)]
    text = source() + "".join(starts[i] + noise[i] + ends[i] for i in range(2))
    results = []
    for apart in (True, False):
        net = build(text, phase=TRAIN, apart=apart)
        results.append({k: v.copy() for k, v in net.forward(x=image(net)).items()})
    for name, values in results[0].items():
        np.testing.assert_array_equal(results[1][name], values)
    assert groups(net) == [["c0", "c1"], ["d0", "d1"]]


def test_errors_name_the_layer_that_has_them() -> None:
    text = source() + source("y") + convolution("a", "x", "a", "w b") + convolution("b", "y", "b", "w b")
    net = build(text)
    assert groups(net) == [["a", "b"]]
    net.blobs["y"].reshape(1, 5, 40, 40)
    with pytest.raises(ShapeError, match=r"layer 'b'.*6 channels"):
        net.forward()


def test_an_error_does_not_last() -> None:
    """When the second picture is refused the first has its new shape already."""
    convolutions = [
        layer(
            "Convolution",
            name,
            bottom,
            name,
            'convolution_param { num_output: 16 kernel_size: 5 weight_filler { type: "msra" } }',
            "w b",
        )
        for name, bottom in (("a", "x"), ("b", "y"))
    ]
    text = source() + source("y") + "".join(convolutions)
    full, net = build(text, keep="all"), build(text)
    net.share_with(full)

    def resize(x: tuple[int, int], y: tuple[int, int]) -> None:
        for each in (full, net):
            each.blobs["x"].reshape(1, 6, *x)
            each.blobs["y"].reshape(1, 6, *y)

    resize((40, 40), (40, 40))
    net.forward()
    resize((10, 40), (2, 40))
    with pytest.raises(ShapeError, match="layer 'b'") as caught:
        net.forward()
    assert str(caught.value).count("layer '") == 1
    resize((10, 40), (40, 40))
    images = {name: np.random.default_rng(0).standard_normal(net.blobs[name].shape).astype(np.float32) for name in "xy"}
    expected = full.forward(**images)
    for name, values in net.forward(**images).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5)


@pytest.mark.parametrize("backend", ["reference", "cuda-emulation"])
def test_other_backends_run_one_after_the_other(backend: str) -> None:
    need_backend(backend)
    set_random_seed(3)
    net = Net.from_text(MULTI_SCALE, TEST, keep="outputs", backend=backend)
    assert groups(net) == (TOGETHER if backend == "reference" else [])
    full = build(MULTI_SCALE, keep="all")
    x = image(full)
    expected = full.forward(x=x)["max"]
    np.testing.assert_allclose(net.forward(x=x)["max"], expected, atol=1e-4 * np.abs(expected).max())


CHOICES = st.lists(
    st.tuples(st.sampled_from(["v", "w", "sum", "power", "relu"]), st.integers(0, 99), st.integers(0, 99)),
    min_size=2,
    max_size=14,
)


@settings(max_examples=60)
@given(CHOICES)
def test_nets_of_any_wiring(choices: list[tuple[str, int, int]]) -> None:
    """Each layer reads any blobs before it; two sets of parameters are shared by many."""
    text, blobs = source(), ["x"]
    for i, (what, first, second) in enumerate(choices):
        one, other, top = blobs[first % len(blobs)], blobs[second % len(blobs)], f"t{i}"
        if what == "sum" and one != other:
            text += layer("Eltwise", top, f"{one} {other}", top, "eltwise_param { coeff: 1 coeff: 1 }")
        elif what in ("v", "w"):
            text += convolution(top, one, top, f"{what} {what}b")
        elif what == "relu" and one != "x":
            text += layer("ReLU", top, one, one)
            continue
        else:
            text += power(one, top, 0.5)
        blobs.append(top)
    check(text)
