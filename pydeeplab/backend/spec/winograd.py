"""Convolution with kernels of 3 x 3 taps at stride 1 by Winograd's algorithm F(tile x tile, 3 x 3).

`tile` is 2, 3, 4 or 6: the larger, the fewer multiplications and the larger the rounding errors.
"""

from pydeeplab.backend.spec import kernel

WINDOW = "scratch work[*], int tile, int pad_h, int pad_w, int dilation_h, int dilation_w"

KERNELS = [
    kernel(
        "winograd_forward",
        "in* x[N,C,H,W], in w[O,C,R,S], in? scale[O], in? bias[O], out* y[N,O,P,Q], "
        + WINDOW
        + ", bool relu, float slope",
        source="conv_forward_packed at stride 1 without groups; Lavin and Gray 2016",
        tolerance=2e-5,
        only="cpu",
    ),
    kernel(
        "winograd_backward_data",
        "in dy[N,O,P,Q], in w[O,C,R,S], in? bias[C], out dx[N,C,H,W], " + WINDOW,
        source="the adjoint of winograd_forward without its epilogue, plus a bias; pad must not exceed 2 dilation",
        tolerance=2e-5,
        only="cpu",
    ),
    kernel(
        "winograd_backward_weights",
        "in x[N,C,H,W], in dy[N,O,P,Q], inout dw[O,C,R,S], " + WINDOW,
        source="dw += the gradient of winograd_forward without its epilogue; the same for any number of threads",
        tolerance=2e-5,
        only="cpu",
    ),
]
