"""Convolution: the transforms between image and columns, and the engines built on them."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free

include "blas.pxi"
include "window.pxi"

cdef extern from "conv_window.h" nogil:
    ctypedef struct Part:
        ptrdiff_t row_begin
        ptrdiff_t row_end
        ptrdiff_t begin
        ptrdiff_t end

    void im2col_threads(const Window *window, ptrdiff_t channels, const float *image, float *columns)
    void col2im_threads(const Window *window, ptrdiff_t channels, const float *columns, float *image)

cdef extern from "conv_engines.h" nogil:
    ctypedef struct Convolution:
        Window window
        ptrdiff_t batch
        ptrdiff_t channels
        ptrdiff_t outputs
        ptrdiff_t groups
        Blas blas

    void c_forward "conv_forward"(
        const Convolution *, const float *, const float *, const float *, float *, float *, ptrdiff_t)
    void c_backward_data "conv_backward_data"(
        const Convolution *, const float *, const float *, const float *, float *, float *, ptrdiff_t)
    void c_backward_weights "conv_backward_weights"(
        const Convolution *, const float *, const float *, float *, float *, ptrdiff_t)
    void c_forward_strips "conv_forward_strips"(
        const Convolution *, const float *, const float *, const float *, float *, float *, ptrdiff_t)
    void c_backward_data_strips "conv_backward_data_strips"(
        const Convolution *, const float *, const float *, const float *, float *, float *, ptrdiff_t)
    void c_backward_weights_strips "conv_backward_weights_strips"(
        const Convolution *, const float *, const float *, float *, float *, ptrdiff_t)
    void c_backward_bias "conv_backward_bias"(const float *, float *, ptrdiff_t, ptrdiff_t, ptrdiff_t)

cdef extern from "epilogue.h" nogil:
    ctypedef struct Epilogue:
        const float *scale
        const float *bias
        int relu
        float slope

cdef extern from "conv_pictures.h" nogil:
    ctypedef struct Picture:
        Window window
        ptrdiff_t batch
        const float *x
        const float *other
        float *y

    ctypedef struct Pictures:
        const Picture *all
        ptrdiff_t count
        ptrdiff_t channels
        ptrdiff_t outputs
        ptrdiff_t groups

cdef extern from "conv_packed.h" nogil:
    ptrdiff_t conv_packed_size(const Pictures *)
    void c_forward_packed "conv_forward_packed"(const Pictures *, const float *, int, Epilogue, float *)

cdef extern from "conv_strassen.h" nogil:
    ptrdiff_t conv_strassen_size(const Pictures *)
    void c_forward_strassen "conv_forward_strassen"(const Pictures *, const float *, int, Epilogue, float *)

cdef extern from "conv_depthwise.h" nogil:
    void c_depthwise_forward "depthwise_forward"(
        const Window *, ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, const float *, const float *, float *)
    void c_depthwise_backward_data "depthwise_backward_data"(
        const Window *, ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, const float *, const float *, float *)
    void c_depthwise_backward_weights "depthwise_backward_weights"(
        const Window *, ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, const float *, float *)


ctypedef void (*ToMaps)(const Convolution *, const float *, const float *, const float *, float *, float *,
                        ptrdiff_t) noexcept nogil
ctypedef void (*Fused)(const Pictures *, const float *, int, Epilogue, float *) noexcept nogil
ctypedef ptrdiff_t (*FusedSize)(const Pictures *) noexcept nogil
ctypedef void (*ToWeights)(const Convolution *, const float *, const float *, float *, float *, ptrdiff_t) noexcept nogil


cdef inline const float *optional(const float[::1] values) noexcept:
    if values is None:
        return NULL
    return &values[0]


cdef Window plane_window(ptrdiff_t height, ptrdiff_t width, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t kernel_h,
                         ptrdiff_t kernel_w, tuple strides_pads_dilations) except *:
    cdef Window window
    cdef int a
    window.axes = 2
    window.image[0], window.image[1] = height, width
    window.out[0], window.out[1] = rows, columns
    window.kernel[0], window.kernel[1] = kernel_h, kernel_w
    for a in range(2):
        window.stride[a] = strides_pads_dilations[a]
        window.pad[a] = strides_pads_dilations[2 + a]
        window.dilation[a] = strides_pads_dilations[4 + a]
    check(&window)
    return window


cdef Window nd_window(const int[:, ::1] geometry) except *:
    cdef Window window
    cdef int a
    if not 1 <= geometry.shape[0] <= MAX_AXES or geometry.shape[1] != 6:
        raise ValueError(f"geometry must have 1 to {MAX_AXES} rows of 6, got {geometry.shape[0]} of {geometry.shape[1]}")
    window.axes = <int>geometry.shape[0]
    for a in range(window.axes):
        window.image[a], window.out[a], window.kernel[a] = geometry[a, 0], geometry[a, 1], geometry[a, 2]
        window.stride[a], window.pad[a], window.dilation[a] = geometry[a, 3], geometry[a, 4], geometry[a, 5]
    check(&window)
    return window


cdef int check(Window *window) except -1:
    cdef int a
    cdef ptrdiff_t room
    window_finish(window)
    for a in range(window.axes):
        if window.kernel[a] < 1 or window.stride[a] < 1 or window.dilation[a] < 1 or window.pad[a] < 0:
            raise ValueError("kernel, stride and dilation must be positive, pad not negative")
        room = window.image[a] + 2 * window.pad[a] - window.dilation[a] * (window.kernel[a] - 1) - 1
        fits(window.out[a], room // window.stride[a] + 1 if room >= 0 else 0, "positions of an axis")
    return 0


cdef int fits(ptrdiff_t got, ptrdiff_t wanted, str what) except -1:
    if got != wanted:
        raise ValueError(f"{what}: got {got}, expected {wanted}")
    return 0


cdef int roomy(ptrdiff_t got, ptrdiff_t wanted) except -1:
    if got < wanted:
        raise ValueError(f"the scratch has {got} elements; at least {wanted} are needed")
    return 0


cdef Convolution convolution(Window window, ptrdiff_t batch, ptrdiff_t channels, ptrdiff_t outputs, ptrdiff_t inner,
                             ptrdiff_t groups) except *:
    cdef Convolution conv
    fits(inner * groups, channels, "channels")
    fits(outputs % groups, 0, "outputs modulo group")
    conv.window = window
    conv.batch, conv.channels, conv.outputs, conv.groups = batch, channels, outputs, groups
    conv.blas = blas
    return conv


cdef inline ptrdiff_t all_columns(const Convolution *conv) noexcept:
    return 0 if conv.window.single else conv.channels * conv.window.taps * conv.window.positions


def im2col(const float[:, :, :, ::1] x, float[:, :, :, ::1] columns, kernel_h, kernel_w, *window):
    cdef Window win = plane_window(x.shape[2], x.shape[3], columns.shape[2], columns.shape[3], kernel_h, kernel_w, window)
    fits(columns.shape[1], x.shape[1] * win.taps, "rows of columns")
    run_im2col(&win, x.shape[0], x.shape[1], &x[0, 0, 0, 0], &columns[0, 0, 0, 0])


def col2im(const float[:, :, :, ::1] columns, float[:, :, :, ::1] x, kernel_h, kernel_w, *window):
    cdef Window win = plane_window(x.shape[2], x.shape[3], columns.shape[2], columns.shape[3], kernel_h, kernel_w, window)
    fits(columns.shape[1], x.shape[1] * win.taps, "rows of columns")
    x[:] = 0
    run_col2im(&win, x.shape[0], x.shape[1], &columns[0, 0, 0, 0], &x[0, 0, 0, 0])


def im2col_nd(const float[:, :, ::1] x, float[:, :, ::1] columns, const int[:, ::1] geometry):
    cdef Window win = nd_window(geometry)
    fits_nd(&win, x.shape[2], columns.shape[2], win.taps)
    fits(columns.shape[1], x.shape[1] * win.taps, "rows of columns")
    run_im2col(&win, x.shape[0], x.shape[1], &x[0, 0, 0], &columns[0, 0, 0])


def col2im_nd(const float[:, :, ::1] columns, float[:, :, ::1] x, const int[:, ::1] geometry):
    cdef Window win = nd_window(geometry)
    fits_nd(&win, x.shape[2], columns.shape[2], win.taps)
    fits(columns.shape[1], x.shape[1] * win.taps, "rows of columns")
    x[:] = 0
    run_col2im(&win, x.shape[0], x.shape[1], &columns[0, 0, 0], &x[0, 0, 0])


cdef int fits_nd(const Window *window, ptrdiff_t pixels, ptrdiff_t positions, ptrdiff_t taps) except -1:
    fits(pixels, window.pixels, "pixels")
    fits(positions, window.positions, "positions")
    fits(taps, window.taps, "taps")
    return 0


cdef void run_im2col(const Window *window, ptrdiff_t batch, ptrdiff_t channels, const float *x, float *columns) noexcept:
    cdef ptrdiff_t n
    with nogil:
        for n in range(batch):
            im2col_threads(window, channels, x + n * channels * window.pixels,
                           columns + n * channels * window.taps * window.positions)


cdef void run_col2im(const Window *window, ptrdiff_t batch, ptrdiff_t channels, const float *columns, float *x) noexcept:
    cdef ptrdiff_t n
    with nogil:
        for n in range(batch):
            col2im_threads(window, channels, columns + n * channels * window.taps * window.positions,
                           x + n * channels * window.pixels)


cdef void run_to_maps(ToMaps engine, const Convolution *conv, const float *given, const float *w, const float *bias,
                      float *made, float[::1] columns) noexcept:
    cdef int threads
    cdef ptrdiff_t size = columns.shape[0]
    cdef float *scratch = &columns[0]
    with nogil:
        threads = blas_hold(&conv.blas)
        engine(conv, given, w, bias, made, scratch, size)
        blas_release(&conv.blas, threads)


cdef void run_to_weights(ToWeights engine, const Convolution *conv, const float *x, const float *dy, float *dw,
                         float[::1] columns) noexcept:
    cdef int threads
    cdef ptrdiff_t size = columns.shape[0]
    cdef float *scratch = &columns[0]
    with nogil:
        threads = blas_hold(&conv.blas)
        engine(conv, x, dy, dw, scratch, size)
        blas_release(&conv.blas, threads)


cdef Convolution plane_convolution(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, const float[:, :, :, ::1] y,
                                   tuple window_and_group) except *:
    return convolution(
        plane_window(x.shape[2], x.shape[3], y.shape[2], y.shape[3], w.shape[2], w.shape[3], window_and_group),
        x.shape[0], x.shape[1], w.shape[0], w.shape[1], window_and_group[6],
    )


def conv_forward(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, const float[::1] bias, float[:, :, :, ::1] y,
                 float[::1] columns, *window_and_group):
    cdef Convolution conv = plane_convolution(x, w, y, window_and_group)
    roomy(columns.shape[0], all_columns(&conv))
    if y.size:
        run_to_maps(c_forward, &conv, &x[0, 0, 0, 0], &w[0, 0, 0, 0], optional(bias), &y[0, 0, 0, 0], columns)


def conv_backward_data(const float[:, :, :, ::1] dy, const float[:, :, :, ::1] w, const float[::1] bias,
                       float[:, :, :, ::1] dx, float[::1] columns, *window_and_group):
    cdef Convolution conv = plane_convolution(dx, w, dy, window_and_group)
    roomy(columns.shape[0], all_columns(&conv))
    if dx.size:
        run_to_maps(c_backward_data, &conv, &dy[0, 0, 0, 0], &w[0, 0, 0, 0], optional(bias), &dx[0, 0, 0, 0], columns)


def conv_backward_weights(const float[:, :, :, ::1] x, const float[:, :, :, ::1] dy, float[:, :, :, ::1] dw,
                          float[::1] columns, *window_and_group):
    cdef Convolution conv = plane_convolution(x, dw, dy, window_and_group)
    roomy(columns.shape[0], all_columns(&conv))
    if dy.size:
        run_to_weights(c_backward_weights, &conv, &x[0, 0, 0, 0], &dy[0, 0, 0, 0], &dw[0, 0, 0, 0], columns)


def conv_backward_bias(const float[:, :, ::1] dy, float[::1] db):
    with nogil:
        c_backward_bias(&dy[0, 0, 0], &db[0], dy.shape[0], dy.shape[1], dy.shape[2])


def conv_forward_strips(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, const float[::1] bias,
                        float[:, :, :, ::1] y, float[::1] columns, *window_and_group):
    cdef Convolution conv = plane_convolution(x, w, y, window_and_group)
    roomy(columns.shape[0], 0 if conv.window.single else 16 * w.shape[1] * conv.window.taps)
    if y.size:
        run_to_maps(c_forward_strips, &conv, &x[0, 0, 0, 0], &w[0, 0, 0, 0], optional(bias), &y[0, 0, 0, 0],
                           columns)


def conv_backward_data_strips(const float[:, :, :, ::1] dy, const float[:, :, :, ::1] w, const float[::1] bias,
                              float[:, :, :, ::1] dx, float[::1] columns, *window_and_group):
    cdef Convolution conv = plane_convolution(dx, w, dy, window_and_group)
    roomy(columns.shape[0], 0 if conv.window.single else 16 * conv.window.taps)
    if dx.size:
        run_to_maps(c_backward_data_strips, &conv, &dy[0, 0, 0, 0], &w[0, 0, 0, 0], optional(bias),
                           &dx[0, 0, 0, 0], columns)


def conv_backward_weights_strips(const float[:, :, :, ::1] x, const float[:, :, :, ::1] dy, float[:, :, :, ::1] dw,
                                 float[::1] columns, *window_and_group):
    cdef Convolution conv = plane_convolution(x, dw, dy, window_and_group)
    roomy(columns.shape[0], 0 if conv.window.single else 256)
    if dy.size:
        run_to_weights(c_backward_weights_strips, &conv, &x[0, 0, 0, 0], &dy[0, 0, 0, 0], &dw[0, 0, 0, 0], columns)


cdef int read_picture(Picture *picture, const float[:, :, :, ::1] x, const float[:, :, :, ::1] w,
                      const float[:, :, :, ::1] other, float[:, :, :, ::1] y, tuple window_and_group) except -1:
    cdef Convolution conv = plane_convolution(x, w, y, window_and_group)
    picture.window, picture.batch = conv.window, conv.batch
    picture.x = picture.y = picture.other = NULL
    if y.size:
        picture.x, picture.y = &x[0, 0, 0, 0], &y[0, 0, 0, 0]
        if other is not None:
            picture.other = &other[0, 0, 0, 0]
    return 0


cdef int run_fused(Fused engine, FusedSize size, xs, const float[:, :, :, ::1] w, const float[::1] scale,
                   const float[::1] bias, others, ys, float[::1] work, tuple window_group_relu_slope) except -1:
    cdef Epilogue epilogue = Epilogue(optional(scale), optional(bias), window_group_relu_slope[7],
                                      window_group_relu_slope[8])
    cdef Pictures pictures = Pictures(NULL, len(xs), w.shape[1] * window_group_relu_slope[6], w.shape[0],
                                      window_group_relu_slope[6])
    cdef Picture *all = <Picture *>PyMem_Calloc(pictures.count, sizeof(Picture))
    cdef ptrdiff_t i
    if not all:
        raise MemoryError
    try:
        for i in range(pictures.count):
            read_picture(all + i, xs[i], w, others[i], ys[i], window_group_relu_slope)
        pictures.all = all
        if w.shape[0]:
            roomy(work.shape[0], size(&pictures))
            with nogil:
                engine(&pictures, &w[0, 0, 0, 0], 0, epilogue, &work[0])
    finally:
        PyMem_Free(all)
    return 0


def conv_forward_packed(x, w, scale, bias, other, y, work, *window_group_relu_slope):
    run_fused(c_forward_packed, conv_packed_size, x, w, scale, bias, other, y, work, window_group_relu_slope)


def conv_forward_strassen(x, w, scale, bias, other, y, work, *window_group_relu_slope):
    run_fused(c_forward_strassen, conv_strassen_size, x, w, scale, bias, other, y, work, window_group_relu_slope)


cdef Window adjoint_window(const float[:, :, :, ::1] dy, const float[:, :, :, ::1] w, const float[:, :, :, ::1] dx,
                           tuple window) except *:
    """The window at stride 1 from the positions of another one to its pixels."""
    cdef int a
    cdef list pads = [window[4 + a] * (w.shape[2 + a] - 1) - window[2 + a] for a in range(2)]
    if window[0] != 1 or window[1] != 1 or min(pads) < 0:
        raise ValueError("stride must be 1 and pad within the window")
    return plane_window(dy.shape[2], dy.shape[3], dx.shape[2], dx.shape[3], w.shape[2], w.shape[3],
                        (1, 1, pads[0], pads[1], window[4], window[5]))


cdef int run_adjoint(Fused engine, FusedSize size, const float[:, :, :, ::1] dy, const float[:, :, :, ::1] w,
                     const float[::1] bias, float[:, :, :, ::1] dx, float[::1] work, tuple window_and_group) except -1:
    cdef Epilogue epilogue = Epilogue(NULL, optional(bias), 0, 0)
    cdef Picture picture
    cdef Pictures pictures = Pictures(&picture, 1, dy.shape[1], dx.shape[1], window_and_group[6])
    fits(w.shape[1] * pictures.groups, pictures.outputs, "channels")
    fits(pictures.channels % pictures.groups, 0, "outputs modulo group")
    picture.window, picture.batch = adjoint_window(dy, w, dx, window_and_group), dy.shape[0]
    if dx.size:
        roomy(work.shape[0], size(&pictures))
        picture.x, picture.y, picture.other = &dy[0, 0, 0, 0], &dx[0, 0, 0, 0], NULL
        with nogil:
            engine(&pictures, &w[0, 0, 0, 0], 1, epilogue, &work[0])
    return 0


def conv_backward_data_packed(dy, w, bias, dx, work, *window_and_group):
    run_adjoint(c_forward_packed, conv_packed_size, dy, w, bias, dx, work, window_and_group)


def conv_backward_data_strassen(dy, w, bias, dx, work, *window_and_group):
    run_adjoint(c_forward_strassen, conv_strassen_size, dy, w, bias, dx, work, window_and_group)


cdef Convolution nd_convolution(const float[:, :, ::1] x, const float[:, :, ::1] w, const float[:, :, ::1] y,
                                const int[:, ::1] geometry, ptrdiff_t group, float[::1] columns) except *:
    cdef Window window = nd_window(geometry)
    fits_nd(&window, x.shape[2], y.shape[2], w.shape[2])
    cdef Convolution conv = convolution(window, x.shape[0], x.shape[1], w.shape[0], w.shape[1], group)
    roomy(columns.shape[0], all_columns(&conv))
    return conv


def conv_nd_forward(const float[:, :, ::1] x, const float[:, :, ::1] w, const float[::1] bias, float[:, :, ::1] y,
                    float[::1] columns, const int[:, ::1] geometry, ptrdiff_t group):
    cdef Convolution conv = nd_convolution(x, w, y, geometry, group, columns)
    if y.size:
        run_to_maps(c_forward, &conv, &x[0, 0, 0], &w[0, 0, 0], optional(bias), &y[0, 0, 0], columns)


def conv_nd_backward_data(const float[:, :, ::1] dy, const float[:, :, ::1] w, const float[::1] bias,
                          float[:, :, ::1] dx, float[::1] columns, const int[:, ::1] geometry, ptrdiff_t group):
    cdef Convolution conv = nd_convolution(dx, w, dy, geometry, group, columns)
    if dx.size:
        run_to_maps(c_backward_data, &conv, &dy[0, 0, 0], &w[0, 0, 0], optional(bias), &dx[0, 0, 0], columns)


def conv_nd_backward_weights(const float[:, :, ::1] x, const float[:, :, ::1] dy, float[:, :, ::1] dw,
                             float[::1] columns, const int[:, ::1] geometry, ptrdiff_t group):
    cdef Convolution conv = nd_convolution(x, dw, dy, geometry, group, columns)
    if dy.size:
        run_to_weights(c_backward_weights, &conv, &x[0, 0, 0], &dy[0, 0, 0], &dw[0, 0, 0], columns)


cdef Window depthwise_window(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, const float[:, :, :, ::1] y,
                             tuple window) except *:
    fits(w.shape[1], 1, "channels per group of a depthwise convolution")
    fits(w.shape[0] % x.shape[1], 0, "outputs modulo channels of a depthwise convolution")
    return plane_window(x.shape[2], x.shape[3], y.shape[2], y.shape[3], w.shape[2], w.shape[3], window)


def depthwise_forward(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, const float[::1] bias,
                      float[:, :, :, ::1] y, *window):
    cdef Window win = depthwise_window(x, w, y, window)
    cdef const float *shift = optional(bias)
    if y.size:
        with nogil:
            c_depthwise_forward(&win, x.shape[0], x.shape[1], w.shape[0], &x[0, 0, 0, 0], &w[0, 0, 0, 0], shift,
                                &y[0, 0, 0, 0])


def depthwise_backward_data(const float[:, :, :, ::1] dy, const float[:, :, :, ::1] w, const float[::1] bias,
                            float[:, :, :, ::1] dx, *window):
    cdef Window win = depthwise_window(dx, w, dy, window)
    cdef const float *shift = optional(bias)
    if dx.size:
        with nogil:
            c_depthwise_backward_data(&win, dx.shape[0], dx.shape[1], w.shape[0], &dy[0, 0, 0, 0], &w[0, 0, 0, 0],
                                      shift, &dx[0, 0, 0, 0])


def depthwise_backward_weights(const float[:, :, :, ::1] x, const float[:, :, :, ::1] dy, float[:, :, :, ::1] dw, *window):
    cdef Window win = depthwise_window(x, dw, dy, window)
    if dy.size:
        with nogil:
            c_depthwise_backward_weights(&win, x.shape[0], x.shape[1], dw.shape[0], &x[0, 0, 0, 0], &dy[0, 0, 0, 0],
                                         &dw[0, 0, 0, 0])
