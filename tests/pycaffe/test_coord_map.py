"""Maps between the coordinates of tops, and the crops that align them."""

# ruff: noqa: C408 (fields are written as scripts write them: dict(type="xavier"))

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pydeeplab.errors import PydeeplabError


def coarse_and_fine(
    caffe: Any,
    *,
    ks: Any = 3,
    stride: Any = 1,
    pad: Any = 0,
    pool: int = 2,
    up_kernel: Any = 4,
    up_stride: Any = 2,
    up_pad: Any = 0,
    dilation: Any = 1,
    axes: int = 2,
) -> Any:
    """data -> conv -> pool (without overlap) -> up, with an even upsampling kernel."""
    L, P = caffe.layers, caffe.params
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[2, 1, *[100] * axes]))
    n.aux = L.Input(shape=dict(dim=[2, 1, *[20] * axes]))
    n.conv = L.Convolution(n.data, num_output=10, kernel_size=ks, stride=stride, pad=pad, dilation=dilation)
    n.pool = L.Pooling(n.conv, pool=P.Pooling.MAX, kernel_size=pool, stride=pool, pad=0)
    n.up = L.Deconvolution(
        n.pool, convolution_param=dict(num_output=10, kernel_size=up_kernel, stride=up_stride, pad=up_pad)
    )
    return n


def agrees(actual: Any, axis: int | None, scale: Any, shift: Any) -> None:
    assert actual[0] == axis
    np.testing.assert_allclose(actual[1], scale)
    np.testing.assert_allclose(actual[2], shift)


@pytest.fixture
def maps(caffe: Any) -> Any:
    import caffe.coord_map

    return caffe.coord_map


def test_padding_that_keeps_the_size_keeps_coordinates(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe, ks=5, pad=2)
    agrees(maps.coord_map_from_to(n.conv, n.data), 1, 1, 0)


@pytest.mark.parametrize(
    ("ks", "pad", "dilation", "shift"), [(3, 0, 1, 1), (3, 4, 1, -3), (3, 0, 4, 4), (4, 0, 1, 1.5)]
)
def test_convolutions(caffe: Any, maps: Any, ks: int, pad: int, dilation: int, shift: float) -> None:
    n = coarse_and_fine(caffe, ks=ks, pad=pad, dilation=dilation)
    agrees(maps.coord_map_from_to(n.conv, n.data), 1, 1, shift)
    agrees(maps.coord_map_from_to(n.data, n.conv), 1, 1, -shift)


def test_strides_and_upsampling(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe)
    agrees(maps.coord_map_from_to(n.pool, n.data), 1, 2, 1.5)
    agrees(maps.coord_map_from_to(n.up, n.pool), 1, 0.5, -0.75)
    agrees(maps.coord_map_from_to(n.up, n.data), 1, 1, 0)
    agrees(maps.coord_map_from_to(n.up, n.conv), 1, 1, -1)
    shifted = coarse_and_fine(caffe, up_pad=1)
    agrees(maps.coord_map_from_to(shifted.up, shifted.data), 1, 1, 1)


@pytest.mark.parametrize(("up_pad", "pad", "offset"), [(0, 0, 0), (0, 5, 5), (0, 98, 98)])
def test_crop(caffe: Any, maps: Any, up_pad: int, pad: int, offset: int) -> None:
    n = coarse_and_fine(caffe, up_pad=up_pad, pad=pad)
    cropped = maps.crop(n.up, n.data)
    assert cropped.fn.type_name == "Crop"
    assert cropped.fn.inputs == (n.up, n.data)
    assert cropped.fn.params["crop_param"] == {"axis": 2, "offset": [offset]}


def test_axes_of_different_geometry(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe, ks=[3, 5], pad=[5, 12])
    agrees(maps.coord_map_from_to(n.up, n.data), 1, 1, [-5, -11])
    assert maps.crop(n.up, n.data).fn.params["crop_param"]["offset"] == [5, 11]
    square = coarse_and_fine(caffe, ks=[3, 3], pad=[5, 5])
    agrees(maps.coord_map_from_to(square.up, square.data), 1, [1, 1], [-5, -5])
    legacy = caffe.layers.Convolution(n.data, num_output=1, kernel_h=3, kernel_w=5, pad_w=2)
    agrees(maps.coord_map_from_to(legacy, n.data), 1, 1, [1, 0])


def test_three_axes(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe, ks=3, pad=[1, 2, 3], axes=3)
    agrees(maps.coord_map_from_to(n.up, n.data), 1, 1, [-1, -2, -3])
    assert maps.crop(n.up, n.data).fn.params["crop_param"]["offset"] == [1, 2, 3]


def test_layers_that_map_several_bottoms_alike(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe)
    one, two = caffe.layers.Convolution(n.data, n.aux, ntop=2, num_output=10, kernel_size=5, stride=2)
    agrees(maps.coord_map_from_to(one, n.data), 1, 2, 2)
    agrees(maps.coord_map_from_to(two, n.aux), 1, 2, 2)


def test_upsampling_described_by_keywords(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe, pool=4)
    up = caffe.layers.Deconvolution(n.pool, num_output=10, kernel_size=8, stride=4, pad=0)
    agrees(maps.coord_map_from_to(up, n.data), 1, 1, -1)


def test_branches_meet_where_they_come_from(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe)
    n.side = caffe.layers.Convolution(n.data, num_output=1, kernel_size=3)
    agrees(maps.coord_map_from_to(n.up, n.side), 1, 1, -1)
    agrees(maps.coord_map_from_to(n.side, n.conv), 1, 1, 0)


@pytest.mark.parametrize("kind", ["ReLU", "Dropout", "BatchNorm", "Scale", "LRN", "PReLU"])
def test_pointwise_layers_change_nothing(caffe: Any, maps: Any, kind: str) -> None:
    n = coarse_and_fine(caffe)
    before = maps.coord_map_from_to(n.up, n.data)
    after = maps.coord_map_from_to(getattr(caffe.layers, kind)(n.up), getattr(caffe.layers, kind)(n.data))
    agrees(after, *before)
    assert kind in maps.PASS_THROUGH_LAYERS
    agrees(maps.coord_map_from_to(n.data, n.data), None, 1, 0)


def test_crops_are_followed(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe, pad=7)
    once = caffe.layers.Crop(n.up, n.data, axis=2, offset=3)
    agrees(maps.coord_map_from_to(once, n.data), 1, 1, -4)
    assert maps.crop(once, n.data).fn.params["crop_param"]["offset"] == [4]
    twice = caffe.layers.Crop(once, n.data, crop_param=dict(axis=2, offset=[4]))
    agrees(maps.coord_map_from_to(twice, n.data), 1, 1, 0)


def test_the_size_of_a_crop_is_no_connection(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe)
    cropped = caffe.layers.Crop(n.aux, n.data, axis=2)
    with pytest.raises(RuntimeError, match="could not find a map"):
        maps.coord_map_from_to(cropped, n.data)


def test_unconnected(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe)
    n.ip = caffe.layers.InnerProduct(n.up, num_output=10)
    for one, two in ((n.ip, n.data), (n.aux, n.data), (n.data, n.ip)):
        with pytest.raises(RuntimeError, match="could not find a map"):
            maps.coord_map_from_to(one, two)
    with pytest.raises(maps.UndefinedMapException, match="InnerProduct"):
        maps.coord_map(n.ip.fn)


def test_what_cannot_be_cropped(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe, pool=3)
    with pytest.raises(AssertionError, match="scale mismatch"):
        maps.crop(n.up, n.data)
    n = coarse_and_fine(caffe, ks=10, up_pad=1)
    with pytest.raises(AssertionError, match="negative offset"):
        maps.crop(n.up, n.data)
    n = coarse_and_fine(caffe, ks=4, pad=9)
    with pytest.raises(AssertionError, match="noninteger offset") as caught:
        maps.crop(n.up, n.data)
    assert isinstance(caught.value, PydeeplabError)


def test_different_axes(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe)
    other = caffe.layers.Convolution(n.conv, num_output=1, kernel_size=3, axis=2)
    with pytest.raises(maps.AxisMismatchException, match="different axes"):
        maps.coord_map_from_to(other, n.data)


def test_the_pieces(caffe: Any, maps: Any) -> None:
    n = coarse_and_fine(caffe, ks=3, stride=2, pad=1, dilation=2)
    axis, stride, extent, pad = maps.conv_params(n.conv.fn)
    assert (axis, list(stride), list(extent), list(pad)) == (1, [2], [5], [1])
    agrees(maps.inverse(maps.coord_map(n.conv.fn)), 1, 2, 1)
    agrees(maps.compose(maps.inverse(maps.coord_map(n.conv.fn)), maps.coord_map(n.conv.fn)), 1, 1, 0)
    axis, offset = maps.crop_params(caffe.layers.Crop(n.data, n.aux).fn)
    assert (axis, list(offset)) == (2, [0])


def test_a_crop_aligns_in_a_built_net(caffe: Any, maps: Any, tmp_path: Path) -> None:
    """A bright pixel stays where it is through convolution, pooling, bilinear upsampling and the crop."""
    L = caffe.layers
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 1, 24, 30]))
    n.conv = L.Convolution(n.data, num_output=1, kernel_size=3, pad=10, weight_filler=dict(type="constant", value=1))
    n.pool = L.Pooling(n.conv, kernel_size=2, stride=2, pool=caffe.params.Pooling.AVE)
    bilinear = dict(num_output=1, kernel_size=4, stride=2, bias_term=False, weight_filler=dict(type="bilinear"))
    n.up = L.Deconvolution(n.pool, convolution_param=bilinear)
    n.aligned = maps.crop(n.up, n.data)
    path = tmp_path / "net.prototxt"
    path.write_text(str(n.to_proto()))
    net = caffe.Net(str(path), caffe.TEST)
    for row, column in ((6, 9), (13, 20)):
        net.blobs["data"].data[...] = 0
        net.blobs["data"].data[0, 0, row, column] = 1
        response = net.forward()["aligned"][0, 0].astype(float)
        assert response.shape == (24, 30)
        centre = [(response.sum(axis=1 - a) * np.arange(response.shape[a])).sum() / response.sum() for a in (0, 1)]
        np.testing.assert_allclose(centre, [row, column], atol=0.51)


def test_the_published_offsets_of_fcn_8s(caffe: Any, maps: Any) -> None:
    """FCN-8s written as its authors wrote it; the offsets are those of its published prototxt."""
    L, P = caffe.layers, caffe.params

    def conv_relu(bottom: Any, nout: int, ks: int = 3, stride: int = 1, pad: int = 1) -> tuple[Any, Any]:
        conv = L.Convolution(
            bottom,
            kernel_size=ks,
            stride=stride,
            num_output=nout,
            pad=pad,
            param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)],
        )
        return conv, L.ReLU(conv, in_place=True)

    def up(bottom: Any, ks: int, stride: int) -> Any:
        param = dict(num_output=21, kernel_size=ks, stride=stride, bias_term=False)
        return L.Deconvolution(bottom, convolution_param=param, param=[dict(lr_mult=0)])

    n = caffe.NetSpec()
    n.data, n.label = L.Python(module="voc_layers", layer="VOCSegDataLayer", ntop=2, param_str="{'split': 'train'}")
    bottom, pools = n.data, {}
    for stage, (repeats, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for i in range(1, repeats + 1):
            conv, relu = conv_relu(bottom, width, pad=100 if (stage, i) == (1, 1) else 1)
            n[f"conv{stage}_{i}"], n[f"relu{stage}_{i}"] = conv, relu
            bottom = relu
        bottom = n[f"pool{stage}"] = pools[stage] = L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    n.fc6, n.relu6 = conv_relu(bottom, 4096, ks=7, pad=0)
    n.drop6 = L.Dropout(n.relu6, dropout_ratio=0.5, in_place=True)
    n.fc7, n.relu7 = conv_relu(n.drop6, 4096, ks=1, pad=0)
    n.score_fr = L.Convolution(n.relu7, num_output=21, kernel_size=1, pad=0)
    n.upscore2 = up(n.score_fr, 4, 2)
    n.score_pool4 = L.Convolution(pools[4], num_output=21, kernel_size=1, pad=0)
    n.score_pool4c = maps.crop(n.score_pool4, n.upscore2)
    n.fuse_pool4 = L.Eltwise(n.upscore2, n.score_pool4c, operation=P.Eltwise.SUM)
    n.upscore_pool4 = up(n.fuse_pool4, 4, 2)
    n.score_pool3 = L.Convolution(pools[3], num_output=21, kernel_size=1, pad=0)
    n.score_pool3c = maps.crop(n.score_pool3, n.upscore_pool4)
    n.fuse_pool3 = L.Eltwise(n.upscore_pool4, n.score_pool3c, operation=P.Eltwise.SUM)
    n.upscore8 = up(n.fuse_pool3, 16, 8)
    n.score = maps.crop(n.upscore8, n.data)
    crops = [layer for layer in n.to_proto().layer if layer.type == "Crop"]
    found = {layer.name: (layer.crop_param.axis, list(layer.crop_param.offset)) for layer in crops}
    assert found == {"score_pool4c": (2, [5]), "score_pool3c": (2, [9]), "score": (2, [31])}
