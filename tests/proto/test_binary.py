"""Binary nets: the dialects whose numbers collide, built byte by byte, and damaged files."""

import struct

import pytest

from pydeeplab.errors import WeightsError
from pydeeplab.proto import caffe_pb2, parse_binary_net, parse_net
from tests.support.external import shared


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field, value):
    return varint(field << 3) + varint(value)


def real(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


def block(field, *parts):
    data = b"".join(p.encode() if isinstance(p, str) else p for p in parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


BLOB = block(5, struct.pack("<3f", 1, -0.0, 3)) + block(7, block(1, varint(3)))


def current(layer_type, *parts, name="l"):
    """A net of one current layer with a blob."""
    return block(100, block(1, name), block(2, layer_type), block(7, BLOB), *parts)


def old(layer_type, *parts, name="l"):
    """A net of one V1 layer with a blob."""
    return block(2, block(4, name), number(5, layer_type), block(6, BLOB), *parts)


def one(data):
    (layer,) = parse_binary_net(data).layer
    assert list(layer.blobs[0].data) == [1, 0, 3]
    return layer


class TestCurrentFormat:
    @pytest.mark.parametrize("wire", [143, 153, 163])
    def test_interp_of_deeplab_v2_its_rebase_and_pspnet(self, wire):
        layer = one(current("Interp", block(wire, number(1, 5), number(3, 8))))
        assert (layer.interp_param.height, layer.interp_param.zoom_factor) == (5, 8)
        assert not layer.HasField("input_param")

    def test_input_of_bvlc(self):
        layer = one(current("Input", block(143, block(1, block(1, varint(4), varint(2))))))
        assert list(layer.input_param.shape[0].dim) == [4, 2]

    @pytest.mark.parametrize(
        ("layer_type", "wire", "field", "body", "check"),
        [
            ("Crop", 144, "crop_param", number(1, 3), lambda p: p.axis == 3),
            ("SegAccuracy", 144, "seg_accuracy_param", number(2, 255), lambda p: list(p.ignore_label) == [255]),
            ("SegAccuracy", 154, "seg_accuracy_param", number(2, 255), lambda p: list(p.ignore_label) == [255]),
            ("Parameter", 145, "parameter_param", block(1, block(1, varint(3))), lambda p: p.shape.dim[0] == 3),
            ("MatWrite", 145, "mat_write_param", block(1, "out/"), lambda p: p.prefix == "out/"),
            ("MatWrite", 155, "mat_write_param", block(1, "out/"), lambda p: p.prefix == "out/"),
            ("LSTM", 146, "recurrent_param", number(1, 7), lambda p: p.num_output == 7),
            ("DenseCRF", 146, "dense_crf_param", number(1, 7), lambda p: p.max_iter == 7),
            ("DenseCRF", 152, "dense_crf_param", number(1, 7), lambda p: p.max_iter == 7),
            ("Swish", 147, "swish_param", real(1, 2), lambda p: p.beta == 2),
            ("DomainTransform", 147, "domain_transform_param", number(1, 2), lambda p: p.num_iter == 2),
            ("Upsample", 147, "upsample_param", number(6, 45), lambda p: p.upsample_h == 45),
            ("Upsample", 137, "upsample_param", number(6, 45), lambda p: p.upsample_h == 45),
            ("Embed", 137, "embed_param", number(1, 45), lambda p: p.num_output == 45),
            ("Clip", 148, "clip_param", real(1, -2), lambda p: p.min == -2),
            ("AdaptiveBiasChannel", 148, "adaptive_bias_channel_param", real(2, 0.5), lambda p: p.bg_portion == 0.5),
            ("BiasChannel", 149, "bias_channel_param", real(1, 4), lambda p: p.bg_bias == 4),
            (
                "BN",
                45,
                "bn_param",
                number(3, 1) + block(1, real(2, 1)),
                lambda p: p.bn_mode and p.scale_filler.value == 1,
            ),
            (
                "BN",
                137,
                "bn_param",
                real(3, 0.5) + number(5, 1) + block(1, real(2, 3)),
                lambda p: p.frozen and p.momentum == 0.5 and p.slope_filler.value == 3,
            ),
            ("DenseImageData", 46, "dense_image_data_param", number(13, 8), lambda p: p.label_divide_factor == 8),
            ("Permute", 202, "permute_param", number(1, 2), lambda p: list(p.order) == [2]),
        ],
    )
    def test_one_number_means_different_things(self, layer_type, wire, field, body, check):
        layer = one(current(layer_type, block(wire, body)))
        params = [f.name for f, _ in layer.ListFields() if f.name.endswith("_param")]
        assert params == [field]
        assert check(getattr(layer, field))

    @pytest.mark.parametrize("wire", [137, 140, 143, 144, 145, 146, 147, 148, 150, 202])
    def test_fields_of_unknown_forks_are_left_out(self, wire):
        layer = one(current("SomethingNew", block(wire, "anything")))
        assert [f.name for f, _ in layer.ListFields()] == ["name", "type", "blobs"]

    def test_a_parameter_that_does_not_parse_costs_only_itself(self):
        layer = one(current("Pooling", block(121, b"\xff"), block(3, "bottom")))
        assert layer.bottom[0] == "bottom"
        assert not layer.HasField("pooling_param")

    @pytest.mark.parametrize(
        ("body", "dilation", "force_nd"),
        [
            (number(17, 1), [], True),
            (number(17, 1) + number(18, 2), [2], True),
            (number(18, 2) + number(18, 3), [2, 3], False),
            (number(17, 4), [4], False),
            (number(18, 2) + number(19, 3), [2, 3], False),
        ],
    )
    def test_hole_against_dilation(self, body, dilation, force_nd):
        convolution = one(current("Convolution", block(106, number(1, 8), body))).convolution_param
        assert convolution.num_output == 8
        assert list(convolution.dilation) == dilation
        assert convolution.force_nd_im2col is force_nd

    def test_large_numbers_of_layers_of_all_kinds_stay_in_order(self):
        data = b"".join(
            current("Interp" if i % 2 else "ReLU", block(143, number(1, i)), name=f"n{i}") for i in range(300)
        )
        layers = parse_binary_net(data).layer
        assert [layer.name for layer in layers] == [f"n{i}" for i in range(300)]
        assert [layer.interp_param.height for layer in layers[1::2]] == list(range(1, 300, 2))


class TestOldFormat:
    @pytest.mark.parametrize(
        ("body", "dilation"), [(number(17, 4), [4]), (number(18, 2) + number(19, 3), [2, 3]), (number(18, 2), [2, 1])]
    )
    def test_hole(self, body, dilation):
        assert list(one(old(4, block(10, number(1, 8), body))).convolution_param.dilation) == dilation

    def test_type_39_with_images_is_image_seg_data(self):
        assert one(old(39, block(15, block(1, "list.txt")))).type == "ImageSegData"

    def test_type_39_with_weights_is_deconvolution(self):
        layer = one(old(39, block(10, number(1, 8))))
        assert (layer.type, layer.convolution_param.num_output) == ("Deconvolution", 8)

    def test_type_39_beside_deeplab_layers_is_image_seg_data(self):
        layers = parse_binary_net(old(39, name="data") + old(41, block(43, number(3, 8)))).layer
        assert [layer.type for layer in layers] == ["ImageSegData", "Interp"]
        assert layers[1].interp_param.zoom_factor == 8

    def test_field_42_is_seg_accuracy_in_deeplab_and_loss_elsewhere(self):
        assert list(one(old(40, block(42, number(2, 255)))).seg_accuracy_param.ignore_label) == [255]
        assert one(old(21, block(42, number(1, 255)))).loss_param.ignore_label == 255

    @pytest.mark.parametrize(
        ("number_", "name"),
        [
            (40, "SegAccuracy"),
            (42, "Padding"),
            (44, "MatRead"),
            (45, "DenseCRF"),
            (50, "AdaptiveBiasChannel"),
            (56, "OneHot"),
        ],
    )
    def test_types_of_deeplab(self, number_, name):
        assert one(old(number_)).type == name

    def test_types_of_deconvnet(self):
        net = parse_binary_net(old(42, block(44, number(2, 2))) + old(43, block(45, number(3, 1))) + old(40) + old(47))
        assert [layer.type for layer in net.layer] == ["Unpooling", "BN", "Crop", "WindowSegData"]
        assert net.layer[0].unpooling_param.kernel_size == 2
        assert net.layer[1].bn_param.bn_mode == caffe_pb2.BNParameter.INFERENCE

    def test_softmax_loss_and_strict_dim(self):
        layer = one(old(21, block(44, number(2, 255), block(16, "w.txt")), number(1003, 0)))
        assert (layer.loss_param.ignore_label, layer.loss_param.weight_source) == (255, "w.txt")
        assert layer.strict_dim is False

    def test_learning_rates_become_params(self):
        layer = one(old(4, real(7, 1), real(7, 2), real(8, 0)))
        assert [(p.lr_mult, p.decay_mult) for p in layer.param] == [(1, 0), (2, 1)]

    def test_an_unknown_type_keeps_its_weights(self):
        layer = one(old(99))
        assert (layer.name, layer.type) == ("l", "")

    def test_v0(self):
        inner = block(1, block(1, "c"), block(2, "conv"), number(3, 8), block(50, BLOB))
        layer = one(block(2, inner, block(2, "x"), block(3, "y")))
        assert (layer.name, layer.type, list(layer.bottom)) == ("c", "Convolution", ["x"])

    def test_the_same_as_text(self):
        text = """name: "n" layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" blobs_lr: 1 param: "w"
            convolution_param { num_output: 3 kernel_size: 2 pad: 1 weight_filler { type: "xavier" } } }
            layers { name: "d" type: DATA data_param { source: "s" mirror: true } top: "q" }"""
        from google.protobuf import text_format

        data = text_format.Parse(text, caffe_pb2.NetParameter()).SerializeToString()
        assert parse_binary_net(data) == parse_net(text).param


class TestWholeNets:
    def test_inputs_without_shapes_are_dropped(self):
        net = caffe_pb2.NetParameter(input=["data"], layer=[caffe_pb2.LayerParameter(name="a")])
        assert [layer.name for layer in parse_binary_net(net.SerializeToString()).layer] == ["a"]

    def test_inputs_with_shapes_become_a_layer(self):
        net = caffe_pb2.NetParameter(input=["data"], input_dim=[1, 3, 4, 4], layer=[caffe_pb2.LayerParameter(name="a")])
        assert [layer.name for layer in parse_binary_net(net.SerializeToString()).layer] == ["input", "a"]

    def test_memoryviews_are_taken(self):
        assert parse_binary_net(memoryview(bytearray(current("ReLU")))).layer[0].type == "ReLU"

    @pytest.mark.parametrize("form", [current, old])
    def test_every_truncation_is_noticed(self, form):
        first = form(*(("ReLU",) if form is current else (18,)), name="first")
        data = block(1, "net") + first + form(*(("ReLU",) if form is current else (18,)), name="second")
        whole = parse_binary_net(data)
        assert [layer.name for layer in whole.layer] == ["first", "second"]
        boundary = len(block(1, "net") + first)
        for size in range(len(data)):
            if size == boundary:
                continue  # ends exactly behind a layer: a valid, smaller net
            with pytest.raises(WeightsError) as info:
                parse_binary_net(data[:size], filename="f.caffemodel")
            assert "f.caffemodel" in str(info.value)
            if size > boundary:
                assert "is damaged or cut short after layer 'first'" in str(info.value)

    def test_damage_within_a_blob(self):
        broken = block(100, block(1, "conv1"), block(2, "Convolution"), block(7, block(5, b"12345")))
        with pytest.raises(WeightsError, match=r"f is damaged at or after layer 'conv1'.*Copy or download it again"):
            parse_binary_net(broken, filename="f")

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "is empty"),
            (b"name: 'net'\nlayer { }\n", "is text, no binary net. Read it as a prototxt."),
            (b"\x89HDF\r\n\x1a\n\x00\x00", "is an HDF5 file"),
            (b"version https://git-lfs.github.com/spec/v1\noid \x00", "git lfs pull"),
            (number(1, 5000) + block(2, "model.caffemodel"), "looks like a solver state or a mean image"),
            (block(1, "a net's name\x00"), "holds no layers: it is no caffemodel"),
            (b"\xff" * 100, "is damaged, or no caffemodel"),
            (b"\x03\x00\x01", "is damaged, or no caffemodel"),
        ],
    )
    def test_other_files(self, data, message):
        with pytest.raises(WeightsError) as info:
            parse_binary_net(data, filename="f")
        assert str(info.value).startswith("f ")
        assert message in str(info.value)


@pytest.mark.parametrize(
    "folder", ["data/weights/everpeace-caffe-cifar10", "data/weights/everpeace-caffe-mnist", "data/opencv_layers"]
)
def test_real_files(folder):
    files = sorted(shared(folder).glob("*.caffemodel"))
    assert files
    for path in files:
        net = parse_binary_net(path.read_bytes(), filename=str(path))
        assert not net.layers
        assert all(layer.type for layer in net.layer)
        assert sum(len(blob.data) for layer in net.layer for blob in layer.blobs) > 5


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("ethereon-lenet/lenet_iter_10000.caffemodel", 431080),
        ("everpeace-caffe-mnist/lenet_iter_5000.caffemodel", 431080),
        ("everpeace-caffe-cifar10/cifar10_full_iter_60000.caffemodel", 89578),
        ("ctensmeyer-dibco/weights.caffemodel", 79765),
        ("Linzaer-UltraFace/slim-320.caffemodel", 257916),
    ],
)
def test_all_weights_of_real_files_arrive(path, values):
    net = parse_binary_net(shared(f"data/weights/{path}").read_bytes())
    assert sum(len(blob.data) for layer in net.layer for blob in layer.blobs) == values
