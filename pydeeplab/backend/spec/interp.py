"""Resizing with aligned corners, of a window of each plane.

The window starts at (top, left) and is height x width; the corners of the output fall on the corners of the window.
The source coordinate of output i is r i in single precision, r = (size - 1) / (out - 1), 0 if out is 1.
"""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "interp_forward",
        "in x[P,H,W], out y[P,Q,R], int top, int left, int height, int width",
        source="DeepLab Interp: bilinear; a plain copy where window and output have one size",
        tolerance=1e-6,
    ),
    kernel(
        "interp_backward",
        "in dy[P,Q,R], out dx[P,H,W], int top, int left, int height, int width",
        source="DeepLab Interp: the adjoint of interp_forward",
        tolerance=3e-6,
    ),
    kernel(
        "interp_nearest_forward",
        "in x[P,H,W], out y[P,Q,R], int top, int left, int height, int width",
        source="the same grid, taking the nearest source value (halves up): for labels, which must not be blended",
        tolerance=0,
    ),
]
