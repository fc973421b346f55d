"""Convolution with 3 x 3 taps at stride 1: the definition that Winograd's algorithm must meet."""

from pydeeplab.backend.reference import conv


def _finish(y, scale, bias, relu, slope):
    per_channel = (-1, *(1 for _ in y.shape[2:]))
    if scale is not None:
        y *= scale.reshape(per_channel)
    if bias is not None:
        y += bias.reshape(per_channel)
    if relu:
        y[...] = y.clip(min=0) + slope * y.clip(max=0)


def winograd_forward(x, w, scale, bias, y, work, tile, pad_h, pad_w, dilation_h, dilation_w, relu, slope):
    conv.conv_forward(x, w, None, y, work, 1, 1, pad_h, pad_w, dilation_h, dilation_w, 1)
    _finish(y, scale, bias, relu, slope)


def winograd_backward_data(dy, w, bias, dx, work, tile, *window):
    conv.conv_backward_data(dy, w, bias, dx, work, 1, 1, *window, 1)


def winograd_backward_weights(x, dy, dw, work, tile, *window):
    conv.conv_backward_weights(x, dy, dw, work, 1, 1, *window, 1)
