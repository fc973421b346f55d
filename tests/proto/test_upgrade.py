"""Upgrades: old formats, DeepLab v1's ways, net inputs, BatchNorm and solvers."""

import pytest

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import caffe_pb2, parse_net, parse_solver, read_solver, write_text
from pydeeplab.proto.dialects import V1_TYPES


def one_layer(text):
    (layer,) = parse_net(text).param.layer
    return layer


def v0(fields, connections=""):
    return one_layer(f"layers {{ layer {{ {fields} }} {connections} }}")


class TestV0:
    def test_convolution(self):
        layer = v0(
            'name: "c" type: "conv" num_output: 3 biasterm: false pad: 1 kernelsize: 5 group: 2 stride: 4 '
            'weight_filler { type: "xavier" } bias_filler { value: 2 } blobs_lr: 1 blobs_lr: 2 weight_decay: 0',
            'bottom: "x" top: "y"',
        )
        expected = caffe_pb2.LayerParameter(name="c", type="Convolution", bottom=["x"], top=["y"])
        expected.param.add(lr_mult=1, decay_mult=0)
        expected.param.add(lr_mult=2)
        convolution = expected.convolution_param
        convolution.num_output, convolution.bias_term, convolution.group = 3, False, 2
        convolution.pad.append(1)
        convolution.kernel_size.append(5)
        convolution.stride.append(4)
        convolution.weight_filler.type = "xavier"
        convolution.bias_filler.value = 2
        assert layer == expected

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            (
                'type: "pool" pool: AVE kernelsize: 3 stride: 2 pad: 1',
                'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }',
            ),
            (
                'type: "innerproduct" num_output: 9 biasterm: true',
                'type: "InnerProduct" inner_product_param { num_output: 9 bias_term: true }',
            ),
            ('type: "dropout" dropout_ratio: 0.3', 'type: "Dropout" dropout_param { dropout_ratio: 0.3 }'),
            (
                'type: "lrn" local_size: 3 alpha: 0.1 beta: 0.2 k: 2',
                'type: "LRN" lrn_param { local_size: 3 alpha: 0.1 beta: 0.2 k: 2 }',
            ),
            (
                'type: "data" source: "s" batchsize: 4 scale: 2 meanfile: "m" cropsize: 5 mirror: true rand_skip: 6',
                'type: "Data" data_param { source: "s" batch_size: 4 rand_skip: 6 } '
                'transform_param { scale: 2 mean_file: "m" crop_size: 5 mirror: true }',
            ),
            (
                'type: "images" source: "s" batchsize: 4 shuffle_images: true new_height: 5 new_width: 6 rand_skip: 1',
                'type: "ImageData" image_data_param { source: "s" batch_size: 4 shuffle: true new_height: 5 '
                "new_width: 6 rand_skip: 1 }",
            ),
            (
                'type: "window_data" source: "s" batchsize: 4 det_fg_threshold: 0.1 det_bg_threshold: 0.2 '
                'det_fg_fraction: 0.3 det_context_pad: 4 det_crop_mode: "square" cropsize: 7',
                'type: "WindowData" window_data_param { source: "s" batch_size: 4 fg_threshold: 0.1 bg_threshold: 0.2 '
                'fg_fraction: 0.3 context_pad: 4 crop_mode: "square" } transform_param { crop_size: 7 }',
            ),
            (
                'type: "hdf5_data" source: "s" batchsize: 4',
                'type: "HDF5Data" hdf5_data_param { source: "s" batch_size: 4 }',
            ),
            (
                'type: "hdf5_output" hdf5_output_param { file_name: "f" }',
                'type: "HDF5Output" hdf5_output_param { file_name: "f" }',
            ),
            ('type: "infogain_loss" source: "s"', 'type: "InfogainLoss" infogain_loss_param { source: "s" }'),
            ('type: "concat" concat_dim: 0', 'type: "Concat" concat_param { concat_dim: 0 }'),
            ('type: "softmax_loss"', 'type: "SoftmaxWithLoss"'),
            ('type: "data" subtraction: 114', 'type: "Data" transform_param { mean_value: 114 }'),
        ],
    )
    def test_every_field_finds_its_place(self, fields, expected):
        assert v0(fields) == one_layer(f'layer {{ name: "" {expected} }}')

    def test_padding_is_folded(self):
        source = parse_net(
            """layers { layer { name: "pad" type: "padding" pad: 2 } bottom: "x" top: "padded" }
            layers { layer { name: "c" type: "conv" kernelsize: 5 } bottom: "padded" top: "c" }
            layers { layer { name: "pad2" type: "padding" pad: 3 } bottom: "c" top: "padded" }
            layers { layer { name: "p" type: "pool" kernelsize: 5 } bottom: "padded" top: "p" }
            layers { layer { name: "q" type: "relu" } bottom: "p" top: "p" }""",
            filename="f",
        )
        first, second, third = source.param.layer
        assert (first.bottom[0], list(first.convolution_param.pad)) == ("x", [2])
        assert (second.bottom[0], second.pooling_param.pad) == ("c", 3)
        assert third.bottom[0] == "p"
        assert source.where(1).startswith("f:4:")
        assert source.dialect == "Caffe V0"
        assert source.notes == ["Caffe V0: 5 layers { } became 3 layer { }"]

    def test_padding_elsewhere_is_refused(self):
        with pytest.raises(
            PrototxtError, match=r"f:2:1: layer 'r' \(relu\) reads the padding layer 'pad': only a conv or pool"
        ):
            parse_net(
                'layers { layer { name: "pad" type: "padding" pad: 2 } bottom: "x" top: "y" }\n'
                'layers { layer { name: "r" type: "relu" } bottom: "y" top: "r" }',
                filename="f",
            )

    def test_what_means_nothing_is_dropped_with_a_note(self):
        source = parse_net('layers { layer { name: "r" type: "relu" pad: 2 } bottom: "x" top: "y" }', filename="f")
        assert "f:1:1: layer 'r': 'pad' means nothing to type 'relu' and is dropped" in source.notes

    def test_unknown_type_is_noted(self):
        source = parse_net('layers { layer { name: "r" type: "elephant" } }')
        assert source.param.layer[0].type == ""
        assert any("no layer type 'elephant'" in note for note in source.notes)

    def test_subtraction_with_scale_is_refused(self):
        with pytest.raises(PrototxtError, match="before or after 'scale'"):
            v0('type: "data" subtraction: 114 scale: 0.5')

    def test_blobs_survive(self):
        layer = v0('name: "c" type: "conv" blobs { num: 1 data: 3 }')
        assert list(layer.blobs[0].data) == [3]


class TestV1:
    @pytest.mark.parametrize("word", V1_TYPES)
    def test_every_type_word_is_known_to_the_schema(self, word):
        assert one_layer(f"layers {{ type: {word} }}").type == V1_TYPES[word]

    def test_every_type_of_the_schema_has_a_name(self):
        assert set(caffe_pb2.V1LayerParameter.LayerType.keys()) == set(V1_TYPES)

    def test_lists_of_different_lengths_become_params(self):
        layer = one_layer(
            'layers { type: CONVOLUTION param: "w" param: "b" blobs_lr: 0 blobs_lr: 2 blobs_lr: 3 weight_decay: 5 '
            "blob_share_mode: PERMISSIVE }"
        )
        assert [p.name for p in layer.param] == ["w", "b", ""]
        assert [p.lr_mult for p in layer.param] == [0, 2, 3]
        assert [p.decay_mult for p in layer.param] == [5, 1, 1]
        assert layer.param[0].share_mode == caffe_pb2.ParamSpec.PERMISSIVE
        assert not layer.param[1].HasField("decay_mult")

    def test_all_the_rest_is_copied(self):
        layer = one_layer(
            'layers { name: "p" type: POOLING bottom: "x" top: "y" include { phase: TRAIN stage: "s" } '
            "exclude { min_level: 2 } loss_weight: 0.5 pooling_param { pool: AVE } loss_param { ignore_label: 3 } "
            "blobs { num: 1 data: 7 } }"
        )
        assert layer == one_layer(
            'layer { name: "p" type: "Pooling" bottom: "x" top: "y" include { phase: TRAIN stage: "s" } '
            "exclude { min_level: 2 } loss_weight: 0.5 pooling_param { pool: AVE } loss_param { ignore_label: 3 } "
            "blobs { num: 1 data: 7 } }"
        )

    @pytest.mark.parametrize(
        ("word", "name"),
        [("DATA", "data_param"), ("IMAGE_DATA", "image_data_param"), ("WINDOW_DATA", "window_data_param")],
    )
    def test_pre_processing_moves_into_transform_param(self, word, name):
        layer = one_layer(
            f'layers {{ type: {word} {name} {{ source: "s" scale: 2 mean_file: "m" crop_size: 3 mirror: true }} '
            "transform_param { mean_value: 5 } }"
        )
        assert write_text(getattr(layer, name)) == 'source: "s"\n'
        transform = layer.transform_param
        assert (transform.scale, transform.mean_file, transform.crop_size, transform.mirror) == (2, "m", 3, True)
        assert list(transform.mean_value) == [5]

    def test_two_formats_in_one_file(self):
        with pytest.raises(PrototxtError, match=r"^f:3:1: layer { } and layers { } .* the other begins at f:2:1"):
            parse_net('name: "n"\nlayers { name: "a" }\nlayer { name: "b" }\n', filename="f")


class TestDeepLabV1:
    def test_hole_becomes_dilation(self):
        source = parse_net(
            "layers { type: CONVOLUTION convolution_param { hole: 4 } }"
            "layers { type: CONVOLUTION convolution_param { hole_h: 2 hole_w: 3 } }"
            "layers { type: CONVOLUTION convolution_param { hole_w: 3 } }"
            "layers { type: CONVOLUTION convolution_param { pad: 1 } }"
        )
        dilations = [list(layer.convolution_param.dilation) for layer in source.param.layer]
        assert dilations == [[4], [2, 3], [1, 3], []]
        assert not any(layer.convolution_param.HasField("hole") for layer in source.param.layer)
        assert source.dialect == "DeepLab v1"
        assert source.notes[-1] == "hole became dilation in 3 layers"

    def test_hole_in_the_current_format(self):
        assert list(one_layer("layer { convolution_param { hole: 2 } }").convolution_param.dilation) == [2]

    @pytest.mark.parametrize("text", ["hole: 2 hole_h: 3", "hole: 2 dilation: 2", "hole_w: 1 dilation: 2"])
    def test_contradictory_holes(self, text):
        with pytest.raises(PrototxtError, match=r"f:1:1: layer 'c' \(Convolution\): .*give"):
            parse_net(f'layer {{ name: "c" type: "Convolution" convolution_param {{ {text} }} }}', filename="f")

    def test_softmax_loss(self):
        one = one_layer("layers { type: SOFTMAX_LOSS softmaxloss_param { ignore_label: 255 } }")
        assert write_text(one.loss_param) == "ignore_label: 255\n"
        two = one_layer('layers { type: SOFTMAX_LOSS softmaxloss_param { ignore_label: [0, 255] weight_source: "w" } }')
        assert list(two.loss_param.ignore_labels) == [0, 255]
        assert not two.loss_param.HasField("ignore_label")
        assert two.loss_param.weight_source == "w"

    def test_argmax_is_per_pixel_in_deeplab_only(self):
        deeplab = parse_net("layers { type: ARGMAX } layers { type: INTERP }").param.layer[0]
        assert deeplab.argmax_param.axis == 1
        assert not one_layer("layers { type: ARGMAX }").argmax_param.HasField("axis")

    def test_euclidean_loss_is_marked(self):
        deeplab = parse_net("layers { type: EUCLIDEAN_LOSS } layers { strict_dim: false }").param.layer[0]
        assert deeplab.HasField("euclidean_loss_param")
        assert not one_layer("layers { type: EUCLIDEAN_LOSS }").HasField("euclidean_loss_param")

    def test_strict_dim_is_kept(self):
        strict, loose = parse_net("layers { type: RELU } layers { type: CONVOLUTION strict_dim: false }").param.layer
        assert strict.strict_dim is True
        assert loose.strict_dim is False

    def test_parameters_of_its_own_layers(self):
        layer = one_layer("layers { type: PADDING padding_param { pad_beg: 1 pad_end: -2 } }")
        assert (layer.type, layer.padding_param.pad_beg, layer.padding_param.pad_end) == ("Padding", 1, -2)


class TestInputs:
    def test_input_dim(self):
        source = parse_net(
            'input: "a" input: "b" input_dim: [1, 3, 5, 7, 2, 4, 6, 8] '
            'layer { name: "r" type: "ReLU" bottom: "a" top: "c" }'
        )
        layer = source.param.layer[0]
        assert (layer.name, layer.type, list(layer.top)) == ("input", "Input", ["a", "b"])
        assert [list(shape.dim) for shape in layer.input_param.shape] == [[1, 3, 5, 7], [2, 4, 6, 8]]
        assert [lay.name for lay in source.param.layer] == ["input", "r"]
        assert not source.param.input
        assert not source.param.input_dim

    def test_input_shape_has_priority(self):
        layer = one_layer('input: "a" input_shape { dim: 4 dim: 2 } input_dim: [1, 1, 1, 1]')
        assert [list(shape.dim) for shape in layer.input_param.shape] == [[4, 2]]

    def test_without_a_shape(self):
        source = parse_net('input: "a"', filename="f")
        assert list(source.param.layer[0].top) == ["a"]
        assert not source.param.layer[0].input_param.shape
        assert source.notes == ["f:1:1: input without a shape: reshape the blob before the first forward"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('input: "a" input_dim: 1', r"f:1:12: 1 input need 4 input_dim .* found 1"),
            ('input: "a" input: "b" input_shape { dim: 1 }', r"f:1:23: 2 input but 1 input_shape"),
            ("input_dim: 1 layer { }", r"f:1:1: input_dim without input"),
        ],
    )
    def test_wrong_counts(self, text, message):
        with pytest.raises(PrototxtError, match=message):
            parse_net(text, filename="f")


def test_batch_norm_statistics_are_never_learned():
    net = parse_net(
        'layer { type: "BatchNorm" param { lr_mult: 3 } param { } param { name: "s" } } '
        'layer { type: "BatchNorm" param { lr_mult: 3 } } layer { type: "Scale" param { } param { } param { } }'
    ).param
    assert [(p.lr_mult, p.decay_mult) for p in net.layer[0].param] == [(0, 0)] * 3
    assert net.layer[0].param[2].name == "s"
    assert net.layer[1].param[0].lr_mult == 3
    assert not net.layer[2].param[0].HasField("lr_mult")


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ('layer { type: "Convolution" }', "Caffe"),
        ('layer { type: "Interp" }', "DeepLab v2"),
        ('layer { type: "BN" bn_param { scale_filler { } } }', "SegNet"),
        ('layer { type: "BN" bn_param { slope_filler { } frozen: true } }', "PSPNet"),
        ('layer { type: "Upsample" } layer { type: "PReLU" }', "ENet"),
        ('layer { type: "MultiStageMeanfield" }', "CRF-RNN"),
        ('layer { type: "Permute" }', "SSD"),
        ("layers { type: RELU }", "Caffe V1"),
        ("layers { type: UNPOOLING }", "DeconvNet"),
        ("layers { type: MULTI_STAGE_MEANFIELD }", "CRF-RNN"),
        ("layers { type: IMAGE_SEG_DATA }", "DeepLab v1"),
    ],
)
def test_dialects(text, dialect):
    assert parse_net(text).dialect == dialect


class TestSolver:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("SGD", "SGD"),
            ("NESTEROV", "Nesterov"),
            ("ADAGRAD", "AdaGrad"),
            ("RMSPROP", "RMSProp"),
            ("ADADELTA", "AdaDelta"),
            ("ADAM", "Adam"),
        ],
    )
    def test_solver_type(self, old, new):
        source = parse_solver(f"solver_type: {old}")
        assert source.param.type == new
        assert not source.param.HasField("solver_type")
        assert len(source.notes) == 1

    def test_both_types(self):
        with pytest.raises(PrototxtError, match="s:2:1: both type and solver_type"):
            parse_solver('type: "Adam"\nsolver_type: ADAM', filename="s")

    def test_defaults(self):
        assert parse_solver("base_lr: 1").param.type == "SGD"

    def test_unknown_field(self):
        with pytest.raises(PrototxtError, match=r"s:1:1: a solver has no field 'base_rl'. Did you mean 'base_lr'"):
            parse_solver("base_rl: 1", filename="s")

    def test_snapshot_prefix(self, tmp_path):
        path = tmp_path / "solver.prototxt"
        path.write_text("base_lr: 1")
        assert read_solver(path).param.snapshot_prefix == str(tmp_path / "solver")
        path.write_text(f'snapshot_prefix: "{tmp_path}"')
        assert read_solver(path).param.snapshot_prefix == str(tmp_path / "solver")
        path.write_text(f'snapshot_prefix: "{tmp_path}/model"')
        assert read_solver(path).param.snapshot_prefix == f"{tmp_path}/model"

    def test_defines(self, tmp_path):
        path = tmp_path / "solver.prototxt"
        path.write_text('train_net: "${EXP}/train.prototxt"\nmax_iter: ${N}')
        solver = read_solver(path, defines={"EXP": "voc12", "N": 20000}).param
        assert (solver.train_net, solver.max_iter) == ("voc12/train.prototxt", 20000)
