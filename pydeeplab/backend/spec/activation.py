"""Pointwise non-linearities."""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "relu_forward",
        "in x[n], out y[n], float slope",
        source="Caffe ReLU: y = max(x, 0) + slope min(x, 0)",
        tolerance=0,
    ),
    kernel(
        "relu_backward",
        "in x[n], in dy[n], out dx[n], float slope",
        source="Caffe ReLU: dx = dy (1 if x > 0 else slope); x may be the output",
        tolerance=0,
    ),
    kernel(
        "sigmoid_forward",
        "in x[n], out y[n], float beta",
        source="Caffe Sigmoid (beta 1) and the gate of Swish: y = 1 / (1 + exp(-beta x))",
    ),
    kernel(
        "sigmoid_backward",
        "in y[n], in dy[n], out dx[n]",
        source="Caffe Sigmoid: dx = dy y (1 - y)",
    ),
    kernel("tanh_forward", "in x[n], out y[n]", source="Caffe TanH: y = tanh(x)"),
    kernel("tanh_backward", "in y[n], in dy[n], out dx[n]", source="Caffe TanH: dx = dy (1 - y^2)"),
    kernel(
        "elu_forward",
        "in x[n], out y[n], float alpha",
        source="Caffe ELU: y = x if x > 0 else alpha (exp(x) - 1)",
    ),
    kernel(
        "elu_backward",
        "in x[n], in y[n], in dy[n], out dx[n], float alpha",
        source="Caffe ELU: dx = dy (1 if x > 0 else y + alpha); for alpha >= 0 x may be the output",
    ),
    kernel(
        "clip_forward",
        "in x[n], out y[n], float low, float high",
        source="Caffe Clip: y = max(low, min(x, high)); NaN stays NaN",
        tolerance=0,
    ),
    kernel(
        "clip_backward",
        "in x[n], in dy[n], out dx[n], float low, float high",
        source="Caffe Clip: dx = dy where low <= x <= high, else 0",
        tolerance=0,
    ),
]
