"""Convolution, Deconvolution and InnerProduct."""

from __future__ import annotations

from pydeeplab.export.graph import Attribute
from pydeeplab.export.site import Site, translates


@translates("Convolution", "Deconvolution")
def convolution(site: Site) -> list[str]:
    """Conv or ConvTranspose: Caffe's weights have the order that these want."""
    layer, param = site.layer, site.param.convolution_param
    ndim = len(site.shapes[0])
    if param.axis % ndim != 1:
        site.unsupported("convolution_param.axis must be 1")
    window = layer.window
    if not window.kernel:
        site.unsupported("it has no spatial axes")
    kind = "ConvTranspose" if layer.type == "Deconvolution" else "Conv"
    parameters = [site.parameter(i) for i in range(len(layer.blobs))]
    attributes: dict[str, Attribute] = {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "pads": [*window.pad, *window.pad],
        "dilations": list(window.dilation),
        "group": int(param.group),
    }
    return [site.op(kind, bottom, *parameters, **attributes) for bottom in site.bottoms]


@translates("InnerProduct")
def inner_product(site: Site) -> str:
    """Gemm on the bottom as a matrix."""
    param = site.param.inner_product_param
    axis = param.axis % len(site.shapes[0])
    rows = site.op("Flatten", site.bottom, axis=axis)
    parameters = [site.parameter(i) for i in range(len(site.layer.blobs))]
    result = site.op("Gemm", rows, *parameters, transB=int(not param.transpose))
    return result if axis == 1 else site.reshape_to_top(result)
