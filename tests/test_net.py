"""Nets: what they look like from outside, how they run, and what is said when a prototxt makes no sense."""

from pathlib import Path

import numpy as np
import pytest

import pydeeplab
from pydeeplab import TEST, TRAIN, Net
from pydeeplab.errors import LayerError, PrototxtError, ShapeError, UsageError, WeightsError
from pydeeplab.proto import parse_net

TWO_BRANCHES = """
name: "two"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "left" type: "Pooling" bottom: "conv" top: "left" pooling_param { kernel_size: 3 } }
layer { name: "right" type: "Sigmoid" bottom: "conv" top: "right" }
"""

LOSS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 5 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 4 } } }
layer { name: "frozen" type: "InnerProduct" bottom: "data" top: "frozen" param { lr_mult: 0 } param { lr_mult: 0 }
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "fc" type: "InnerProduct" bottom: "frozen" top: "fc"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" loss_weight: 2 }
layer { name: "aside" type: "Power" bottom: "frozen" top: "aside" }
"""


def refused(text: str, error: type[Exception], *parts: str, phase: int = TEST) -> None:
    with pytest.raises(error) as caught:
        Net.from_text(text, phase, filename="net.prototxt")
    for part in parts:
        assert part in str(caught.value), str(caught.value)


class TestShape:
    def test_names_are_those_of_caffe(self) -> None:
        net = Net.from_text(TWO_BRANCHES)
        split = "conv_relu_0_split"
        assert list(net._layer_names) == ["data", "conv", "relu", split, "left", "right"]
        assert list(net.blobs) == ["data", "conv", f"{split}_0", f"{split}_1", "left", "right"]
        assert net.inputs == ["data"]
        assert net.outputs == ["left", "right"]
        assert net.top_names["conv"] == ["conv"]
        assert net.bottom_names["right"] == [f"{split}_1"]
        assert list(net.params) == ["conv"]
        assert [layer.type for layer in net.layers] == ["Input", "Convolution", "ReLU", "Split", "Pooling", "Sigmoid"]
        assert net.layer_dict["left"].type == "Pooling"
        assert net.name == "two"

    def test_bottom_and_top_ids_index_the_blobs(self) -> None:
        net = Net.from_text(TWO_BRANCHES)
        names = net._blob_names
        assert [names[i] for i in net._bottom_ids(5)] == net.bottom_names["right"]
        assert [names[i] for i in net._top_ids(1)] == ["conv"]
        assert [names[i] for i in net._inputs] == net.inputs
        assert [names[i] for i in net._outputs] == net.outputs

    def test_phase_rules(self) -> None:
        text = TWO_BRANCHES.replace('name: "right"', 'name: "right" include { phase: TRAIN }')
        assert "right" in Net.from_text(text, TRAIN).blobs
        assert "right" not in Net.from_text(text, TEST).blobs

    def test_stages_and_levels(self) -> None:
        text = TWO_BRANCHES.replace('name: "right"', 'name: "right" include { stage: "deploy" min_level: 2 }')
        assert "right" not in Net.from_text(text, stages=["deploy"]).blobs
        assert "right" in Net.from_text(text, stages=["deploy"], level=2).blobs

    def test_inputs_can_be_given_other_shapes(self) -> None:
        assert Net.from_text(TWO_BRANCHES, inputs={"data": (1, 3, 33, 17)}).blobs["conv"].shape == (1, 4, 33, 17)


class TestRunning:
    def test_forward_returns_live_views_of_the_outputs(self) -> None:
        net = Net.from_text(TWO_BRANCHES)
        first = net.forward(data=np.ones((2, 3, 9, 7)))
        assert set(first) == {"left", "right"}
        before = first["left"].copy()
        net.forward(data=2 * np.ones((2, 3, 9, 7)))
        assert not np.array_equal(before, first["left"])
        assert first["left"].base is not None

    def test_extra_blobs_and_ranges_of_layers(self) -> None:
        net = Net.from_text(TWO_BRANCHES)
        net.blobs["data"].data[...] = 1
        assert set(net.forward(["conv"])) == {"left", "right", "conv"}
        assert set(net.forward(end="relu")) == {"conv"}
        net.blobs["conv"].data[...] = 0
        assert not net.forward(start="left", end="left")["left"].any()

    def test_stopping_at_a_layer_with_tops_that_have_no_name(self) -> None:
        loss = 'layer { name: "loss" type: "EuclideanLoss" bottom: "left" bottom: "left" }'
        assert Net.from_text(TWO_BRANCHES + loss).forward(end="loss") == {}

    def test_wrong_inputs_are_refused(self) -> None:
        net = Net.from_text(TWO_BRANCHES)
        with pytest.raises(Exception, match="Input blob arguments do not match net inputs"):
            net.forward(dat=np.ones(3))
        with pytest.raises(Exception, match="Input is not batch sized"):
            net.forward(data=np.ones((3, 3, 9, 7)))
        with pytest.raises(UsageError, match="Did you mean 'relu'"):
            net.forward(end="rely")

    def test_reshape_passes_through(self) -> None:
        net = Net.from_text(TWO_BRANCHES)
        net.blobs["data"].reshape(1, 3, 21, 5)
        net.reshape()
        assert net.blobs["left"].shape == (1, 4, 19, 3)
        net.blobs["data"].reshape(5, 3, 9, 7)
        net.forward()
        assert net.blobs["left"].shape == (5, 4, 7, 5)

    def test_callbacks_see_every_layer(self) -> None:
        net = Net.from_text(TWO_BRANCHES)
        seen: list[tuple[str, int]] = []
        net.before_forward(lambda i: seen.append(("before", i)))
        net.after_forward(lambda i: seen.append(("after", i)))
        net.forward(end="conv")
        assert seen == [("before", 0), ("after", 0), ("before", 1), ("after", 1)]

    def test_same_seed_same_fillers(self) -> None:
        def weights() -> np.ndarray:
            pydeeplab.set_random_seed(3)
            return Net.from_text(TWO_BRANCHES).params["conv"][0].data.copy()

        np.testing.assert_array_equal(weights(), weights())


class TestBackward:
    def test_loss_weight_scales_loss_and_gradient(self) -> None:
        net = Net.from_text(LOSS, TRAIN)
        net.blobs["data"].data[...] = np.random.default_rng(0).standard_normal((4, 5))
        loss = net._forward(0, len(net.layers) - 1)
        assert loss == pytest.approx(2 * float(net.blobs["loss"].data), rel=1e-6)
        assert net.blob_loss_weights["loss"] == 2
        net.clear_param_diffs()
        net.backward()
        probabilities = np.exp(net.blobs["fc"].data)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        probabilities[:, 0] -= 1
        np.testing.assert_allclose(net.blobs["fc"].diff, 2 * probabilities / 4, atol=1e-6)

    def test_back_propagation_is_pruned(self) -> None:
        net = Net.from_text(LOSS, TRAIN)
        need = {node.name: node.need_backward for node in net.nodes}
        assert need["fc"]
        assert need["loss"]
        assert not need["frozen"]
        assert not need["aside"]

    def test_force_backward(self) -> None:
        net = Net.from_text("force_backward: true\n" + LOSS, TRAIN)
        assert all(node.need_backward for node in net.nodes)
        loss = next(n for n in net.nodes if n.name == "loss")
        assert loss.propagate_down == [True, False]

    def test_propagate_down_stops_a_gradient(self) -> None:
        text = LOSS.replace("lr_mult: 0", "lr_mult: 1").replace('top: "fc"\n', 'top: "fc" propagate_down: false\n')
        net = Net.from_text(text, TRAIN)
        assert not next(n for n in net.nodes if n.name == "frozen").need_backward

    def test_gradients_of_parameters_accumulate(self) -> None:
        net = Net.from_text(LOSS, TRAIN)
        net.blobs["data"].data[...] = 1
        net.forward()
        net.clear_param_diffs()
        net.backward()
        once = net.params["fc"][0].diff.copy()
        net.backward()
        np.testing.assert_allclose(net.params["fc"][0].diff, 2 * once, rtol=1e-6)


class TestSharedParameters:
    TEXT = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 } } }
    layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" lr_mult: 3 } param { name: "b" }
      inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
    layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { name: "b" lr_mult: 2 }
      inner_product_param { num_output: 4 } }
    """

    def test_memory_and_multipliers_are_shared(self) -> None:
        net = Net.from_text(self.TEXT)
        net.params["b"][0].data[...] = 5
        assert (net.params["a"][0].data == 5).all()
        learnable = net.learnable_params
        assert [(p.layer.name, p.lr_mult) for p in learnable] == [("a", 3), ("a", 2)]
        assert net.shared_blob(2, 0)
        assert not net.shared_blob(1, 0)

    def test_conflicts_are_refused(self) -> None:
        refused(self.TEXT.replace("num_output: 4 }", "num_output: 5 }"), ShapeError, "'w'", "(4, 4)", "(5, 4)")
        refused(self.TEXT.replace('name: "w" }', 'name: "w" lr_mult: 1 }'), LayerError, "lr_mult 3", "here 1")

    def test_share_with_another_net(self) -> None:
        one, two = Net.from_text(self.TEXT), Net.from_text(self.TEXT)
        two.share_with(one)
        one.params["a"][0].data[...] = 8
        assert (two.params["b"][0].data == 8).all()


class TestErrors:
    def test_dangling_bottom(self) -> None:
        text = TWO_BRANCHES.replace('bottom: "conv" top: "right"', 'bottom: "cnov" top: "right"')
        refused(text, PrototxtError, "net.prototxt:8:", "'right'", "'cnov'", "Did you mean 'conv'")

    def test_cycle(self) -> None:
        text = TWO_BRANCHES.replace('bottom: "data" top: "conv"', 'bottom: "right" top: "conv"')
        refused(text, PrototxtError, "net.prototxt:4:", "only made by layer 'right'", "cycle")

    def test_own_top_as_bottom(self) -> None:
        refused('layer { name: "a" type: "ReLU" bottom: "x" top: "x" }', PrototxtError, "only made by itself")

    def test_two_makers(self) -> None:
        text = TWO_BRANCHES.replace('top: "right"', 'top: "left"')
        refused(text, PrototxtError, "net.prototxt:8:", "already made by layer 'left'")

    def test_unknown_type(self) -> None:
        refused(TWO_BRANCHES.replace('"Sigmoid"', '"Sigmiod"'), LayerError, "net.prototxt:8:", "Did you mean 'Sigmoid'")

    def test_wrong_number_of_blobs(self) -> None:
        text = TWO_BRANCHES.replace('bottom: "conv" top: "right"', 'bottom: "conv" bottom: "data" top: "right"')
        refused(text, LayerError, "net.prototxt:8:", "'right' (Sigmoid)", "takes 1 bottom", "got 2")

    def test_bad_shape_names_layer_and_place(self) -> None:
        text = TWO_BRANCHES.replace("kernel_size: 3 }", "kernel_size: 0 }")
        refused(text, LayerError, "net.prototxt:7:", "'left' (Pooling)")

    def test_huge_dimensions(self) -> None:
        text = TWO_BRANCHES.replace("dim: 9 dim: 7", "dim: 900000 dim: 700000")
        refused(text, ShapeError, "net.prototxt:3:", "'data'", "at most 2147483647")

    def test_in_place_where_it_cannot_work(self) -> None:
        text = TWO_BRANCHES.replace('bottom: "conv" top: "left"', 'bottom: "conv" top: "conv"')
        refused(text.replace('bottom: "conv" top: "right"', 'bottom: "data" top: "right"'), LayerError, "in place")

    def test_too_many_param_entries(self) -> None:
        text = TWO_BRANCHES.replace('type: "ReLU"', 'type: "ReLU" param { lr_mult: 1 }')
        refused(text, LayerError, "0 parameter blobs but 1")

    def test_loss_weights_do_not_match(self) -> None:
        refused(
            LOSS.replace("loss_weight: 2", "loss_weight: 2 loss_weight: 1 loss_weight: 1"), LayerError, "loss_weight"
        )

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match=r"nowhere\.prototxt"):
            Net(tmp_path / "nowhere.prototxt", TEST)

    @pytest.mark.parametrize("option", [{"engine": "CUDA"}, {"backend": "gpu"}, {"phase": 2}, {"dtype": np.float64}])
    def test_bad_options(self, option: dict[str, object]) -> None:
        with pytest.raises(UsageError):
            Net.from_text(TWO_BRANCHES, **option)  # type: ignore[arg-type]


class TestWeights:
    @pytest.mark.parametrize("suffix", [".caffemodel", ".caffemodel.h5", ".npz"])
    def test_round_trip(self, tmp_path: Path, suffix: str) -> None:
        net = Net.from_text(TWO_BRANCHES)
        path = tmp_path / f"net{suffix}"
        net.save(path)
        other = Net.from_text(TWO_BRANCHES)
        report = other.copy_from(path)
        assert not report.missing
        np.testing.assert_array_equal(other.params["conv"][0].data, net.params["conv"][0].data)
        x = np.random.default_rng(0).standard_normal((2, 3, 9, 7))
        np.testing.assert_array_equal(net.forward(data=x)["left"], other.forward(data=x)["left"])

    def test_legacy_constructor(self, tmp_path: Path) -> None:
        prototxt, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
        prototxt.write_text(TWO_BRANCHES)
        Net(prototxt, TEST).save(weights)
        with pytest.deprecated_call(match="weights=file"):
            net = Net(str(prototxt), str(weights), TEST)
        assert net.phase == TEST
        assert len(net.load_reports) == 1

    def test_a_layer_that_nobody_loaded_is_an_error_when_the_net_runs(self, tmp_path: Path) -> None:
        Net.from_text(TWO_BRANCHES).save(tmp_path / "w.npz")
        text = TWO_BRANCHES.replace('name: "conv"', 'name: "conv_new"').replace(
            'weight_filler { type: "gaussian" std: 0.1 }', ""
        )
        net = Net.from_text(text, TEST, weights=tmp_path / "w.npz")
        with pytest.raises(WeightsError, match="conv_new"):
            net.forward()
        net.params["conv_new"][0].data[...] = 1
        net.forward()


class TestLean:
    CHAIN = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 15 dim: 13 } } }
    layer { name: "c1" type: "Convolution" bottom: "data" top: "c1"
      convolution_param { num_output: 8 kernel_size: 3 pad: 1 bias_term: false weight_filler { type: "msra" } } }
    layer { name: "b1" type: "BatchNorm" bottom: "c1" top: "c1" batch_norm_param { use_global_stats: true } }
    layer { name: "s1" type: "Scale" bottom: "c1" top: "c1" scale_param { bias_term: true } }
    layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" relu_param { negative_slope: 0.1 } }
    layer { name: "c2" type: "Convolution" bottom: "c1" top: "c2"
      convolution_param { num_output: 8 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "msra" } } }
    layer { name: "b2" type: "BatchNorm" bottom: "c2" top: "n2" }
    layer { name: "s2" type: "Scale" bottom: "n2" top: "n2" }
    layer { name: "sum" type: "Eltwise" bottom: "n2" bottom: "c1" top: "sum" }
    layer { name: "r2" type: "ReLU" bottom: "sum" top: "sum" }
    layer { name: "c3" type: "Convolution" bottom: "sum" top: "c3"
      convolution_param { num_output: 5 kernel_size: 1 weight_filler { type: "msra" } } }
    layer { name: "p" type: "Softmax" bottom: "c3" top: "p" }
    """

    def nets(self, **options: object) -> tuple[Net, Net]:
        pydeeplab.set_random_seed(1)
        full = Net.from_text(self.CHAIN)
        random = np.random.default_rng(2)
        for name in ("b1", "b2"):
            mean, variance, factor = full.params[name]
            mean.data[...] = random.standard_normal(8)
            variance.data[...] = random.uniform(0.5, 2, 8)
            factor.data[...] = 1.5
        for name in ("s1", "s2"):
            for blob in full.params[name]:
                blob.data[...] = random.standard_normal(8)
        lean = Net.from_text(self.CHAIN, **options)  # type: ignore[arg-type]
        lean.share_with(full)
        return full, lean

    def test_results_agree_and_stay(self) -> None:
        full, lean = self.nets(keep="outputs")
        for seed in range(3):
            x = np.random.default_rng(seed).standard_normal((1, 3, 15, 13))
            np.testing.assert_allclose(lean.forward(data=x)["p"], full.forward(data=x)["p"], atol=1e-5)
        assert lean.activation_bytes() < full.activation_bytes()

    @staticmethod
    def steps(net: Net) -> list[str]:
        names = []
        for step in net.steps():
            names.append(step.name)
            step.forward()
        return names

    def test_layers_are_merged_into_what_comes_before_them(self) -> None:
        _, lean = self.nets(keep="outputs")
        assert [step.name for step in lean.nodes] == [n.name for n in Net.from_text(self.CHAIN).nodes]
        assert self.steps(lean) == ["data", "c1+b1+s1+r1", "c1_r1_0_split", "c2+b2+s2+sum+r2", "c3", "p"]

    def test_blobs_that_are_kept_are_made(self) -> None:
        full, lean = self.nets(keep=["c2", "sum"])
        assert self.steps(lean)[3:6] == ["c2", "b2+s2", "sum+r2"]
        x = np.random.default_rng(0).standard_normal((1, 3, 15, 13))
        for name in ("c2", "sum"):
            np.testing.assert_allclose(
                lean.forward([name], data=x)[name], full.forward([name], data=x)[name], atol=1e-5
            )

    @pytest.mark.parametrize("engine", ["DEFAULT", "CAFFE"])
    @pytest.mark.parametrize("backend", ["cpu", "reference"])
    def test_every_engine_and_backend_agrees(self, engine: str, backend: str) -> None:
        full, lean = self.nets(keep="outputs", engine=engine, backend=backend)
        x = np.random.default_rng(0).standard_normal((1, 3, 15, 13))
        np.testing.assert_allclose(lean.forward(data=x)["p"], full.forward(data=x)["p"], atol=1e-5)

    SUMS = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 7 } } }
    layer { name: "a" type: "Power" bottom: "x" top: "a" power_param { scale: 2 } }
    layer { name: "b" type: "Power" bottom: "x" top: "b" power_param { shift: 1 } }
    layer { name: "c" type: "Power" bottom: "x" top: "c" power_param { scale: -3 } }
    layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" bottom: "c" top: "sum" eltwise_param {
      coeff: 0.5 coeff: 2 coeff: 1 } }
    layer { name: "relu" type: "ReLU" bottom: "sum" top: "sum" relu_param { negative_slope: SLOPE } }
    layer { name: "twice" type: "Eltwise" bottom: "sum" bottom: "sum" top: "twice" }
    layer { name: "more" type: "Eltwise" bottom: "c" bottom: "twice" top: "more" }
    """

    @pytest.mark.parametrize("slope", ["0", "0.2"])
    def test_sums_written_over_their_terms(self, slope: str) -> None:
        text = self.SUMS.replace("SLOPE", slope)
        full, lean = Net.from_text(text), Net.from_text(text, keep="outputs")
        for seed in range(3):
            x = np.random.default_rng(seed).standard_normal((2, 4, 7))
            np.testing.assert_array_equal(lean.forward(x=x)["more"], full.forward(x=x)["more"])

    def test_new_parameters_are_noticed(self) -> None:
        full, lean = self.nets(keep="outputs")
        x = np.random.default_rng(0).standard_normal((1, 3, 15, 13))
        before = lean.forward(data=x)["p"].copy()
        full.params["s1"][0].data[...] += 1
        lean_after = lean.forward(data=x)["p"]
        assert not np.allclose(before, lean_after)
        np.testing.assert_allclose(lean_after, full.forward(data=x)["p"], atol=1e-5)

    def test_other_sizes(self) -> None:
        full, lean = self.nets(keep="outputs")
        for shape in ((2, 3, 31, 9), (1, 3, 8, 8), (1, 3, 15, 13)):
            x = np.random.default_rng(0).standard_normal(shape)
            for net in (full, lean):
                net.blobs["data"].reshape(*shape)
            np.testing.assert_allclose(lean.forward(data=x)["p"], full.forward(data=x)["p"], atol=1e-5)

    def test_named_blobs_are_kept_and_others_refused(self) -> None:
        full, lean = self.nets(keep=["c2"])
        x = np.random.default_rng(0).standard_normal((1, 3, 15, 13))
        np.testing.assert_allclose(lean.forward(["c2"], data=x)["c2"], full.forward(["c2"], data=x)["c2"], atol=1e-5)
        assert list(lean.blobs) == ["data", "c2", "p"]
        with pytest.raises(UsageError, match="not kept"):
            lean.forward(["sum"])
        with pytest.raises(UsageError, match="no backward"):
            lean.backward()


def test_a_net_on_the_reference_backend_agrees_with_the_cpu() -> None:
    pydeeplab.set_random_seed(1)
    cpu = Net.from_text(TestLean.CHAIN)
    slow = Net.from_text(TestLean.CHAIN, backend="reference", dtype=np.float64)
    for name, blobs in cpu.params.items():
        for mine, theirs in zip(slow.params[name], blobs, strict=True):
            mine.data[...] = theirs.data
    x = np.random.default_rng(0).standard_normal((1, 3, 15, 13))
    np.testing.assert_allclose(cpu.forward(data=x)["p"], slow.forward(data=x)["p"], atol=1e-5)


def test_source_keeps_the_text_that_was_parsed() -> None:
    assert Net.from_source(parse_net(TWO_BRANCHES)).source.param.layer[1].name == "conv"


def test_placeholders_of_a_net_that_has_been_read_are_filled() -> None:
    with pytest.raises(UsageError, match="give defines= to what reads it"):
        Net.from_source(parse_net(TWO_BRANCHES), defines={"CLASSES": "21"})


def test_a_subclass_of_net_can_be_built_from_text() -> None:
    class Ours(Net):
        def __init__(self, file: str, mean: float):
            super().__init__(file)
            self.mean = mean

    net = Ours.from_text(TWO_BRANCHES, TRAIN)
    assert (type(net), net.phase) == (Ours, TRAIN)


def test_layers_without_tops_stand_in_the_way_of_nothing_in_lean_nets() -> None:
    silence = 'layer { name: "quiet" type: "Silence" bottom: "c1" }'
    second = 'layer { name: "c2"'
    net = Net.from_text(TestLean.CHAIN.replace(second, silence + second), keep="outputs")
    assert "quiet" in [node.name for node in net.nodes]
    assert net.forward()
