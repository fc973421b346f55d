"""Functions of one value."""

from __future__ import annotations

import math

from pydeeplab.export.site import Site, translates

FLOAT = 1
PLAIN = {"Sigmoid": "Sigmoid", "TanH": "Tanh", "AbsVal": "Abs", "BNLL": "Softplus"}


@translates(*PLAIN)
def plain(site: Site) -> str:
    """Those that ONNX has under some name."""
    return site.op(PLAIN[site.layer.type], site.bottom)


@translates("Split", "Dropout")
def unchanged(site: Site) -> list[str]:
    """Tops that are the bottom."""
    if site.layer.type == "Dropout" and site.param.dropout_param.sample_weights_test:
        site.unsupported("sample_weights_test drops values at random; remove it")
    return [site.bottom] * len(site.top_shapes)


@translates("ReLU")
def relu(site: Site) -> str:
    """Relu, or LeakyRelu with a slope."""
    slope = site.param.relu_param.negative_slope
    return site.op("LeakyRelu", site.bottom, alpha=float(slope)) if slope else site.op("Relu", site.bottom)


@translates("PReLU")
def prelu(site: Site) -> str:
    """PRelu with a slope per channel, or one."""
    count = site.layer.blobs[0].count
    return site.op("PRelu", site.bottom, site.parameter(0, (count, *(1,) * (len(site.shapes[0]) - 2))))


@translates("ELU")
def elu(site: Site) -> str:
    """Elu."""
    return site.op("Elu", site.bottom, alpha=float(site.param.elu_param.alpha))


@translates("Clip")
def clip(site: Site) -> str:
    """Clip."""
    param = site.param.clip_param
    return site.op("Clip", site.bottom, site.real(param.min), site.real(param.max))


@translates("Swish")
def swish(site: Site) -> str:
    """x times its gate."""
    gate = site.op("Sigmoid", _affine(site, site.bottom, float(site.param.swish_param.beta), 0.0))
    return site.op("Mul", site.bottom, gate)


@translates("Threshold")
def threshold(site: Site) -> str:
    """1 above the threshold, else 0."""
    return site.op("Cast", site.op("Greater", site.bottom, site.real(site.param.threshold_param.threshold)), to=FLOAT)


@translates("Power")
def power(site: Site) -> str:
    """(shift + scale x) ^ power."""
    param = site.param.power_param
    inner = _affine(site, site.bottom, float(param.scale), float(param.shift))
    if param.power != 1:
        return site.op("Pow", inner, site.real(param.power))
    return site.op("Identity", inner) if inner == site.bottom else inner


@translates("Exp")
def exponential(site: Site) -> str:
    """base ^ (shift + scale x)."""
    param = site.param.exp_param
    log_base = 1.0 if param.base == -1 else math.log(param.base)
    return site.op("Exp", _affine(site, site.bottom, log_base * param.scale, log_base * param.shift))


@translates("Log")
def logarithm(site: Site) -> str:
    """log(shift + scale x) in some base."""
    param = site.param.log_param
    inner = site.op("Log", _affine(site, site.bottom, float(param.scale), float(param.shift)))
    return inner if param.base == -1 else _affine(site, inner, 1 / math.log(param.base), 0.0)


def _affine(site: Site, value: str, scale: float, shift: float) -> str:
    """scale x + shift, without what does nothing."""
    if scale != 1:
        value = site.op("Mul", value, site.real(scale))
    return site.op("Add", value, site.real(shift)) if shift else value
