"""Pooling over rectangular windows.

Window (p, q) covers kernel_h rows, dilation_h apart, from p stride_h - pad_h on, and columns likewise, cut to the
image. ``index`` is the
row-major position h W + w of the chosen pixel in its plane, -1 where there is none.
"""

from pydeeplab.backend.spec import kernel

WINDOW = "int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w"

KERNELS = [
    kernel(
        "max_pool_forward",
        "in x[N,C,H,W], out y[N,C,P,Q], out? index[N,C,P,Q]:int32, " + WINDOW,
        source="Caffe Pooling MAX: the first (row-major) of the largest values above -FLT_MAX, so NaN never wins",
        tolerance=0,
    ),
    kernel(
        "max_pool_backward",
        "in dy[N,C,P,Q], in index[N,C,P,Q]:int32, out dx[N,C,H,W], " + WINDOW,
        source="Caffe Pooling MAX: dx[index] += dy; an index is -1, which takes nothing, or lies in its window",
    ),
    kernel(
        "ave_pool_forward",
        "in x[N,C,H,W], out y[N,C,P,Q], " + WINDOW,
        source="Caffe Pooling AVE: the sum over the window's pixels, over its size cut to the image plus padding; "
        "0 for a window without pixels",
    ),
    kernel(
        "ave_pool_backward",
        "in dy[N,C,P,Q], out dx[N,C,H,W], " + WINDOW,
        source="Caffe Pooling AVE: the adjoint of ave_pool_forward",
    ),
    kernel(
        "stochastic_pool_forward",
        "in x[N,C,H,W], in u[N,C,P,Q], out y[N,C,P,Q], out index[N,C,P,Q]:int32, " + WINDOW,
        source="Caffe Pooling STOCHASTIC, training: the first pixel at which the running sum reaches u times the sum "
        "of the window (Zeiler and Fergus 2013), u in [0, 1)",
        tolerance=0,
    ),
    kernel(
        "stochastic_pool_average",
        "in x[N,C,H,W], out y[N,C,P,Q], " + WINDOW,
        source="Caffe Pooling STOCHASTIC, test: sum x^2 / (FLT_MIN + sum x)",
    ),
]
