"""Maps and sums with one value per channel: BatchNorm, BN, Scale, Bias, PReLU and what is folded from them.

An array ``x[N,C,n]`` is a blob seen as N items of C channels of n values; a reduction "over the channel" runs over
N and n. Sums are accumulated in double precision in an order that does not depend on the number of threads.
"""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "channel_affine_forward",
        "in x[N,C,n], out y[N,C,n], in? scale[C], in? shift[C], float slope, bool relu",
        source="Caffe Scale and Bias: z = x scale_c + shift_c; y = max(z, 0) + slope min(z, 0) with relu, else z; "
        "y may be x",
        tolerance=1e-6,
    ),
    kernel(
        "channel_scale_gradient",
        "in x[N,C,n], in dy[N,C,n], inout dscale[C]",
        source="Caffe Scale: dscale_c += sum of dy x over the channel",
    ),
    kernel(
        "channel_bias_gradient",
        "in dy[N,C,n], inout dshift[C]",
        source="Caffe Bias: dshift_c += sum of dy over the channel",
    ),
    kernel(
        "channel_statistics",
        "in x[N,C,n], out mean[C], out variance[C]",
        source="Caffe BatchNorm: mean and biased variance over the channel (Ioffe and Szegedy 2015, algorithm 1)",
    ),
    kernel(
        "channel_normalize_forward",
        "in x[N,C,n], in mean[C], in variance[C], in? scale[C], in? shift[C], out y[N,C,n], float eps",
        source="Caffe BatchNorm and BN: y = (x - mean_c) / sqrt(variance_c + eps) scale_c + shift_c; y may be x",
    ),
    kernel(
        "channel_normalize_backward",
        "in x[N,C,n], in dy[N,C,n], in mean[C], in variance[C], in? scale[C], "
        "out? dx[N,C,n], inout? dscale[C], inout? dshift[C], float eps, bool batch",
        source="Caffe BatchNorm and BN, with z the normalised x and s = scale_c / sqrt(variance_c + eps): dscale_c += "
        "sum of dy z; dshift_c += sum of dy; dx = s dy, or with batch (mean and variance are those of x) "
        "s (dy - mean(dy) - z mean(dy z)); dx may be dy",
    ),
    kernel(
        "prelu_forward",
        "in x[N,C,n], in slope[C], out y[N,C,n]",
        source="Caffe PReLU: y = max(x, 0) + slope_c min(x, 0) (He et al. 2015, eq. 1)",
        tolerance=0,
    ),
    kernel(
        "prelu_backward",
        "in x[N,C,n], in dy[N,C,n], in slope[C], out dx[N,C,n]",
        source="Caffe PReLU: dx = dy (1 if x > 0 else slope_c)",
        tolerance=0,
    ),
    kernel(
        "prelu_slope_gradient",
        "in x[N,C,n], in dy[N,C,n], inout dslope[C]",
        source="Caffe PReLU: dslope_c += sum of dy x over x <= 0",
    ),
]
