"""Every exported layer, alone, against ONNX Runtime."""

import numpy as np
import pytest

from pydeeplab.export import check_onnx, export_onnx, exported_layers
from tests.export.support import input_layer, layer, need_onnx, random_net, worst_error

IMAGE = input_layer(2, 4, 9, 10)
PAIR = IMAGE + input_layer(2, 4, 9, 10, name="other")
MASKED = layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", top="p mask", name="pool")


def _conv(text: str) -> str:
    return IMAGE + layer("Convolution", "convolution_param { num_output: 6 " + text + " }")


def _deconv(text: str) -> str:
    return IMAGE + layer("Deconvolution", "convolution_param { num_output: 6 " + text + " }")


def _pool(text: str, height: int = 9, width: int = 10) -> str:
    return input_layer(2, 3, height, width) + layer("Pooling", "pooling_param { " + text + " }")


CASES = {
    "Convolution": _conv("kernel_size: 3 pad: 1"),
    "Convolution dilated, strided": _conv("kernel_size: 3 pad: 2 dilation: 2 stride: 2"),
    "Convolution grouped": _conv("kernel_size: 3 group: 2 bias_term: false"),
    "Convolution oblong": _conv("kernel_h: 1 kernel_w: 4 pad_h: 0 pad_w: 2 stride_h: 2 stride_w: 1"),
    "Convolution 1-D": input_layer(2, 4, 9)
    + layer("Convolution", "convolution_param { num_output: 3 kernel_size: 3 }"),
    "Convolution of two": PAIR
    + layer("Convolution", "convolution_param { num_output: 3 kernel_size: 3 }", bottom="data other", top="y z"),
    "Pooling dilated": _pool("kernel_size: 3 dilation: 2 pad: 2"),
    "Pooling dilated, wide pad": _pool("kernel_size: 3 dilation: 3 pad: 3"),
    "Pooling dilated, overhang": _pool("kernel_size: 3 dilation: 2 pad: 1 overhang: 2"),
    "Pooling dilated, wide overhang": _pool("kernel_size: 2 dilation: 4 overhang: 3"),
    "Pooling with overhang": _pool("kernel_size: 3 overhang: 1"),
    "Pooling average with overhang": _pool("pool: AVE kernel_size: 3 overhang: 1"),
    "Deconvolution": _deconv("kernel_size: 4 stride: 2 pad: 1"),
    "Deconvolution grouped": _deconv("kernel_size: 3 stride: 3 group: 2 bias_term: false"),
    "Deconvolution dilated": _deconv("kernel_size: 3 dilation: 2 pad: 1"),
    "InnerProduct": IMAGE + layer("InnerProduct", "inner_product_param { num_output: 5 }"),
    "InnerProduct transposed": IMAGE + layer("InnerProduct", "inner_product_param { num_output: 5 transpose: true }"),
    "InnerProduct of rows": IMAGE
    + layer("InnerProduct", "inner_product_param { num_output: 5 axis: 3 bias_term: false }"),
    "Pooling MAX": _pool("pool: MAX kernel_size: 3 stride: 2 pad: 1"),
    "Pooling MAX rounded up": _pool("pool: MAX kernel_size: 2 stride: 2"),
    "Pooling MAX last window dropped": _pool("pool: MAX kernel_size: 2 stride: 2 pad: 1", 8, 9),
    "Pooling MAX wide stride": _pool("pool: MAX kernel_size: 3 stride: 4 pad: 1", 10, 13),
    "Pooling MAX rounded down": _pool("pool: MAX kernel_size: 3 stride: 2 round_mode: FLOOR"),
    "Pooling AVE last window dropped": _pool("pool: AVE kernel_size: 2 stride: 2 pad: 1", 8, 9),
    "Pooling AVE": _pool("pool: AVE kernel_size: 3 stride: 1 pad: 1"),
    "Pooling AVE rounded up": _pool("pool: AVE kernel_size: 3 stride: 2", 8, 10),
    "Pooling AVE padded and beyond": _pool("pool: AVE kernel_size: 3 stride: 2 pad: 1", 8, 10),
    "Pooling AVE far beyond": _pool("pool: AVE kernel_size: 5 stride: 3 pad: 2", 9, 11),
    "Pooling global": _pool("pool: AVE global_pooling: true"),
    "Pooling global MAX": _pool("pool: MAX global_pooling: true"),
    "Pooling with positions": IMAGE + MASKED,
    "Upsample": IMAGE + MASKED + layer("Upsample", "upsample_param { upsample_h: 9 upsample_w: 10 }", bottom="p mask"),
    "Unpooling": input_layer(2, 3, 9, 11)
    + MASKED
    + layer("Unpooling", "unpooling_param { kernel_size: 2 stride: 2 unpool_h: 9 unpool_w: 11 }", bottom="p mask"),
    "ReLU": IMAGE + layer("ReLU"),
    "ReLU leaky": IMAGE + layer("ReLU", "relu_param { negative_slope: 0.1 }"),
    "PReLU": IMAGE + layer("PReLU"),
    "PReLU shared": IMAGE + layer("PReLU", "prelu_param { channel_shared: true }"),
    "ELU": IMAGE + layer("ELU", "elu_param { alpha: 0.7 }"),
    "Sigmoid": IMAGE + layer("Sigmoid"),
    "TanH": IMAGE + layer("TanH"),
    "AbsVal": IMAGE + layer("AbsVal"),
    "BNLL": IMAGE + layer("BNLL"),
    "Clip": IMAGE + layer("Clip", "clip_param { min: -0.5 max: 0.7 }"),
    "Swish": IMAGE + layer("Swish", "swish_param { beta: 1.5 }"),
    "Threshold": IMAGE + layer("Threshold", "threshold_param { threshold: 0.3 }"),
    "Power": IMAGE + layer("Power", "power_param { power: 2 scale: 0.5 shift: 1.5 }"),
    "Power of nothing": IMAGE + layer("Power"),
    "Exp": IMAGE + layer("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }"),
    "Exp of e": IMAGE + layer("Exp"),
    "Log": IMAGE + layer("Log", "log_param { base: 10 scale: 2 shift: 1 }"),
    "BatchNorm": IMAGE + layer("BatchNorm", "batch_norm_param { eps: 0.01 }"),
    "BatchNorm in place": IMAGE
    + layer("ReLU", top="y", name="r")
    + layer("BatchNorm", bottom="y", top="y", name="b")
    + layer("Scale", "scale_param { bias_term: true }", bottom="y", top="y", name="s"),
    "BatchNorm by batch": IMAGE + layer("BatchNorm", "batch_norm_param { use_global_stats: false }"),
    "BN of SegNet": IMAGE + layer("BN", "bn_param { bn_mode: INFERENCE }"),
    "BN of SegNet by batch": IMAGE + layer("BN", "bn_param { bn_mode: LEARN }"),
    "BN with statistics": IMAGE + layer("BN", "bn_param { bn_mode: LEARN }", top="y m v"),
    "BN of PSPNet": IMAGE + layer("BN", "bn_param { eps: 0.001 }"),
    "Scale": IMAGE + layer("Scale", "scale_param { bias_term: true }"),
    "Scale of rows": IMAGE + layer("Scale", "scale_param { axis: 1 num_axes: 2 }"),
    "Scale by a number": IMAGE + layer("Scale", "scale_param { num_axes: 0 }"),
    "Scale by a blob": IMAGE
    + input_layer(2, 4, name="gate")
    + layer("Scale", "scale_param { axis: 0 bias_term: true }", bottom="data gate"),
    "Bias": IMAGE + layer("Bias"),
    "Bias by a blob": IMAGE + input_layer(4, 9, name="b") + layer("Bias", "bias_param { axis: 1 }", bottom="data b"),
    "LRN": IMAGE + layer("LRN", "lrn_param { local_size: 3 alpha: 0.9 beta: 0.75 k: 2 }"),
    "LRN within": IMAGE + layer("LRN", "lrn_param { local_size: 3 alpha: 0.9 norm_region: WITHIN_CHANNEL }"),
    "Normalize": IMAGE + layer("Normalize"),
    "Normalize per position": IMAGE + layer("Normalize", "norm_param { across_spatial: false channel_shared: false }"),
    "MVN": IMAGE + layer("MVN"),
    "MVN across": IMAGE + layer("MVN", "mvn_param { across_channels: true normalize_variance: false }"),
    "Softmax": IMAGE + layer("Softmax"),
    "Softmax of rows": IMAGE + layer("Softmax", "softmax_param { axis: -1 }"),
    "Eltwise SUM": PAIR + layer("Eltwise", bottom="data other"),
    "Eltwise SUM weighted": PAIR + layer("Eltwise", "eltwise_param { coeff: 1 coeff: -0.5 }", bottom="data other"),
    "Eltwise PROD": PAIR + layer("Eltwise", "eltwise_param { operation: PROD }", bottom="data other data"),
    "Eltwise MAX": PAIR + layer("Eltwise", "eltwise_param { operation: MAX }", bottom="data other"),
    "SpatialProduct": IMAGE + input_layer(2, 1, 9, 10, name="m") + layer("SpatialProduct", bottom="data m"),
    "Concat": PAIR + layer("Concat", bottom="data other data"),
    "Concat of items": PAIR + layer("Concat", "concat_param { axis: 0 }", bottom="data other"),
    "Slice": IMAGE + layer("Slice", "slice_param { slice_point: 1 slice_point: 3 }", top="a b c"),
    "Slice evenly": IMAGE + layer("Slice", "slice_param { axis: -1 }", top="a b"),
    "Tile": IMAGE + layer("Tile", "tile_param { tiles: 3 axis: 2 }"),
    "Reduction": IMAGE + layer("Reduction", "reduction_param { axis: 1 coeff: 2 operation: MEAN }"),
    "Reduction of squares": IMAGE + layer("Reduction", "reduction_param { axis: 2 operation: SUMSQ }"),
    "Reduction to one number": IMAGE + layer("Reduction", "reduction_param { operation: ASUM }"),
    "ArgMax": IMAGE + layer("ArgMax", "argmax_param { axis: 1 }"),
    "ArgMax values": IMAGE + layer("ArgMax", "argmax_param { axis: 1 out_max_val: true }"),
    "ArgMax several": IMAGE + layer("ArgMax", "argmax_param { axis: 2 top_k: 3 }"),
    "ArgMax of all": IMAGE + layer("ArgMax", "argmax_param { top_k: 2 out_max_val: true }"),
    "Interp zoom": IMAGE + layer("Interp", "interp_param { zoom_factor: 8 }"),
    "Interp shrink": IMAGE + layer("Interp", "interp_param { shrink_factor: 2 }"),
    "Interp shrink and zoom": IMAGE + layer("Interp", "interp_param { shrink_factor: 4 zoom_factor: 3 }"),
    "Interp cropped": IMAGE + layer("Interp", "interp_param { zoom_factor: 2 pad_beg: -1 pad_end: -2 }"),
    "Interp to a size": IMAGE + layer("Interp", "interp_param { height: 13 width: 5 }"),
    "Interp of one pixel": input_layer(1, 3, 1, 1) + layer("Interp", "interp_param { height: 3 width: 4 }"),
    "Crop": IMAGE
    + input_layer(2, 4, 6, 5, name="small")
    + layer("Crop", "crop_param { offset: 1 offset: 3 }", bottom="data small"),
    "Crop of channels": IMAGE
    + input_layer(2, 2, 6, 5, name="small")
    + layer("Crop", "crop_param { axis: 1 offset: 1 }", bottom="data small"),
    "Padding": IMAGE + layer("Padding", "padding_param { pad_beg: 1 pad_end: 2 }"),
    "Padding that cuts": IMAGE + layer("Padding", "padding_param { pad_beg: -1 pad_end: -2 }"),
    "Flatten": IMAGE + layer("Flatten"),
    "Flatten rows": IMAGE + layer("Flatten", "flatten_param { axis: 2 }"),
    "Reshape": IMAGE + layer("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 2 } }"),
    "Permute": IMAGE + layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
    "Dropout": IMAGE + layer("ReLU", top="r", name="r") + layer("Dropout", bottom="r", top="r", name="d"),
    "Dropout of the input": IMAGE + layer("Dropout"),
    "Split": IMAGE + layer("ReLU", top="r", name="r") + layer("Split", bottom="r", top="a b", name="s"),
    "Silence": IMAGE + layer("Slice", top="a b") + layer("Silence", bottom="a", top="", name="s"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_layer_agrees_with_onnx_runtime(case, tmp_path):
    need_onnx()
    assert worst_error(random_net(CASES[case]), tmp_path, positive=case == "Log") < 1e-5


@pytest.mark.parametrize("opset", [13, 18, 21])
@pytest.mark.parametrize("case", ["BatchNorm by batch", "ArgMax values", "Slice", "Pooling AVE", "Interp zoom", "Clip"])
def test_other_versions_of_the_operators(case, opset, tmp_path):
    need_onnx()
    assert worst_error(random_net(CASES[case]), tmp_path, opset=opset) < 1e-5


VARYING = [
    "Convolution dilated, strided",
    "Deconvolution",
    "Pooling MAX",
    "Pooling MAX rounded up",
    "Pooling MAX last window dropped",
    "Pooling MAX wide stride",
    "Pooling MAX rounded down",
    "Pooling AVE last window dropped",
    "Pooling AVE rounded up",
    "Pooling AVE padded and beyond",
    "Pooling AVE far beyond",
    "Pooling global",
    "Pooling with positions",
    "InnerProduct",
    "BatchNorm by batch",
    "Normalize",
    "Reduction",
    "Slice",
    "Interp zoom",
    "Interp shrink",
    "Interp shrink and zoom",
    "Interp cropped",
    "Interp to a size",
    "Flatten",
    "Reshape",
    "Permute",
    "Padding that cuts",
]


@pytest.mark.parametrize("case", VARYING)
def test_one_file_serves_several_sizes(case, tmp_path):
    need_onnx()
    net = random_net(CASES[case])
    if case == "InnerProduct":  # only its batch may vary
        net = random_net(input_layer(2, 7) + layer("InnerProduct", "inner_product_param { num_output: 5 }"))
    assert worst_error(net, tmp_path, larger=True) < 1e-5


@pytest.mark.parametrize("height", range(4, 12))
@pytest.mark.parametrize(("kernel", "stride", "pad"), [(2, 2, 1), (3, 3, 1), (3, 4, 2), (5, 3, 2), (4, 2, 1)])
@pytest.mark.parametrize("pool", ["MAX", "AVE"])
def test_pooled_sizes_and_divisors(pool, kernel, stride, pad, height, tmp_path):
    need_onnx()
    text = _pool(f"pool: {pool} kernel_size: {kernel} stride: {stride} pad: {pad}", height, height + 3)
    assert worst_error(random_net(text), tmp_path) < 1e-5
    assert worst_error(random_net(text), tmp_path, larger=True) < 1e-5


@pytest.mark.parametrize("case", ["Pooling with positions", "ArgMax", "ArgMax several", "ArgMax of all", "Upsample"])
def test_ties_are_decided_alike(case, tmp_path):
    need_onnx()
    net = random_net(CASES[case])
    export_onnx(net, tmp_path / "net.onnx")
    values = np.random.default_rng(0).integers(0, 3, net.blobs["data"].shape).astype(np.float32)
    assert all(error.max_abs == 0 for error in check_onnx(tmp_path / "net.onnx", net, inputs={"data": values}))


def test_sizes_of_unpooling_and_crop_vary(tmp_path):
    need_onnx()
    text = IMAGE + MASKED + layer("Upsample", "upsample_param { scale: 2 }", bottom="p mask", top="u", name="up")
    text += layer("Crop", "crop_param { offset: 0 }", bottom="u data", name="crop")
    assert worst_error(random_net(text), tmp_path, larger=True) < 1e-5
    text = IMAGE + MASKED + layer("Unpooling", "unpooling_param { kernel_size: 3 stride: 2 }", bottom="p mask")
    assert worst_error(random_net(text), tmp_path, larger=True) < 1e-5


def test_every_exported_type_has_a_case():
    covered = {word for text in CASES.values() for word in text.split('"')}
    assert set(exported_layers()) <= covered
