"""Softmax over channels, alone and with the multinomial logistic loss.

Arrays are seen as N items, C channels and S positions. Labels are floating numbers, truncated toward zero. A label in
``ignore`` takes no part; any other outside 0..C-1 is bad. Loss sums are accumulated in double precision, in an order
that does not depend on the number of threads.
"""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "softmax_forward",
        "in x[N,C,S], out y[N,C,S]",
        source="Caffe Softmax: y = exp(x - max) / sum exp(x - max) over C; y may be x",
        tolerance=2e-6,
    ),
    kernel(
        "softmax_backward",
        "in y[N,C,S], in dy[N,C,S], out dx[N,C,S]",
        source="Caffe Softmax: dx = y (dy - sum dy y); dx may be dy",
        tolerance=2e-6,
    ),
    kernel(
        "softmax_loss_forward",
        "in x[N,C,S], in label[N,S], in? weight[C], in ignore[K]:int32, out p[N,C,S], out sums[four]:float64",
        source="Caffe SoftmaxWithLoss, DeepLab v1 SOFTMAX_LOSS: p = softmax(x); sums = (-sum w ln max(p[label], "
        "FLT_MIN), sum w, number of labels used, index of the first bad label or -1), w = weight[label] or 1",
        tolerance=2e-6,
    ),
    kernel(
        "softmax_loss_backward",
        "in p[N,C,S], in label[N,S], in? weight[C], in ignore[K]:int32, out dx[N,C,S], float scale",
        source="Caffe SoftmaxWithLoss, DeepLab v1 SOFTMAX_LOSS: dx = scale w (p - onehot(label)), "
        "0 where ignored or bad",
        tolerance=1e-6,
    ),
]
