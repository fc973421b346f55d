"""Parameter updates: one pass over a parameter normalises, regularises, moves the history and applies the step.

In all of them the gradient first becomes d = scale g + l2 w + l1 sign(w); then w is moved, and g is left holding what
was subtracted from w.
"""

from pydeeplab.backend.spec import kernel

_COMMON = "float scale, float l2, float l1, float rate"
_ONE = f"inout w[n], inout g[n], inout h[n], {_COMMON}"
_TWO = f"inout w[n], inout g[n], inout h[n], inout v[n], {_COMMON}"

KERNELS = [
    kernel("update_sgd", f"{_ONE}, float momentum", source="Caffe SGD: h = momentum h + rate d; w -= h"),
    kernel(
        "update_nesterov",
        f"{_ONE}, float momentum",
        source="Caffe Nesterov: h' = momentum h + rate d; w -= (1 + momentum) h' - momentum h",
    ),
    kernel(
        "update_adagrad",
        f"{_ONE}, float delta",
        source="Duchi et al. 2011, Caffe AdaGrad: h += d^2; w -= rate d / (sqrt(h) + delta)",
    ),
    kernel(
        "update_rmsprop",
        f"{_ONE}, float decay, float delta",
        source="Caffe RMSProp: h = decay h + (1 - decay) d^2; w -= rate d / (sqrt(h) + delta)",
    ),
    kernel(
        "update_adadelta",
        f"{_TWO}, float decay, float delta",
        source="Zeiler 2012, Caffe AdaDelta: h = decay h + (1 - decay) d^2; u = d sqrt((v + delta) / (h + delta)); "
        "v = decay v + (1 - decay) u^2; w -= rate u",
    ),
    kernel(
        "update_adam",
        f"{_TWO}, float beta1, float beta2, float delta",
        source="Kingma and Ba 2015, Caffe Adam: h = beta1 h + (1 - beta1) d; v = beta2 v + (1 - beta2) d^2; "
        "w -= rate h / (sqrt(v) + delta); rate includes the correction of the bias",
    ),
    kernel(
        "sum_squares",
        "in x[n], out total[one]:float64",
        source="Caffe's clipping of gradients: sum of x^2; the same for any number of threads",
        tolerance=1e-6,
    ),
]
