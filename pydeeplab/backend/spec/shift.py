"""Convolution at stride 1 as one product of all taps' weights and the image, whose rows are shifted and added."""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "shift_forward",
        "in x[N,C,H,W], in w[O,C,R,S], in? scale[O], in? bias[O], out y[N,O,P,Q], scratch work[*], "
        "int pad_h, int pad_w, int dilation_h, int dilation_w, bool relu, float slope",
        source="conv_forward_packed at stride 1 without groups; the same for any number of threads",
        only="cpu",
    ),
]
