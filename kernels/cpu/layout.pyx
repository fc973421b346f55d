"""Moving values without arithmetic."""

cdef extern from "layout_copies.h" nogil:
    void copy_rows(const float *x, float *y, ptrdiff_t planes, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t x_plane,
                   ptrdiff_t x_row, ptrdiff_t y_plane, ptrdiff_t y_row)
    void gather_strided(const float *x, float *y, const ptrdiff_t *size, const ptrdiff_t *stride)
    void fill_value(float *y, ptrdiff_t n, float value)


def copy_window(const float[:, :, ::1] x, float[:, :, ::1] y, Py_ssize_t x_top, Py_ssize_t x_left, Py_ssize_t y_top,
                Py_ssize_t y_left, Py_ssize_t height, Py_ssize_t width):
    if min(x_top, x_left, y_top, y_left, height, width) < 0 or max(x_top + height - x.shape[1],
            x_left + width - x.shape[2], y_top + height - y.shape[1], y_left + width - y.shape[2]) > 0:
        raise IndexError(
            f"copy_window: {height} x {width} at ({x_top}, {x_left}) of {x.shape[1]} x {x.shape[2]} to "
            f"({y_top}, {y_left}) of {y.shape[1]} x {y.shape[2]} does not fit"
        )
    if x.shape[0] == 0 or height == 0 or width == 0:
        return
    with nogil:
        copy_rows(&x[0, x_top, x_left], &y[0, y_top, y_left], x.shape[0], height, width, x.shape[1] * x.shape[2],
                  x.shape[2], y.shape[1] * y.shape[2], y.shape[2])


def permute_forward(const float[:, :, :, ::1] x, float[::1] y, int axis0, int axis1, int axis2, int axis3):
    cdef int axes[4]
    cdef ptrdiff_t size[4]
    cdef ptrdiff_t stride[4]
    cdef int i
    axes[0], axes[1], axes[2], axes[3] = axis0, axis1, axis2, axis3
    if sorted([axis0, axis1, axis2, axis3]) != [0, 1, 2, 3] or y.shape[0] != x.size:
        raise IndexError(f"permute_forward: {axis0}, {axis1}, {axis2}, {axis3} is no order of four axes, or y has the wrong size")
    if y.shape[0] == 0:
        return
    for i in range(4):
        size[i] = x.shape[axes[i]]
        stride[i] = x.strides[axes[i]] // <ptrdiff_t>sizeof(float)
    with nogil:
        gather_strided(&x[0, 0, 0, 0], &y[0], size, stride)


def fill(float[::1] y, float value):
    if y.shape[0] == 0:
        return
    with nogil:
        fill_value(&y[0], y.shape[0], value)
