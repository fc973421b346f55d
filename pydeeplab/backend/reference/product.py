"""The gradient of a convolution's weights: the definition that one product over all pixels must meet."""

from pydeeplab.backend.reference import conv


def product_backward_weights(x, dy, dw, work, *window_halves_turned):
    conv.conv_backward_weights(x, dy, dw, work, *window_halves_turned[:6], 1)
