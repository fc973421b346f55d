"""Loading weights into nets: Caffe's rules, the adaptations, the report, and the advice where nothing fits."""

import json
import tracemalloc

import numpy as np
import pytest

from pydeeplab.errors import UsageError, WeightsError
from pydeeplab.formats import LayerWeights, StoredBlob, load_weights, save_weights, write_weights
from pydeeplab.formats.load import split_files

from .support import Target, counted, layer, weights

CONV = ("conv", "Convolution", [(4, 3, 2, 2), (4,)])
FC = ("fc", "InnerProduct", [(5, 12), (5,)])


def test_by_name():
    net = Target(CONV, FC, ("relu", "ReLU", []))
    file = weights(
        layer("fc", "InnerProduct", (5, 12), (5,)), layer("old", "Scale", (2,)), LayerWeights("split", "Split")
    )
    report = load_weights(net, file)
    np.testing.assert_array_equal(net["fc"][0], counted(5, 12))
    np.testing.assert_array_equal(net["fc"][1], counted(5))
    assert not net["conv"][0].any()
    assert (report.loaded, report.missing, report.unused) == (["fc"], ["conv"], ["old"])
    assert report.left_zero == ["conv"]
    assert report.parameters == 65
    assert str(report) == "loaded 1 layer (65 parameters); not in the file: conv (all ZERO); unused: old"


def test_loading_takes_the_memory_of_the_file_once(tmp_path):
    shapes = [(256, 1024), (256,)]
    path = tmp_path / "w.caffemodel"
    layers = [(f"fc{i}", "InnerProduct", shapes) for i in range(8)]
    write_weights(path, Target(*layers, fill=0.5))
    net = Target(*layers)
    tracemalloc.start()
    load_weights(net, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size < peak < 1.2 * path.stat().st_size
    assert all((array == 0.5).all() for name, *_ in layers for array in net[name])


def test_the_first_target_of_a_name_is_loaded_whatever_its_type():
    net = Target(("a", "Convolution", [(2,)]), ("a", "Scale", [(2,)]))
    load_weights(net, weights(layer("a", "Mystery", (2,))))
    np.testing.assert_array_equal(net.layers[0][2][0].data, [1, 2])
    assert not net.layers[1][2][0].data.any()


def test_a_missing_layer_with_values_is_at_its_filler():
    report = load_weights(Target(CONV, FC, fill=0.5), weights(layer("fc", "", (5, 12), (5,))))
    assert (report.missing, report.left_zero) == (["conv"], [])
    assert "not in the file: conv (left at its filler)" in str(report)


def test_legacy_shapes_are_aligned_to_the_right():
    net = Target(CONV, FC)
    file = weights(
        layer("conv", "Convolution", (4, 3, 2, 2), (1, 1, 1, 4), legacy=True),
        layer("fc", "InnerProduct", (1, 1, 5, 12), (1, 1, 1, 5), legacy=True),
    )
    report = load_weights(net, file)
    assert report.loaded == ["conv", "fc"]
    assert report.reshaped == []
    np.testing.assert_array_equal(net["fc"][0], counted(5, 12))


def test_legacy_shapes_do_not_match_five_axes():
    net = Target(("c", "Convolution", [(2, 1, 1, 1, 3)]))
    with pytest.raises(WeightsError, match="blob 0 has shape 2x1x1x1x3 in the net, 2x1x1x3 in the file"):
        load_weights(net, weights(layer("c", "Convolution", (2, 1, 1, 3), legacy=True)))


@pytest.mark.parametrize("legacy", [False, True])
def test_inner_product_into_convolution(legacy):
    net = Target(("fc6", "Convolution", [(5, 3, 2, 2), (5,)]))
    shapes = [(1, 1, 5, 12), (1, 1, 1, 5)] if legacy else [(5, 12), (5,)]
    report = load_weights(net, weights(layer("fc6", "InnerProduct", *shapes, legacy=legacy)))
    np.testing.assert_array_equal(net["fc6"][0], counted(5, 12).reshape(5, 3, 2, 2))
    assert report.reshaped == ["fc6: 5x12 to 5x3x2x2"]
    assert "adapted: fc6: 5x12 to 5x3x2x2" in str(report)


def test_convolution_into_inner_product():
    net = Target(FC)
    report = load_weights(net, weights(layer("fc", "Convolution", (5, 3, 2, 2), (5,))))
    np.testing.assert_array_equal(net["fc"][0], counted(5, 12))
    assert report.reshaped == ["fc: 5x3x2x2 to 5x12"]


@pytest.mark.parametrize(
    ("have", "want", "kind"),
    [
        ((3, 4, 2, 2), (4, 3, 2, 2), "Convolution"),  # equal counts are not enough
        ((4, 12), (6, 8), "InnerProduct"),
        ((12, 4), (4, 3, 2, 2), "Convolution"),  # other outputs
        ((4, 12), (4, 3, 2, 2), "Deconvolution"),  # not that kind of layer
        ((1, 4, 1, 1), (4, 1, 1, 1), "Convolution"),
    ],
)
def test_equal_counts_do_not_excuse_other_shapes(have, want, kind):
    net = Target(("x", kind, [want]))
    with pytest.raises(WeightsError, match="layer 'x': blob 0 has shape"):
        load_weights(net, weights(layer("x", kind, have)))
    assert not net["x"][0].any()


def test_strict_dim_false_asks_only_for_the_count():
    net = Target(("x", "Convolution", [(2, 3, 2, 2), (2,)]), strict=False)
    report = load_weights(net, weights(layer("x", "Convolution", (6, 4, 1, 1), (1, 2))))
    np.testing.assert_array_equal(net["x"][0].ravel(), counted(24))
    assert report.reshaped == ["x: 6x4x1x1 to 2x3x2x2", "x: 1x2 to 2"]
    with pytest.raises(WeightsError, match="shape 2x3x2x2 in the net, 5x5 in the file"):
        load_weights(net, weights(layer("x", "Convolution", (5, 5), (2,))))


def test_per_channel_vectors_may_be_padded():
    net = Target(("bn", "BN", [(1, 3, 1, 1), (1, 3, 1, 1)]), ("p", "PReLU", [()]), ("b", "Convolution", [(2, 1), (2,)]))
    file = weights(layer("bn", "BN", (3,), (3,)), layer("p", "PReLU", (1,)), layer("b", "", (2, 1), (1, 1, 1, 2)))
    report = load_weights(net, file)
    np.testing.assert_array_equal(net["bn"][1].ravel(), [1, 2, 3])
    np.testing.assert_array_equal(net["b"][1], [1, 2])
    assert net["p"][0] == 1
    assert report.reshaped == []


def test_classifier_of_other_classes_is_explained():
    net = Target(("fc8", "Convolution", [(7, 3, 1, 1), (7,)]), ("fc9", "InnerProduct", [(7, 3), (7,)]))
    file = weights(layer("fc8", "Convolution", (21, 3, 1, 1), (21,)), layer("fc9", "InnerProduct", (21, 3), (21,)))
    with pytest.raises(WeightsError) as caught:
        load_weights(net, file)
    message = str(caught.value)
    assert message.startswith("test.caffemodel does not fit the net: layer 'fc8': blob 0 has shape 7x3x1x1 in the net")
    for part in ("21 outputs", "the net's has 7", "'fc8' to 'fc8_mine'", "num_output: 21", "1 more layer: 'fc9'"):
        assert part in message


@pytest.mark.parametrize(
    ("net", "file", "advice"),
    [
        (("x", "Convolution", [(4, 3, 1, 1)]), ((4, 3, 3, 3),), "3x3 in the file and 1x1 in the net: set kernel_size"),
        (("x", "Convolution", [(4, 3, 1, 1)]), ((4, 6, 1, 1),), "Inputs, outputs or group differ"),
        (("x", "Convolution", [(4, 3, 1, 1)]), ((4, 3, 1, 1), (4,)), "set bias_term: true"),
        (("x", "Convolution", [(4, 3, 1, 1), (4,)]), ((4, 3, 1, 1),), "set bias_term: false"),
        (("x", "Embed", [(4, 3)]), ((4, 5),), "make the net's layer as the file's"),
        (("x", "LSTM", [(4, 3), (4,), (4, 4)]), ((4, 5),), "different kinds of layers"),
        (
            ("x", "BatchNorm", [(4,), (4,), (1,)]),
            ((4,), (4,), (1,), (4,), (4,)),
            r"add a Scale layer \(bias_term: true\)",
        ),
        (("x", "BatchNorm", [(4,), (4,), (1,)]), ((4,), (4,), (4,), (4,)), "no bias_term|other forks"),
        (("x", "BatchNorm", [(4,), (4,), (1,)]), ((4,),), "BatchNorm has 3 blobs in Caffe"),
    ],
)
def test_advice(net, file, advice):
    with pytest.raises(WeightsError, match=advice):
        load_weights(Target(net), weights(layer("x", net[1], *file)))


BN = ("bn", "BatchNorm", [(4,), (4,), (1,)])


def fused(count):
    return layer("bn", "BatchNorm", *[np.full(n, i) for i, n in enumerate((4, 4, 1, 4, 4)[:count])])


@pytest.mark.parametrize("count", [4, 5])
def test_a_fused_batch_norm_is_divided(count):
    net = Target(BN, ("scale", "Scale", [(4,)] * (count - 3)))
    report = load_weights(net, weights(fused(count)))
    assert [float(b[0]) for b in net["bn"]] == [0, 1, 2]
    assert [float(b[0]) for b in net["scale"]] == [3, 4][: count - 3]
    assert report.loaded == ["bn", "scale"]
    assert report.reshaped == [f"bn: {count} blobs divided between it and 'scale'"]


@pytest.mark.parametrize(
    "net",
    [
        Target(BN),
        Target(BN, ("relu", "ReLU", []), ("scale", "Scale", [(4,), (4,)])),
        Target(BN, ("scale", "Scale", [(4,)])),
        Target(BN, ("own", "Scale", [(4,), (4,)])),
    ],
)
def test_a_fused_batch_norm_without_its_scale_is_refused(net):
    with pytest.raises(WeightsError, match="includes scale and shift, Caffe's does not"):
        load_weights(net, weights(fused(5), layer("own", "Scale", (4,), (4,))))


def test_batch_norm_without_factor():
    net = Target(BN)
    report = load_weights(net, weights(layer("bn", "BatchNorm", (4,), (4,))))
    assert net["bn"][2] == 1
    assert len(report.reshaped) == 1


def test_a_file_that_does_not_fit_changes_nothing():
    net = Target(FC, CONV)
    with pytest.raises(WeightsError):
        load_weights(net, weights(layer("fc", "", (5, 12), (5,)), layer("conv", "", (9, 9), (4,))))
    assert not net["fc"][0].any()


def test_shared_blobs_count_once_and_are_not_missing():
    net = Target(("a", "Convolution", [(2, 3), (2,)]), ("a_half", "Convolution", [(2, 3), (2,)]))
    for i in (0, 1):
        net.share(1, i, 0)
    report = load_weights(net, weights(layer("a", "", (2, 3), (2,))))
    assert (report.loaded, report.missing, report.parameters) == (["a"], [], 8)
    np.testing.assert_array_equal(net["a_half"][0], counted(2, 3))


def test_shared_blobs_may_be_absent_from_hdf5_but_not_from_a_caffemodel(tmp_path):
    net = Target(("a", "Convolution", [(2, 3), (2,)]), ("b", "Convolution", [(2, 3), (2,)]), fill=3)
    net.share(1, 0, 0)
    write_weights(tmp_path / "x.caffemodel.h5", net)
    fresh = Target(("a", "Convolution", [(2, 3), (2,)]), ("b", "Convolution", [(2, 3), (2,)]))
    with pytest.raises(WeightsError, match="layer 'b': 2 blobs in the net, 1 in the file"):
        load_weights(fresh, tmp_path / "x.caffemodel.h5")
    fresh.share(1, 0, 0)
    assert load_weights(fresh, tmp_path / "x.caffemodel.h5").loaded == ["a", "b"]
    assert (fresh["b"][0] == 3).all()
    assert (fresh["b"][1] == 3).all()
    with pytest.raises(WeightsError, match="2 blobs in the net, 1 in the file"):
        load_weights(fresh, weights(layer("b", "", (2, 3))))


@pytest.mark.parametrize("suffix", ["caffemodel", "caffemodel.h5", "npz"])
def test_save_and_load_in_every_format(tmp_path, suffix):
    net = Target(CONV, FC, ("relu", "ReLU", []))
    for _, _, blobs, _ in net.layers:
        for blob in blobs:
            blob.data[...] = np.random.default_rng(1).standard_normal(blob.shape)
    write_weights(tmp_path / f"x.{suffix}", net)
    other = Target(CONV, FC)
    report = load_weights(other, tmp_path / f"x.{suffix}")
    assert report.loaded == ["conv", "fc"]
    for name in ("conv", "fc"):
        for mine, theirs in zip(other[name], net[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_the_format_may_be_named(tmp_path):
    write_weights(tmp_path / "x", Target(FC), format="hdf5")
    assert (tmp_path / "x").read_bytes()[1:4] == b"HDF"
    write_weights(tmp_path / "x.unknown", Target(FC))
    assert load_weights(Target(FC), tmp_path / "x.unknown").loaded == ["fc"]
    with pytest.raises(UsageError, match="unknown weight format 'torch'"):
        write_weights(tmp_path / "x", Target(FC), format="torch")
    with pytest.raises(WeightsError, match="there is no folder"):
        write_weights(tmp_path / "nowhere" / "x.npz", Target(FC))


@pytest.mark.parametrize("suffix", ["caffemodel", "caffemodel.h5"])
def test_diffs_come_along_if_asked(tmp_path, suffix):
    net = Target(FC, fill=1)
    net.layers[0][2][0].diff[...] = counted(5, 12)
    write_weights(tmp_path / f"x.{suffix}", net, diffs=True)
    other = Target(FC)
    load_weights(other, tmp_path / f"x.{suffix}")
    np.testing.assert_array_equal(other.layers[0][2][0].diff, counted(5, 12))
    write_weights(tmp_path / f"y.{suffix}", net)
    third = Target(FC)
    load_weights(third, tmp_path / f"y.{suffix}")
    assert not third.layers[0][2][0].diff.any()


def test_several_files_in_order(tmp_path):
    save_weights(tmp_path / "a.npz", weights(layer("fc", "", np.full((5, 12), 1), np.full(5, 1))))
    save_weights(tmp_path / "b.h5", weights(layer("fc", "", np.full((5, 12), 2), np.full(5, 2)), layer("x", "", (1,))))
    save_weights(tmp_path / "c.caffemodel", weights(layer("conv", "", (4, 3, 2, 2), (4,)), layer("x", "", (1,))))
    net = Target(CONV, FC)
    report = load_weights(net, f"{tmp_path}/a.npz, {tmp_path}/b.h5,{tmp_path}/c.caffemodel")
    assert (net["fc"][0] == 2).all()
    assert (report.loaded, report.missing, report.unused) == (["conv", "fc"], [], ["x"])
    assert len(report.files) == 3
    assert report.parameters == 4 * 12 + 4 + 65


def test_names_of_files(tmp_path):
    odd = tmp_path / "a,b.npz"
    save_weights(odd, weights(layer("fc", "", (5, 12), (5,))))
    assert split_files(str(odd)) == [str(odd)]
    assert split_files(["a,b", "c"]) == ["a", "b", "c"]
    for empty in ("", [], "a,,b"):
        with pytest.raises(UsageError, match="weight files, separated by commas"):
            split_files(empty)
    with pytest.raises(WeightsError, match=r"nothing\.npz does not exist; in its folder: a,b\.npz"):
        load_weights(Target(FC), tmp_path / "nothing.npz")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_reported(bad):
    values = np.ones((5, 12), np.float32)
    values[3, 4] = bad
    net = Target(FC)
    report = load_weights(net, weights(layer("fc", "", values, (5,))))
    assert report.nonfinite == ["fc"]
    assert "WARNING: NaN or Inf in fc" in str(report)
    report = load_weights(net, [weights(layer("fc", "", values, (5,))), weights(layer("fc", "", (5, 12), (5,)))])
    assert report.nonfinite == []  # the second file put it right
    huge = np.full((5, 12), 3e38, np.float32)  # finite, though the sum is not
    assert load_weights(net, weights(layer("fc", "", huge, (5,)))).nonfinite == []


def test_doubles_too_large_for_floats_are_reported():
    blobs = [StoredBlob(np.full((5, 12), 1e300)), StoredBlob(np.ones(5))]
    assert load_weights(Target(FC), weights(LayerWeights("fc", "", blobs))).nonfinite == ["fc"]


@pytest.mark.parametrize(
    ("net", "file", "said"),
    [
        (
            Target(FC),
            weights(layer("other", "", (1,))),
            "loaded NOTHING: no layer of the file has the name of one in the net",
        ),
        (Target(("relu", "ReLU", [])), weights(layer("other", "", (1,))), "loaded nothing: the net has no parameters"),
        (Target(FC), weights(LayerWeights("fc")), "loaded nothing: the file has no parameters"),
    ],
)
def test_loading_nothing_is_said(net, file, said):
    assert str(load_weights(net, file)).startswith(said)


def test_layers_whose_zeros_are_fine_are_not_called_zero():
    report = load_weights(Target(("b", "Bias", [(2,)]), ("s", "Scale", [(2,)])), weights(layer("x", "", (1,))))
    assert (report.missing, report.left_zero) == (["b", "s"], ["s"])


def test_long_lists_are_shortened_and_json_has_all():
    net = Target(*[(f"layer{i}", "Scale", [(2,)]) for i in range(10)], fill=1)
    report = load_weights(net, weights(layer("layer0", "", (2,)), *[layer(f"u{i}", "", (1,)) for i in range(8)]))
    assert "layer6 and 3 more (left at their filler)" in str(report)
    assert "u5 and 2 more" in str(report)
    assert json.loads(json.dumps(report.to_json()))["missing"] == [f"layer{i}" for i in range(1, 10)]


def test_sizes_in_the_summary():
    for shape, text in (((1500,), "1.5 k"), ((2_500_000,), "2.5 M")):
        assert f"({text} parameters)" in str(
            load_weights(Target(("s", "Scale", [shape])), weights(layer("s", "", shape)))
        )
