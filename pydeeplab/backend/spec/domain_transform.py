"""The domain transform: a recursive edge-aware smoothing of N x C planes, steered by N planes of reference gradients.

``size`` holds each item's real height and width (at most H and W, truncated); what lies beyond is copied. There are
``iterations`` rounds, the i-th with sigma_i = spatial_sigma sqrt(3) 2^(K-1-i) / sqrt(4^K - 1) and the weights
w = clamp(exp(-sqrt(2) / sigma_i (1 + g spatial_sigma / range_sigma)), min_weight, 1), each of four passes in place:
to the right y[x] += w[x] (y[x-1] - y[x]), to the left y[x] += w[x+1] (y[x+1] - y[x]), down and up likewise.
"""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "domain_transform_forward",
        "in x[N,C,H,W], in g[N,H,W], in size[N,two], out y[N,C,H,W], "
        "int iterations, float spatial_sigma, float range_sigma, float min_weight, bool clamp",
        source="DeepLab DomainTransform, DomainTransformForwardOnly without the clamp; Gastal & Oliveira 2011, eq. 21",
        tolerance=3e-6,
    ),
    kernel(
        "domain_transform_backward",
        "in x[N,C,H,W], in g[N,H,W], in size[N,two], in dy[N,C,H,W], out dx[N,C,H,W], out dg[N,H,W], "
        "int iterations, float spatial_sigma, float range_sigma, float min_weight",
        source="DeepLab DomainTransform; the filter is run again instead of keeping what its passes left; "
        "the clamp counts as the identity",
        tolerance=1e-5,
    ),
]
