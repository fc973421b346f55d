"""From decoded pictures to blobs: OpenCV's bilinear resize, and the cut, mirrored, mean-free crop that nets get."""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "image_resize_bilinear",
        "in x[H,W,C]:uint8, out y[P,Q,C]:uint8",
        source="OpenCV resize, INTER_LINEAR, 8 bits: 11-bit fixed-point weights; exact halving is a 2 x 2 mean",
        tolerance=0,
    ),
    kernel(
        "image_resize_bilinear_real",
        "in x[H,W,C], out y[P,Q,C]",
        source="OpenCV resize, INTER_LINEAR, floating point: half-pixel centres, no antialiasing",
    ),
    kernel(
        "image_to_blob",
        "in image[H,W,C]:uint8, in mean[C]:float64, out blob[C,P,Q], int row, int column, bool mirror, bool reverse, "
        "float scale",
        source="Caffe DataTransformer: (pixel - mean) scale of a window at (row, column); 0 outside the image; "
        "reverse swaps the channel order (RGB to BGR)",
        tolerance=0,
    ),
    kernel(
        "image_subtract_mean",
        "in mean[C,H,W], inout blob[C,P,Q], int row, int column, bool mirror, float scale",
        source="Caffe DataTransformer: (value - mean) scale, each rounded, with the mean's window at (row, column), "
        "mirrored as the values are; a mean of 1 x 1 holds for all pixels",
        tolerance=0,
    ),
]
