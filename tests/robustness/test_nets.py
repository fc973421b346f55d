"""Nets that cannot work: every layer type with wrong shapes, empty blobs and odd values; wrong wiring; absurd sizes."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pydeeplab import TEST, TRAIN, Net
from pydeeplab.backend import room
from pydeeplab.errors import LayerError, PydeeplabError, UnsupportedError, UsageError
from pydeeplab.layer import known_layers, layer_class
from tests.robustness.layer_params import PARAMS, READ_FILES, SHAPES, SUITING

Shapes = tuple[tuple[int, ...], ...]
Values = Callable[[int, tuple[int, ...]], np.ndarray]

RANDOM = np.random.default_rng(5)
EXTREMES = np.array([np.nan, np.inf, -np.inf, -1, 1e9, 2.0**31, -(2.0**31), 3e38, 0.5, 255])
VALUES: dict[str, Values] = {
    "ordinary": lambda i, shape: RANDOM.integers(0, 2, shape) if i else RANDOM.standard_normal(shape),
    "NaN": lambda i, shape: np.full(shape, np.nan),
    "extremes": lambda i, shape: RANDOM.choice(EXTREMES, shape),
    "NaN labels": lambda i, shape: np.full(shape, np.nan if i else 1),
    "huge labels": lambda i, shape: np.full(shape, 2.0**31 if i else 1),
    "NaN scores": lambda i, shape: np.full(shape, 0 if i else np.nan),
}


def input_layer(name: str, shape: tuple[int, ...]) -> str:
    dims = " ".join(f"dim: {d}" for d in shape)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'


def net_text(kind: str, shapes: Shapes, tops: int, param: str) -> str:
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    names = " ".join(f'top: "y{i}"' for i in range(tops))
    inputs = "".join(input_layer(f"x{i}", shape) for i, shape in enumerate(shapes))
    return f'force_backward: true\n{inputs}layer {{ name: "L" type: "{kind}" {bottoms} {names} {param} }}\n'


def combinations(kind: str) -> Iterator[Shapes]:
    """Shapes of all bottoms."""
    least, most = layer_class(kind).bottom_count
    for count in range(least, min(most or 3, 3) + 1):
        if count == 2:
            yield from itertools.product(SHAPES, SHAPES)
        else:
            yield from ((shape,) * count for shape in SHAPES)
    yield from SUITING.get(kind, ())


def refused(error: Exception) -> bool:
    """Whether an error is one of ours that says which layer it is, and where."""
    placed = "<text>:" in str(error) and ("layer 'L'" in str(error) or not isinstance(error, LayerError))
    return isinstance(error, PydeeplabError) and (placed or isinstance(error, UnsupportedError))


def run(net: Net, values: Values, backward: bool) -> None:
    """One pass, which may be refused."""
    for i, name in enumerate(net.inputs):
        net.blobs[name].data[...] = values(i, net.blobs[name].shape)
    try:
        net.forward()
        if backward:
            net.backward()
    except Exception as error:
        if not refused(error):
            raise


def build(text: str, phase: int, keep: str = "all") -> Net | None:
    """The net, or None if it is refused."""
    try:
        return Net.from_text(text, phase, keep=keep)
    except Exception as error:
        if not refused(error):
            raise
        return None


@pytest.mark.parametrize("kind", [k for k in known_layers() if k not in READ_FILES])
def test_every_layer_works_or_says_why_not(kind: str) -> None:
    cls = layer_class(kind)
    least, most = cls.top_count
    built = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for param, shapes in itertools.product(PARAMS.get(kind, ("",)), combinations(kind)):
            tops = len(shapes) if cls.equal_bottoms_and_tops else min(max(least, 1), 9 if most is None else most)
            text = net_text(kind, shapes, tops, param)
            net = build(text, TRAIN)
            if net is None:
                continue
            built += 1
            for values in VALUES.values():
                run(net, values, backward=True)
            if lean := build(text, TEST, "outputs"):
                run(lean, VALUES["extremes"], backward=False)
    assert built


NUMBERS = [0, 1, 3, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, -1, -(2**31), 2**63 - 1, -(2**63)]
SIZES = {
    "Convolution": ("convolution_param", "num_output: 2 kernel_size: 1", "kernel_size stride pad dilation group axis"),
    "Deconvolution": ("convolution_param", "num_output: 2 kernel_size: 1", "kernel_size stride pad dilation group"),
    "Im2col": ("convolution_param", "kernel_size: 1", "kernel_size stride dilation axis"),
    "Pooling": ("pooling_param", "kernel_size: 2", "kernel_size stride pad"),
    "Unpooling": ("unpooling_param", "kernel_size: 2", "kernel_size stride pad"),
    "Crop": ("crop_param", "axis: 2", "axis offset"),
    "Slice": ("slice_param", "", "axis slice_dim slice_point"),
    "Concat": ("concat_param", "", "axis concat_dim"),
    "Flatten": ("flatten_param", "", "axis end_axis"),
    "Reshape": ("reshape_param", "shape { dim: -1 }", "axis num_axes shape{dim:?}"),
    "Permute": ("permute_param", "", "order"),
    "Softmax": ("softmax_param", "", "axis"),
    "SoftmaxWithLoss": ("loss_param", "", "ignore_label ignore_labels"),
    "Accuracy": ("accuracy_param", "", "top_k axis ignore_label"),
    "SegAccuracy": ("seg_accuracy_param", "", "ignore_label"),
    "ArgMax": ("argmax_param", "", "top_k axis"),
    "Interp": ("interp_param", "height: 3 width: 4", "pad_beg pad_end shrink_factor"),
    "Padding": ("padding_param", "", "pad_beg pad_end"),
    "LRN": ("lrn_param", "", "local_size"),
    "SPP": ("spp_param", "", "pyramid_height"),
    "Reduction": ("reduction_param", "", "axis"),
    "Scale": ("scale_param", "", "axis num_axes"),
    "Bias": ("bias_param", "", "axis num_axes"),
    "UniqueLabel": ("unique_label_param", "", "ignore_label force_label"),
    "InnerProduct": ("inner_product_param", "num_output: 2", "axis"),
}
LARGE = 10**7


@pytest.mark.parametrize("kind", SIZES)
def test_absurd_sizes(kind: str) -> None:
    """Each number is refused by the parser or the layer, or computed with: no overflow, no wrapped sizes."""
    message, base, fields = SIZES[kind]
    bottoms = {2: ((2, 3, 8, 9), (2, 3, 4, 5))}.get(layer_class(kind).bottom_count[0], ((2, 3, 8, 9),))
    if "Accuracy" in kind or "Loss" in kind:
        bottoms = ((2, 3, 8, 9), (2, 1, 8, 9))
    elif kind == "UniqueLabel":
        bottoms = ((2, 1, 8, 9),)
    for field, number in itertools.product(fields.split(), NUMBERS):
        given = field.replace("?", str(number)) if "?" in field else f"{field}: {number}"
        kept = " ".join(part for part in [base] if not part.startswith(f"{field}:"))
        text = net_text(kind, bottoms, 2 if kind == "Slice" else 1, f"{message} {{ {kept} {given} }}")
        net = build(text, TRAIN)
        if net and all(blob.count < LARGE for blob in net._blobs):
            run(net, VALUES["ordinary"], backward=True)


@pytest.mark.parametrize(
    "dims", [(2**31 - 1, 2), (2**31,), (2**62, 4), (-1, 3), (-(2**63),), (65536, 65536), (1,) * 40]
)
def test_absurd_inputs(dims: tuple[int, ...]) -> None:
    net = build(input_layer("L", dims) + 'layer { name: "r" type: "ReLU" bottom: "L" top: "y" }', TEST)
    assert net is None or net.blobs["L"].shape == net.blobs["y"].shape == dims


INNER = 'layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: {} {} }} }}'


class TestMemory:
    def test_what_does_not_fit_is_refused_before_it_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(room, "available_bytes", lambda: 2**30)
        net = input_layer("x", (2, 3)) + INNER.format(2**28, 'weight_filler { type: "xavier" }')
        with pytest.raises(LayerError, match=r"<text>:2:1: layer 'ip'.*more memory.*3.0 GiB at once, 1.0 GiB are free"):
            Net.from_text(net)

    def test_in_a_pass_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        net = Net.from_text(input_layer("x", (2, 3)) + 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }')
        net.blobs["x"].reshape(2**14, 2**13)
        net.blobs["x"].data[0] = 1
        monkeypatch.setattr(room, "available_bytes", lambda: 2**28)
        with pytest.raises(LayerError, match=r"layer 'r' \(ReLU\): needs more memory"):
            net.forward()
        monkeypatch.undo()
        net.blobs["x"].reshape(1, 2)
        net.blobs["x"].data[...] = [[-1, 2]]
        np.testing.assert_array_equal(net.forward()["y"], [[0, 2]])

    def test_the_system_tells(self) -> None:
        available = room.available_bytes()
        assert available is None or available > 2**20
        room.check_room(room.LARGE)


WIRING = {
    "cycle": ('bottom: "b" top: "a"', 'bottom: "a" top: "b"', "may not form a cycle"),
    "itself": ('bottom: "a" top: "a"', 'bottom: "x" top: "b"', "only made by itself"),
    "dangling": ('bottom: "y" top: "a"', 'bottom: "x" top: "b"', "bottom 'y' is no layer's top"),
    "misspelt": ('bottom: "x" top: "abcd"', 'bottom: "abce" top: "b"', "Did you mean 'abcd'"),
    "two makers": ('bottom: "x" top: "a"', 'bottom: "x" top: "a"', "already made by layer 'one'"),
    "input overwritten": ('bottom: "x" top: "a"', 'bottom: "a" top: "x"', "already made by layer 'x'"),
    "no bottom": ('top: "a"', 'bottom: "x" top: "b"', r"takes 1 bottom blob\(s\), got 0"),
    "no top": ('bottom: "x"', 'bottom: "x" top: "b"', r"takes 1 top blob\(s\), got 0"),
    "two tops": ('bottom: "x" top: "a" top: "c"', 'bottom: "x" top: "b"', r"takes 1 top blob\(s\), got 2"),
    "propagation": ('bottom: "x" top: "a" propagate_down: true propagate_down: true', "", "2 propagate_down entries"),
    "loss weights": ('bottom: "x" top: "a" loss_weight: 1 loss_weight: 1', "", "2 loss_weight entries"),
    "params": ('bottom: "x" top: "a" param { name: "w" }', "", "0 parameter blobs but 1 'param' entries"),
}


@pytest.mark.parametrize("case", WIRING)
def test_wrong_wiring(case: str) -> None:
    first, second, message = WIRING[case]
    text = input_layer("x", (2, 3)) + f'layer {{ name: "one" type: "TanH" {first} }}\n'
    if second:
        text += f'layer {{ name: "two" type: "TanH" {second} }}\n'
    with pytest.raises(PydeeplabError, match=rf"^<text>:\d+:\d+: layer '(one|two)' \(TanH\): .*{message}"):
        Net.from_text(text)


@pytest.mark.parametrize("kind", [k for k in known_layers() if k not in READ_FILES])
def test_in_place(kind: str) -> None:
    """A layer that cannot work in place says so; one that can computes the same in place."""
    cls = layer_class(kind)
    if cls.bottom_count[0] != 1 or not cls.top_count[1]:
        pytest.skip("takes another number of blobs")
    text = net_text(kind, ((2, 3, 4, 5),), 1, PARAMS.get(kind, ("",))[0])
    in_place = text.replace('top: "y0"', 'top: "x0"')
    if not cls.in_place:
        with pytest.raises(LayerError, match="cannot work in place"):
            Net.from_text(in_place)
        return
    values = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    results = []
    for version in (text, in_place):
        net = Net.from_text(version)
        net.blobs["x0"].data[...] = values
        results.append(next(iter(net.forward().values())).copy())
    np.testing.assert_array_equal(*results)


def test_layers_of_one_name_are_told_apart_by_place() -> None:
    text = input_layer("x", (2, 3)) + "".join(
        f'layer {{ name: "same" type: "{kind}" bottom: "x" top: "{top}" }}\n'
        for kind, top in (("ReLU", "a"), ("LRN", "b"))
    )
    with pytest.raises(LayerError, match=r"<text>:3:1: layer 'same' \(LRN\)"):
        Net.from_text(text)


def test_inputs_of_a_net_are_placed_too() -> None:
    with pytest.raises(LayerError, match=r"^<text>.*layer 'input'.*must not be negative"):
        Net.from_text('input: "x" input_dim: 1 input_dim: -3 input_dim: 4 input_dim: 4')


class TestArguments:
    net = Net.from_text(input_layer("x", (2, 3)) + 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }')

    @pytest.mark.parametrize("values", ["text", [[1, 2], [3]], np.zeros((2, 4)), np.zeros((2, 3), complex), {}, None])
    def test_values(self, values: object) -> None:
        with pytest.raises(UsageError, match="'x'"):
            self.net.forward(x=values)

    def test_names_are_checked_before_anything_runs(self) -> None:
        self.net.blobs["y"].data[...] = 7
        with pytest.raises(UsageError, match="no blob 'z'"):
            self.net.forward(blobs=["z"])
        assert (self.net.blobs["y"].data == 7).all()

    @pytest.mark.parametrize(
        "options", [{"level": 2**31}, {"phase": 7}, {"inputs": {"x": ("a",)}}, {"inputs": {"x": 3}}]
    )
    def test_options(self, options: dict[str, object]) -> None:
        with pytest.raises(UsageError):
            Net.from_text(input_layer("x", (2, 3)), **options)

    def test_a_stage_may_be_a_word(self) -> None:
        text = (
            input_layer("x", (2, 3)) + 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" include { stage: "abc" } }'
        )
        assert Net.from_text(text, stages="abc").outputs == ["y"]

    def test_nothing_is_shared_if_something_does_not_fit(self) -> None:
        nets = [
            Net.from_text(
                input_layer("x", (2, 3))
                + INNER.format(4, "").replace("ip", "first").replace('"y"', '"z"')
                + INNER.format(size, "")
            )
            for size in (2, 5)
        ]
        before = nets[0].params["first"][0].data_storage
        with pytest.raises(PydeeplabError, match="cannot share weights of layer 'ip'"):
            nets[0].share_with(nets[1])
        assert nets[0].params["first"][0].data_storage is before
