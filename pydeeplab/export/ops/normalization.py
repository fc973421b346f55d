"""BatchNorm, BN, Scale, Bias, LRN, Normalize, MVN and Softmax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.export.site import Site, translates
from pydeeplab.layer import TEST
from pydeeplab.layers.bn import SEGNET_EPS


@translates("BatchNorm")
def batch_norm(site: Site) -> str:
    """BatchNormalization by the stored statistics (blobs 0 and 1 over blob 2), or by the batch's own."""
    param, blobs = site.param.batch_norm_param, site.layer.blobs
    if len(site.shapes[0]) < 2:
        site.unsupported("the bottom has no channel axis")
    if param.HasField("use_global_stats") and not param.use_global_stats:
        return _by_batch(site, float(param.eps))[0]
    weight = float(blobs[2].look()[0])
    factor = np.float32(1 / weight if weight else 0.0)
    mean, variance = (site.real(blobs[i].look() * factor, name) for i, name in ((0, "mean"), (1, "variance")))
    channels = blobs[0].count
    one, zero = site.real(np.ones(channels), "one"), site.real(np.zeros(channels), "zero")
    return site.op("BatchNormalization", site.bottom, one, zero, mean, variance, epsilon=float(param.eps))


def _by_batch(site: Site, eps: float) -> tuple[str, str, str]:
    """The bottom normalised by the batch's statistics; those statistics."""
    axes = [0, *range(2, len(site.shapes[0]))]
    mean = site.reduce("ReduceMean", site.bottom, axes)
    centred = site.op("Sub", site.bottom, mean)
    variance = site.reduce("ReduceMean", site.op("Mul", centred, centred), axes)
    deviation = site.op("Sqrt", site.op("Add", variance, site.real(eps)))
    return site.op("Div", centred, deviation), mean, variance


@translates("BN")
def bn(site: Site) -> str | list[str]:
    """SegNet's, by the batch's statistics or folded; PSPNet's, by stored ones."""
    param, blobs = site.param.bn_param, site.layer.blobs
    pspnet = len(blobs) == 4
    if pspnet and (param.frozen or site.layer.phase == TEST):
        parameters = [site.parameter(i, (-1,)) for i in range(4)]
        return site.op("BatchNormalization", site.bottom, *parameters, epsilon=float(param.eps))
    along = (1, -1, *(1,) * (len(site.shapes[0]) - 2))
    value = site.bottom
    statistics: list[str] = []
    if pspnet or param.bn_mode != param.INFERENCE:
        value, *statistics = _by_batch(site, float(param.eps) if pspnet else SEGNET_EPS)
    value = site.op("Add", site.op("Mul", value, site.parameter(0, along)), site.parameter(1, along))
    tops = len(site.top_shapes)
    if tops > 1 and len(site.shapes[0]) != 4:
        site.unsupported("tops for the statistics need a bottom N x C x H x W")
    if tops > 1 and not statistics:
        site.unsupported("there are no statistics for its further tops")
    return [value, *statistics][:tops]


@translates("Scale")
def scale(site: Site) -> str:
    """Mul, and Add with a bias."""
    learned = len(site.bottoms) == 1
    factor = _spread(site, "scale_param", 0 if learned else None)
    value = site.op("Mul", site.bottom, factor)
    if not site.param.scale_param.bias_term:
        return value
    return site.op("Add", value, _spread(site, "scale_param", 1 if learned else 0))


@translates("Bias")
def bias(site: Site) -> str:
    """Add."""
    return site.op("Add", site.bottom, _spread(site, "bias_param", 0 if len(site.bottoms) == 1 else None))


def _spread(site: Site, field: str, blob: int | None) -> str:
    """A parameter, or without index bottom 1, with axes of size 1 after those of bottom 0 that it spans."""
    ndim = len(site.shapes[0])
    first = getattr(site.param, field).axis % ndim
    shape: Sequence[int] = site.shapes[1] if blob is None else site.layer.blobs[blob].shape
    behind = ndim - first - len(shape) if shape else 0
    if blob is not None:
        return site.parameter(blob, (*shape, *(1,) * behind))
    if not behind:
        return site.bottoms[1]
    return site.op("Unsqueeze", site.bottoms[1], site.integers([len(shape) + i for i in range(behind)]))


@translates("LRN")
def lrn(site: Site) -> str:
    """LRN across channels; within a channel by an average pooling of the squares."""
    param = site.param.lrn_param
    size, alpha, beta = int(param.local_size), float(param.alpha), float(param.beta)
    if param.norm_region == param.ACROSS_CHANNELS:
        return site.op("LRN", site.bottom, size=size, alpha=alpha, beta=beta, bias=float(param.k))
    squares = site.op("Mul", site.bottom, site.bottom)
    half = size // 2
    mean = site.op("AveragePool", squares, kernel_shape=[size, size], pads=[half] * 4, count_include_pad=1)
    base = site.op("Add", site.op("Mul", mean, site.real(alpha)), site.real(1.0))
    return site.op("Div", site.bottom, site.op("Pow", base, site.real(beta)))


@translates("Normalize")
def normalize(site: Site) -> str:
    """x over its norm, times a scale."""
    param, ndim = site.param.norm_param, len(site.shapes[0])
    axes = list(range(1, ndim)) if param.across_spatial else [1]
    total = site.reduce("ReduceSum", site.op("Mul", site.bottom, site.bottom), axes)
    unit = site.op("Div", site.bottom, site.op("Sqrt", site.op("Add", total, site.real(float(param.eps)))))
    return site.op("Mul", unit, site.parameter(0, (site.layer.blobs[0].count, *(1,) * (ndim - 2))))


@translates("MVN")
def mvn(site: Site) -> str:
    """Each plane, or item, less its mean, over its standard deviation plus eps."""
    param = site.param.mvn_param
    axes = list(range(1 if param.across_channels else 2, len(site.shapes[0])))
    if not axes:
        site.unsupported("the bottom has no axes to take the mean over")
    centred = site.op("Sub", site.bottom, site.reduce("ReduceMean", site.bottom, axes))
    if not param.normalize_variance:
        return centred
    variance = site.reduce("ReduceMean", site.op("Mul", centred, centred), axes)
    return site.op("Div", centred, site.op("Add", site.op("Sqrt", variance), site.real(float(param.eps))))


@translates("Softmax")
def softmax(site: Site) -> str:
    """Softmax along one axis."""
    return site.op("Softmax", site.bottom, axis=site.param.softmax_param.axis % len(site.shapes[0]))
