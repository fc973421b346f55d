"""Moving values without arithmetic: Concat, Slice, Crop, Padding, Permute, Tile."""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "copy_window",
        "in x[N,H,W], inout y[N,P,Q], int x_top, int x_left, int y_top, int y_left, int height, int width",
        source="y[:, y_top:+height, y_left:+width] = x[:, x_top:+height, x_left:+width]; the rest of y is kept; "
        "the windows lie inside x and y",
        tolerance=0,
    ),
    kernel(
        "permute_forward",
        "in x[A,B,C,D], out y[n], int axis0, int axis1, int axis2, int axis3",
        source="SSD Permute: y = x with its axes in the order axis0..axis3, flat",
        tolerance=0,
    ),
    kernel("fill", "out y[n], float value", source="y = value", tolerance=0),
]
