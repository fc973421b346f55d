"""From decoded pictures to blobs: OpenCV's bilinear resize, and the cut, mirrored, mean-free crop that nets get."""

from libc.stdint cimport uint8_t


cdef extern from "image_resize.h" nogil:
    int resize_bilinear_bytes(const uint8_t *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                              uint8_t *y, ptrdiff_t new_height, ptrdiff_t new_width)
    int resize_bilinear_floats(const float *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                               float *y, ptrdiff_t new_height, ptrdiff_t new_width)
    void window_to_blob(const uint8_t *image, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const double *mean,
                        float *blob, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, ptrdiff_t column,
                        int mirror, int reverse, float scale)


cdef extern from "image_mean.h" nogil:
    void subtract_window(const float *mean, ptrdiff_t height, ptrdiff_t width, float *blob, ptrdiff_t channels,
                         ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, ptrdiff_t column, int mirror, float scale)


def image_resize_bilinear(const uint8_t[:, :, ::1] x, uint8_t[:, :, ::1] y):
    cdef int done
    if x.size == 0 or y.size == 0:
        return
    with nogil:
        done = resize_bilinear_bytes(&x[0, 0, 0], x.shape[0], x.shape[1], x.shape[2], &y[0, 0, 0], y.shape[0], y.shape[1])
    if not done:
        raise MemoryError("no memory to resize an image")


def image_resize_bilinear_real(const float[:, :, ::1] x, float[:, :, ::1] y):
    cdef int done
    if x.size == 0 or y.size == 0:
        return
    with nogil:
        done = resize_bilinear_floats(&x[0, 0, 0], x.shape[0], x.shape[1], x.shape[2], &y[0, 0, 0], y.shape[0], y.shape[1])
    if not done:
        raise MemoryError("no memory to resize an image")


def image_to_blob(const uint8_t[:, :, ::1] image, const double[::1] mean, float[:, :, ::1] blob,
                  ptrdiff_t row, ptrdiff_t column, bint mirror, bint reverse, float scale):
    if blob.size == 0:
        return
    if not (0 <= row < image.shape[0] and 0 <= column < image.shape[1]):
        raise IndexError(f"the window's corner ({row}, {column}) is outside the image {image.shape[0]} x {image.shape[1]}")
    with nogil:
        window_to_blob(&image[0, 0, 0], image.shape[0], image.shape[1], image.shape[2], &mean[0],
                       &blob[0, 0, 0], blob.shape[1], blob.shape[2], row, column, mirror, reverse, scale)


def image_subtract_mean(const float[:, :, ::1] mean, float[:, :, ::1] blob,
                        ptrdiff_t row, ptrdiff_t column, bint mirror, float scale):
    cdef ptrdiff_t height = mean.shape[1], width = mean.shape[2]
    if blob.size == 0:
        return
    if not (height == width == 1 or (0 <= row <= height - blob.shape[1] and 0 <= column <= width - blob.shape[2])):
        raise IndexError(f"the window {blob.shape[1]} x {blob.shape[2]} at ({row}, {column}) exceeds the mean's "
                         f"{height} x {width}")
    with nogil:
        subtract_window(&mean[0, 0, 0], height, width, &blob[0, 0, 0], blob.shape[0], blob.shape[1], blob.shape[2],
                        row, column, mirror, scale)
