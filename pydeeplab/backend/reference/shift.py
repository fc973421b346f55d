"""Convolution at stride 1: the definition that the product of all taps, shifted and added, must meet."""

from pydeeplab.backend.reference import conv


def shift_forward(x, w, scale, bias, y, work, pad_h, pad_w, dilation_h, dilation_w, relu, slope):
    window = (1, 1, pad_h, pad_w, dilation_h, dilation_w)
    conv.conv_forward_packed(x, w, scale, bias, None, y, work, *window, 1, relu, slope)
