"""Weights, heads, tables, and what cannot be made dense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pydeeplab.densify import ASPP, Densified, LargeFOV, Plain, densify
from pydeeplab.densify.grid import find_grid
from pydeeplab.densify.pace import follow
from pydeeplab.densify.subject import read_subject
from pydeeplab.densify.windows import dense_layer
from pydeeplab.errors import OutputError, PrototxtError, PydeeplabError, UsageError, WeightsError
from pydeeplab.formats import read_weights
from pydeeplab.net import Net
from pydeeplab.proto import parse_net
from tests.densify.nets import conv, fc, layer, pool, randomise_layer, resnet, save_random, small, vgg16, write
from tests.networks.facts import DEFINES
from tests.support.external import shared


def of(tmp_path: Path, *layers: str, size: int = 32, **options: Any) -> Densified:
    """The dense net of these layers."""
    return densify(write(tmp_path, small(*layers, size=size)), **{"classes": 3, **options})


def deploy(dense: Densified) -> dict[str, Any]:
    """The layers of the deploy net, by name."""
    return {one.name: one for one in parse_net(dense.texts["deploy"]).param.layer}


TRUNK = [
    conv("c1", "data", "kernel_size: 3 pad: 1 stride: 2"),
    layer("r1", "ReLU", "c1", top="c1"),
    pool("p1", "c1", "kernel_size: 2 stride: 2"),
    conv("c2", "p1", "kernel_size: 3 pad: 1"),
    pool("p2", "c2", "kernel_size: 2 stride: 2"),
]
HEAD = [fc("fc6", "p2", 8), layer("relu6", "ReLU", "fc6", top="fc6"), fc("fc7", "fc6", 10), fc("fc8", "fc7", 5)]


def test_the_usual_stride_is_8_or_the_own_where_that_is_smaller(tmp_path: Path) -> None:
    fine = of(tmp_path, *TRUNK[:3], fc("fc", "p1", 5))
    assert fine.output_stride == 4
    assert "the output stride is 4, the net's own, as 8 would be coarser" in fine.notes
    three = of(tmp_path, conv("c1", "data", "kernel_size: 3 stride: 3"), fc("fc", "c1", 5), head=Plain(2))
    assert (three.output_stride, three.rate) == (3, (1, 1))
    p3 = pool("p3", "p2", "kernel_size: 2 stride: 2")
    for own, trunk, last in ((8, TRUNK, "p2"), (16, [*TRUNK, p3], "p3")):
        coarse = of(tmp_path, *trunk, fc("fc", last, 5))
        assert (coarse.output_stride, coarse.rate) == (8, (own // 8,) * 2)
        assert not any("output stride" in note for note in coarse.notes)
    with pytest.raises(
        UsageError, match=r"the output stride cannot be 8\. This net's is 4; --output-stride can be 1, 2, 4"
    ):
        of(tmp_path, *TRUNK[:3], fc("fc", "p1", 5), output_stride=8)


# Weights


def weights_of(tmp_path: Path, head: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any], Densified]:
    """Arrays of the classification net and of the dense one."""
    path = write(tmp_path, small(*TRUNK, *HEAD))
    file = save_random(tmp_path / "w.caffemodel", path)
    dense = densify(path, file, classes=3, head=head, output_stride=4, **options)
    dense.write(tmp_path / "out")
    return read_weights(file).arrays(), read_weights(tmp_path / "out" / "init.caffemodel").arrays(), dense


def test_whole_layers_are_reshaped(tmp_path: Path) -> None:
    old, new, _ = weights_of(tmp_path, Plain(rate=2))
    assert set(new) == {k for k in old if not k.startswith("fc8")}
    assert (new["c2/0"] == old["c2/0"]).all()
    assert (new["fc6/0"] == old["fc6/0"].reshape(8, 4, 4, 4)).all()
    assert (new["fc7/0"] == old["fc7/0"].reshape(10, 8, 1, 1)).all()
    assert (new["fc7/1"] == old["fc7/1"]).all()


def test_thinned_layers_keep_matching_filters(tmp_path: Path) -> None:
    old, new, _ = weights_of(tmp_path, LargeFOV(2, 4, 5))
    full6, full7 = old["fc6/0"].reshape(8, 4, 4, 4), old["fc7/0"]
    assert new["fc6/0"].shape == (5, 4, 2, 2)
    first = [int(np.flatnonzero(old["fc6/1"] == bias)[0]) for bias in new["fc6/1"]]
    second = [int(np.flatnonzero(old["fc7/1"] == bias)[0]) for bias in new["fc7/1"]]
    assert first == sorted(set(first))
    assert (new["fc6/0"] == full6[first][:, :, ::3, ::3]).all()
    assert (new["fc7/0"][:, :, 0, 0] == full7[np.ix_(second, first)]).all()


def test_the_seed_chooses_the_filters(tmp_path: Path) -> None:
    chosen = [weights_of(tmp_path, LargeFOV(2, 4, 5), seed=seed)[1]["fc6/1"] for seed in (0, 0, 1)]
    assert (chosen[0] == chosen[1]).all()
    assert (chosen[0] != chosen[2]).any()


def test_branches_and_copies_start_alike(tmp_path: Path) -> None:
    _, new, dense = weights_of(tmp_path, ASPP((2, 4), kernel_size=3, channels=5), multi_scale=True)
    assert (new["fc6_1/0"] == new["fc6_2/0"]).all()
    net = Net.from_source(dense.deploy_source(), weights=tmp_path / "out" / "init.caffemodel")
    assert net.load_reports[-1].missing == [
        f"fc8_voc12{s}_{i}" for s in ("", "_res05", "_res075") for i in (1, 2)
    ]  # copies of other layers find what they share
    assert net.params["fc6_1_res05"][0].data is not None
    assert (net.params["fc6_1_res05"][0].data == new["fc6_1/0"]).all()
    assert (net.params["c1_res075"][0].data == new["c1/0"]).all()
    net.params["c1"][0].data[...] = 7
    assert (net.params["c1_res075"][0].data == 7).all()


def test_a_transposed_layer(tmp_path: Path) -> None:
    text = small(
        *TRUNK,
        layer("fc6", "InnerProduct", "p2", "inner_product_param { num_output: 8 transpose: true bias_term: false }"),
        fc("fc7", "fc6"),
    )
    path = write(tmp_path, text)
    file = save_random(tmp_path / "w.caffemodel", path)
    densify(path, file, classes=3, output_stride=4, head=Plain(2)).write(tmp_path / "out")
    new = read_weights(tmp_path / "out" / "init.caffemodel").arrays()
    assert (new["fc6/0"] == read_weights(file).arrays()["fc6/0"].T.reshape(8, 4, 4, 4)).all()
    assert "fc6/1" not in new


def test_layers_that_the_weights_lack(tmp_path: Path) -> None:
    path = write(tmp_path, small(*TRUNK, *HEAD))
    file = tmp_path / "part.npz"
    np.savez(file, **{"c1/0": np.ones((4, 3, 3, 3), np.float32), "c1/1": np.zeros(4, np.float32)})
    dense = densify(path, file, classes=3, output_stride=4, head=Plain(2))
    assert dense.absent == ["c2", "fc6", "fc7", "fc8"]
    assert [w.name for w in dense.weights.layers] == ["c1"]
    assert [row.name for row in dense.layers if row.in_file] == ["c1"]


def test_training_goes_from_the_written_files(tmp_path: Path) -> None:
    """One step of the written net with the written weights changes the classifier fastest."""
    _, _, dense = weights_of(tmp_path, LargeFOV(2, 4, 5))
    source = parse_net(dense.texts["train"], defines=DEFINES)
    for one in source.param.layer:
        if one.type == "ImageSegData":
            top = list(one.top)
            one.Clear()
            one.name, one.type = "data", "Input"
            one.top.extend(top)
            for dims in [(1, 3, 33, 33), (1, 1, 33, 33)]:
                one.input_param.shape.add().dim.extend(dims)
    net = Net.from_source(source, 0, weights=tmp_path / "out" / "init.caffemodel")
    random = np.random.default_rng(0)
    image, labels = random.standard_normal((1, 3, 33, 33)), random.integers(0, 3, (1, 1, 33, 33))
    loss = float(net.forward(data=image, label=labels)["loss"])
    net.backward()
    assert loss == pytest.approx(np.log(3), rel=0.2)
    rates = {p.layer.name: p.lr_mult for p in net.learnable_params}
    assert rates == {"c1": 2, "c2": 2, "fc6": 2, "fc7": 2, "fc8_voc12": 20}
    assert all(np.abs(p.blob.diff).sum() > 0 for p in net.learnable_params)


# What becomes of layers


def test_rates_follow_the_strides(tmp_path: Path) -> None:
    layers = deploy(of(tmp_path, *TRUNK, *HEAD, output_stride=2, head=Plain(2)))
    assert list(layers["c1"].convolution_param.stride) == [2]
    assert layers["p1"].pooling_param.stride == 1
    assert list(layers["p1"].pooling_param.overhang) == [1]
    assert list(layers["c2"].convolution_param.dilation) == [2]
    assert list(layers["c2"].convolution_param.pad) == [2]
    assert list(layers["p2"].pooling_param.dilation) == [2]
    assert list(layers["p2"].pooling_param.overhang) == [2]


def test_a_stride_is_reduced_in_part(tmp_path: Path) -> None:
    layers = deploy(
        of(tmp_path, conv("c1", "data", "kernel_size: 4 stride: 4"), pool("p", "c1", "kernel_size: 2 stride: 2"),
           conv("c2", "p", "kernel_size: 3"), fc("fc", "c2"), output_stride=2)
    )  # fmt: skip
    assert list(layers["c1"].convolution_param.stride) == [2]
    assert list(layers["p"].pooling_param.dilation) == [2]
    assert list(layers["c2"].convolution_param.dilation) == [4]


def test_uneven_strides_are_followed_along_each_axis(tmp_path: Path) -> None:
    window = "kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 2"
    subject = read_subject(
        write(tmp_path, small(conv("c1", "data", window), conv("c2", "c1", "kernel_size: 3 pad: 1"), fc("fc", "c2")))
    )
    steps, paces = follow(subject.trunk, "data", 1)
    param = dense_layer(steps[1], "exact").convolution_param
    assert (list(param.pad), list(param.dilation)) == ([1, 2], [1, 2])
    assert paces["c2"].rate == (1, 2)
    with pytest.raises(UsageError, match=r"cannot be 2\. This net's is 1x2; --output-stride can be 1\."):
        densify(tmp_path / "net.prototxt", classes=2, output_stride=2)


def test_scores_lie_on_the_pixels(tmp_path: Path) -> None:
    """Score i is centred on pixel stride * i: an impulse there is seen by it most."""
    path = write(tmp_path, vgg16(64))
    subject = read_subject(path)
    steps, _ = follow(subject.trunk, "data", 8)
    grid = find_grid([dense_layer(step, "exact") for step in steps], "data", 3, "pool5", 8)
    assert (grid.pad_begin, grid.cut_begin, grid.cut_end) == (16, 0, 2)
    dense = densify(path, classes=2, head=LargeFOV(1, 1, 4))
    net = Net.from_source(dense.deploy_source(), 1, inputs={"data": (1, 3, 129, 129)})
    for node in net.nodes:
        for blob in node.layer.blobs[:1]:
            blob.data[...] = 1 / np.prod(blob.shape[1:])
    randomise_layer(net, "fc8_voc12")
    net.blobs["data"].data[...] = 0
    net.blobs["data"].data[0, :, 64, 64] = 1e6
    net.forward()
    seen = np.argwhere(net.blobs["pool5_crop"].data[0, 0] > 0)
    assert np.abs(seen.mean(axis=0) - 8).max() <= 0.5


def test_a_pooling_that_reaches_out_at_the_start(tmp_path: Path) -> None:
    """Too much padding puts the first scores outside the image: they are cut off."""
    dense = of(
        tmp_path, conv("c1", "data", "kernel_size: 3 stride: 2 pad: 4"), conv("c2", "c1", "kernel_size: 3 stride: 2"),
        fc("fc", "c2"), output_stride=4, head=LargeFOV(3, 2),
    )  # fmt: skip
    assert dense.grid.cut_begin == 1
    net = Net.from_source(dense.deploy_source(), 1)
    size = net.blobs["data"].shape[2]
    assert net.blobs["fc_voc12"].shape[2] == (size - 1) // 4 + 1


def test_what_is_dropped_and_why(tmp_path: Path) -> None:
    side = conv("aux", "c1", "kernel_size: 1")
    end = [
        pool("gap", "p2", "pool: AVE kernel_size: 4"),
        layer("flat", "Flatten", "gap"),
        fc("fc", "flat"),
        layer("prob", "Softmax", "fc"),
    ]
    dense = of(tmp_path, *TRUNK, side, *end, output_stride=4)
    rows = {row.name: row.remark for row in dense.layers if row.new is None}
    assert set(rows) == {"aux", "gap", "flat", "prob"}
    assert rows["aux"].startswith("a side branch")
    assert "behind the classifier" in rows["prob"]


def test_dropout_behind_a_dropped_pooling_stays(tmp_path: Path) -> None:
    end = [
        pool("gap", "p2", "pool: AVE global_pooling: true"),
        layer("drop", "Dropout", "gap", top="gap"),
        conv("score", "gap", "kernel_size: 1"),
    ]
    layers = deploy(of(tmp_path, *TRUNK, *end, output_stride=4))
    assert list(layers["drop"].bottom) == list(layers["drop"].top) == ["p2"]
    assert "p2" in layers["score_voc12"].bottom[0]


def test_squeeze_and_excitation_is_kept_with_a_note(tmp_path: Path) -> None:
    block = [
        pool("squeeze", "c2", "pool: AVE global_pooling: true"),
        conv("excite", "squeeze", "kernel_size: 1"),
        layer("gate", "Sigmoid", "excite"),
        layer("flat", "Flatten", "gate"),
        layer("scaled", "Scale", "c2 flat", "scale_param { axis: 0 }"),
    ]
    dense = of(tmp_path, *TRUNK[:4], *block, fc("fc", "scaled"), output_stride=2)
    assert "takes the mean of whole maps" in dense.notes[0]


def test_batch_norm_is_frozen(tmp_path: Path) -> None:
    dense = densify(write(tmp_path, resnet((1, 1, 1, 1), 16)), classes=3)
    layers = {one.name: one for one in parse_net(dense.texts["train"], defines=DEFINES).param.layer}
    assert layers["bn2a_branch1"].batch_norm_param.use_global_stats
    assert [p.lr_mult for p in layers["scale2a_branch1"].param] == [0, 0]
    assert "iter_size: 10" in dense.texts["solver"]


def test_data_layers_of_a_training_net(tmp_path: Path) -> None:
    text = """
    layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
      transform_param { crop_size: 5 } }
    layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
      transform_param { crop_size: 32 mean_value: [10, 20, 30.5] scale: 0.017 } data_param { source: "x" } }
    """
    end = """
    layer { name: "accuracy" type: "Accuracy" bottom: "fc8" bottom: "label" top: "accuracy" }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "label" top: "loss" }
    """
    path = write(tmp_path, text + "\n".join([*TRUNK, *HEAD]) + end)
    dense = densify(path, classes=3, head=Plain(2))
    transform = parse_net(dense.texts["test"], defines=DEFINES).param.layer[0].transform_param
    assert list(transform.mean_value) == [10, 20, 30.5]
    assert transform.scale == np.float32(0.017)
    given = densify(path, classes=3, head=Plain(2), mean=[7], scale=1)
    transform = parse_net(given.texts["train"], defines=DEFINES).param.layer[0].transform_param
    assert (list(transform.mean_value), transform.scale) == ([7, 7, 7], 1)


def test_grey_images(tmp_path: Path) -> None:
    dense = densify(write(tmp_path, small(*TRUNK, *HEAD, channels=1)), classes=3, head=Plain(2))
    nets = {kind: parse_net(dense.texts[kind], defines=DEFINES).param.layer[0] for kind in ("train", "deploy")}
    assert not nets["train"].image_data_param.is_color
    assert len(nets["train"].transform_param.mean_value) == 1
    assert nets["deploy"].input_param.shape[0].dim[1] == 1


def test_the_name_of_a_known_dataset(tmp_path: Path) -> None:
    dense = of(tmp_path, *TRUNK, *HEAD, head=Plain(2), experiment="cityscapes", classes=19)
    assert "Cityscapes" in dense.texts["deploy"]
    crop = parse_net(dense.texts["test"], defines=DEFINES).param.layer[0].transform_param
    assert (crop.crop_height, crop.crop_width) == (1025, 2049)
    assert "mine/list/${TRAIN_SET}.txt" in of(tmp_path, *TRUNK, *HEAD, head=Plain(2), experiment="mine").texts["train"]


def test_fields_of_view_grow_as_the_paper_says(tmp_path: Path) -> None:
    dense = densify(write(tmp_path, vgg16(64)), classes=3, windows="deeplab", head=LargeFOV(3, 12, 16))
    rows = {row.name: row for row in dense.layers}
    assert rows["conv5_1"].old.stride == (16, 16)
    assert rows["conv5_1"].new.stride == (8, 8)
    assert (rows["conv5_1"].old.rate, rows["conv5_1"].new.rate) == ((1, 1), (2, 2))
    assert rows["fc6"].weights == "decimated"
    assert rows["fc6"].old.field is None
    exact = densify(tmp_path / "net.prototxt", classes=3, head=LargeFOV(3, 12, 16))
    for row in exact.layers:
        if row.weights == "kept":
            assert row.old.field == row.new.field, row.name


# What cannot be made dense


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([fc("fc", "data")], {}, "no convolution or pooling before its fully connected layers"),
        ([layer("r", "ReLU", "data")], {}, "no layer with weights that could be its classifier"),
        (
            [*TRUNK, *HEAD],
            {"output_stride": 3},
            r"'p1' \(Pooling\): its stride of 2 behind a stride of 2 cannot give a stride of 3. This net's is 8; "
            "--output-stride can be 1, 2, 4, 8.",
        ),
        ([*TRUNK, *HEAD], {"output_stride": 16}, "cannot be 16. This net's is 8; --output-stride can be 1, 2, 4, 8."),
        ([*TRUNK, *HEAD], {"output_stride": 0}, r"output_stride must be from 1 \(full resolution\) to 1024, got 0"),
        ([*TRUNK, *HEAD], {"classes": 1}, "classes must be at least 2"),
        ([*TRUNK, *HEAD], {"windows": "exakt"}, "Did you mean 'exact'"),
        ([*TRUNK, *HEAD], {"experiment": "a/b"}, "becomes part of layers' names"),
        ([*TRUNK, *HEAD], {}, "4 x 4 with rate 1 cannot be centred.*such as 2.*--largefov"),
        (
            [*TRUNK, *HEAD],
            {"head": LargeFOV(5, 2, 4)},
            "layer 'fc6'.*has 4 rows or columns, and cannot be thinned to 5",
        ),
        ([*TRUNK, *HEAD], {"head": LargeFOV(3, 2)}, "'fc6' has 8 filters, and cannot be thinned to 1024"),
        ([*TRUNK, *HEAD], {"mean": [1, 2]}, "mean wants one value, or one for each of 3 channels; got 2"),
        (
            [*TRUNK[:4], layer("norm", "LRN", "c2", "lrn_param { norm_region: WITHIN_CHANNEL }"), fc("fc", "norm")],
            {"output_stride": 2},
            r"net.prototxt:\d+:1: layer 'norm' \(LRN\): sees more than the element in its place.*stride 4 made 2",
        ),
        (
            [
                conv("a", "data", "kernel_size: 3 stride: 2 pad: 1"),
                layer("half", "Interp", "data", "interp_param { shrink_factor: 2 }"),
                conv("b", "half", "kernel_size: 3 pad: 1"),
                layer("sum", "Eltwise", "a b"),
                fc("fc", "sum"),
            ],
            {"output_stride": 1, "size": 33},
            r"layer 'sum' \(Eltwise\).*'a' stride 2 made 1 \(rate 2x2\), 'b' stride 2 made 2 \(rate 1x1\)",
        ),
        (
            [
                *TRUNK,
                conv("score", "p2", "kernel_size: 1"),
                layer("up", "Interp", "score", "interp_param { zoom_factor: 8 }"),
            ],
            {},
            r"layer 'up' \(Interp\): behind the last layer with weights, 'score'.*a segmentation net already",
        ),
        (
            [
                *TRUNK,
                layer("fc6", "InnerProduct", "p2", "inner_product_param { num_output: 3 axis: 2 }"),
                fc("f", "fc6"),
            ],
            {},
            "only axis 1 makes a convolution, got axis 2",
        ),
    ],
)
def test_errors_name_the_place_and_the_way_out(
    tmp_path: Path, layers: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        of(tmp_path, *layers, **options)


def test_files_that_are_no_classification_nets(tmp_path: Path) -> None:
    with pytest.raises(PrototxtError, match="no layers"):
        densify(write(tmp_path, 'name: "x"'), classes=2)
    two = (
        small(*TRUNK, *HEAD)
        + '\nlayer { name: "i" type: "Input" top: "i" input_param { shape { dim: [1, 3, 8, 8] } } }'
    )
    with pytest.raises(UsageError, match="one input, N x C x H x W, is expected; this has 2"):
        densify(write(tmp_path, two), classes=2)
    with pytest.raises(UsageError, match="images have 3 channels or 1; the net's input 'data' has 5"):
        densify(write(tmp_path, small(*TRUNK, *HEAD, channels=5)), classes=2, head=Plain(2))


def test_weights_of_another_net(tmp_path: Path) -> None:
    file = save_random(tmp_path / "w.caffemodel", write(tmp_path, small(*TRUNK, *HEAD)))
    other = write(tmp_path, small(*TRUNK[:3], conv("c2", "p1", "kernel_size: 5 pad: 2"), fc("fc", "c2")))
    with pytest.raises(WeightsError, match="c2"):
        densify(other, file, classes=2)


def test_nothing_is_written_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="a file has that name"):
        of(tmp_path, *TRUNK, *HEAD, head=Plain(2)).write(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("text", ["3x4:12:1024", "3:12", "3x3", "3x3:12:", "axb:1:1", "3x3:0:5", "0x0:1:1"])
def test_largefov_wants_a_form(text: str) -> None:
    with pytest.raises(UsageError):
        LargeFOV.parse(text)


@pytest.mark.parametrize("text", ["", "6", "6,", "6,a", "6,12:x", "0,1"])
def test_aspp_wants_rates(text: str) -> None:
    with pytest.raises(UsageError):
        ASPP.parse(text)


def test_no_text_of_the_collection_ends_in_a_traceback() -> None:
    """Segmentation nets, detectors, language models: an answer or an error in words."""
    folder = shared("data/prototxt_corpus")
    outcomes = {"dense": 0, "refused": 0}
    for path in sorted(folder.rglob("*.prototxt"))[::3]:
        if path.stat().st_size > 60_000:
            continue
        try:
            densify(path, classes=3, image_size=(224, 224))
            outcomes["dense"] += 1
        except PydeeplabError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 3


def test_layers_between_fully_connected_ones_are_thinned_too(tmp_path: Path) -> None:
    between = [
        layer("bn", "BatchNorm", "fc6", top="fc6"),
        layer("slope", "PReLU", "fc6"),
        fc("fc7", "slope", 10),
        fc("fc8", "fc7", 5),
    ]
    path = write(tmp_path, small(*TRUNK, HEAD[0], *between))
    file = save_random(tmp_path / "w.caffemodel", path)
    dense = densify(path, file, classes=3, head=ASPP((2, 4), channels=5))
    dense.write(tmp_path / "out")
    old, new = read_weights(file).arrays(), read_weights(tmp_path / "out" / "init.caffemodel").arrays()
    kept = [int(np.flatnonzero(old["fc6/1"] == bias)[0]) for bias in new["fc6_2/1"]]
    assert (new["bn_2/0"] == old["bn/0"][kept]).all()
    assert (new["bn_1/2"] == old["bn/2"]).all()
    assert (new["slope_2/0"] == old["slope/0"][kept]).all()
    assert next(row.weights for row in dense.layers if row.name == "slope_2") == "decimated"
    net = Net.from_source(dense.deploy_source(), weights=tmp_path / "out" / "init.caffemodel")
    assert net.load_reports[-1].missing == ["fc8_voc12_1", "fc8_voc12_2"]


def test_a_map_of_fixed_size(tmp_path: Path) -> None:
    fixed = layer("fixed", "Interp", "c1", "interp_param { height: 9 width: 9 }")
    with pytest.raises(PydeeplabError):
        of(tmp_path, TRUNK[0], fixed, conv("c3", "fixed", "kernel_size: 1"), fc("fc", "c3"), output_stride=2)


def test_strides_beyond_all_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--output-stride can be 1, 2, 4"):
        of(tmp_path, conv("c1", "data", "kernel_size: 3 stride: 16777216"), fc("fc", "c1"), output_stride=3)


def test_names_that_the_surroundings_need(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"layer 'label' .*the name 'label' is needed"):
        of(tmp_path, TRUNK[0], conv("label", "c1", "kernel_size: 1"), fc("fc", "label"), output_stride=2)


def test_an_input_by_another_name(tmp_path: Path) -> None:
    text = small(*TRUNK, *HEAD).replace('"data"', '"picture"')
    dense = densify(write(tmp_path, text), classes=3, head=Plain(2))
    layers = parse_net(dense.texts["deploy"]).param.layer
    assert (layers[0].name, layers[1].bottom[0]) == ("data", "data")
