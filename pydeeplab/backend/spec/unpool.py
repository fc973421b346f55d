"""Putting pooled values back where they came from."""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "pool_mask",
        "in index[n]:int32, out mask[n]",
        source="Caffe Pooling, second top: positions as real numbers",
        tolerance=0,
    ),
    kernel(
        "unpool_forward",
        "in x[N,C,P,Q], in mask[N,C,P,Q], out y[N,C,H,W]",
        source="SegNet Upsample: y = 0, then y[mask] = x in order, so that the last of several wins; "
        "DataError for a position outside the plane",
        tolerance=0,
    ),
    kernel(
        "unpool_backward",
        "in dy[N,C,H,W], in mask[N,C,P,Q], out dx[N,C,P,Q]",
        source="SegNet Upsample: dx = dy[mask]",
        tolerance=0,
    ),
]
