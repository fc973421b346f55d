"""Convolution with 3 x 3 taps at stride 1: the definition that Winograd's algorithm must meet."""

from pydeeplab.backend.reference import conv


def winograd_forward(x, w, scale, bias, y, work, tile, pad_h, pad_w, dilation_h, dilation_w, relu, slope):
    window = (1, 1, pad_h, pad_w, dilation_h, dilation_w)
    conv.conv_forward_packed(x, w, scale, bias, None, y, work, *window, 1, relu, slope)


def winograd_backward_data(dy, w, bias, dx, work, tile, *window):
    conv.conv_backward_data(dy, w, bias, dx, work, 1, 1, *window, 1)


def winograd_backward_weights(x, dy, dw, work, tile, *window):
    conv.conv_backward_weights(x, dy, dw, work, 1, 1, *window, 1)
