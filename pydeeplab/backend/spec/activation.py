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
]
