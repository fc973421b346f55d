"""Convolution: the transforms between image and columns, and the convolution engines built on them.

A *window* is kernel, stride, pad and dilation per spatial axis. The image side has sizes H, W; the column side P, Q,
with P = (H + 2 pad_h - (dilation_h (kernel_h - 1) + 1)) // stride_h + 1. A Deconvolution uses the same kernels with the
sides exchanged: its forward pass is ``conv_backward_data``, which therefore can add a bias.

The ``nd`` kernels take any number of spatial axes, flattened, and ``geometry``, which lives on the host: a row per axis
of image size, column-side size, kernel, stride, pad, dilation.
"""

from pydeeplab.backend.spec import kernel

WINDOW = "int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w"
CONVOLUTION = "scratch columns[*], " + WINDOW + ", int group"
ND = "scratch columns[*], in host geometry[A,G]:int32, int group"

FORWARD = "in x[N,C,H,W], in w[O,I,R,S], in? bias[O], out y[N,O,P,Q], "
FUSED = (
    "in* x[N,C,H,W], in w[O,I,R,S], in? scale[O], in? bias[O], in?* other[N,O,P,Q], out* y[N,O,P,Q], scratch work[*], "
    + WINDOW
    + ", int group, bool relu, float slope"
)
BACKWARD_DATA = "in dy[N,O,P,Q], in w[O,I,R,S], in? bias[C], out dx[N,C,H,W], "
BACKWARD_WEIGHTS = "in x[N,C,H,W], in dy[N,O,P,Q], inout dw[O,I,R,S], "

KERNELS = [
    kernel(
        "im2col",
        "in x[N,C,H,W], out columns[N,K,P,Q], int kernel_h, int kernel_w, " + WINDOW,
        source="Caffe Im2col: columns[n, (c, u, v), i, j] = x[n, c, i stride - pad + u dilation, ...], zero outside",
        tolerance=0,
    ),
    kernel(
        "col2im",
        "in columns[N,K,P,Q], out x[N,C,H,W], int kernel_h, int kernel_w, " + WINDOW,
        source="Caffe Im2col: the adjoint of im2col, sums of what came from the same pixel",
        tolerance=1e-6,
    ),
    kernel(
        "im2col_nd",
        "in x[N,C,X], out columns[N,K,Y], in host geometry[A,G]:int32",
        source="Caffe Im2col with any number of spatial axes",
        tolerance=0,
    ),
    kernel(
        "col2im_nd",
        "in columns[N,K,Y], out x[N,C,X], in host geometry[A,G]:int32",
        source="Caffe Im2col with any number of spatial axes: the adjoint",
        tolerance=1e-6,
    ),
    kernel(
        "conv_forward",
        FORWARD + CONVOLUTION,
        source="Caffe Convolution: y[n,o,i,j] = bias[o] + sum w[o,c,u,v] x[n, c, i stride - pad + u dilation, ...]; "
        "columns holds at least C R S P Q elements unless the window is a single pixel",
    ),
    kernel(
        "conv_backward_data",
        BACKWARD_DATA + CONVOLUTION,
        source="Caffe Convolution: dx = col2im(w^T dy); with bias, Deconvolution's forward; columns as conv_forward",
    ),
    kernel(
        "conv_backward_weights",
        BACKWARD_WEIGHTS + CONVOLUTION,
        source="Caffe Convolution: dw += sum over images of dy im2col(x)^T; columns as conv_forward",
    ),
    kernel(
        "conv_backward_bias",
        "in dy[N,O,Y], inout db[O]",
        source="Caffe Convolution: db += sum of dy over images and pixels",
    ),
    kernel(
        "conv_forward_strips",
        FORWARD + CONVOLUTION,
        source="conv_forward, a few pixels at a time: columns holds at least 16 C R S / group elements, more is faster",
        variant_of="conv_forward",
        only="cpu",
    ),
    kernel(
        "conv_backward_data_strips",
        BACKWARD_DATA + CONVOLUTION,
        source="conv_backward_data, a few channels and pixels at a time: columns holds at least 16 R S elements",
        variant_of="conv_backward_data",
        only="cpu",
    ),
    kernel(
        "conv_backward_weights_strips",
        BACKWARD_WEIGHTS + CONVOLUTION,
        source="conv_backward_weights, a few taps and pixels at a time: columns holds at least 256 elements",
        variant_of="conv_backward_weights",
        only="cpu",
    ),
    kernel(
        "conv_forward_packed",
        FUSED,
        source="y = act(scale conv(x, w) + bias + other), act(v) = max(v, 0) + slope min(v, 0) if relu, else v; "
        "columns are made while they are packed for the product; other may be y",
    ),
    kernel(
        "conv_forward_strassen",
        FUSED,
        source="conv_forward_packed as products of halves, seven in place of eight: Strassen 1969, Winograd 1971",
        variant_of="conv_forward_packed",
        only="cpu",
    ),
    kernel(
        "conv_backward_data_packed",
        BACKWARD_DATA + CONVOLUTION.replace("columns", "work"),
        source="conv_backward_data at stride 1, with pads within the window: conv_forward_packed of the adjoint window",
        only="cpu",
    ),
    kernel(
        "conv_backward_data_strassen",
        BACKWARD_DATA + CONVOLUTION.replace("columns", "work"),
        source="conv_backward_data_packed as products of halves, seven in place of eight",
        variant_of="conv_backward_data_packed",
        only="cpu",
    ),
    kernel(
        "conv_backward_data_implicit",
        BACKWARD_DATA + CONVOLUTION,
        source="conv_backward_data without columns: they are read from dy as the product needs them",
        variant_of="conv_backward_data",
        only="cuda",
    ),
    kernel(
        "conv_backward_weights_implicit",
        BACKWARD_WEIGHTS + CONVOLUTION,
        source="conv_backward_weights without columns: they are read from x as the product needs them",
        variant_of="conv_backward_weights",
        only="cuda",
    ),
    kernel(
        "conv_nd_forward",
        "in x[N,C,X], in w[O,I,T], in? bias[O], out y[N,O,Y], " + ND,
        source="Caffe Convolution with any number of spatial axes; columns holds at least C T Y elements",
    ),
    kernel(
        "conv_nd_backward_data",
        "in dy[N,O,Y], in w[O,I,T], in? bias[C], out dx[N,C,X], " + ND,
        source="Caffe Convolution with any number of spatial axes; with bias added, Caffe Deconvolution's forward",
    ),
    kernel(
        "conv_nd_backward_weights",
        "in x[N,C,X], in dy[N,O,Y], inout dw[O,I,T], " + ND,
        source="Caffe Convolution with any number of spatial axes",
    ),
    kernel(
        "depthwise_forward",
        "in x[N,C,H,W], in w[O,I,R,S], in? bias[O], out y[N,O,P,Q], " + WINDOW,
        source="Caffe Convolution with group = C (I = 1, O a multiple of C)",
    ),
    kernel(
        "depthwise_backward_data",
        "in dy[N,O,P,Q], in w[O,I,R,S], in? bias[C], out dx[N,C,H,W], " + WINDOW,
        source="Caffe Convolution with group = C: dx; with bias added, Deconvolution's forward",
    ),
    kernel(
        "depthwise_backward_weights",
        "in x[N,C,H,W], in dy[N,O,P,Q], inout dw[O,I,R,S], " + WINDOW,
        source="Caffe Convolution with group = C: dw",
    ),
]
