"""The gradient of a convolution's weights as one product over the pixels of all images."""

include "window.pxi"

cdef extern from "product.h" nogil:
    ctypedef struct Product:
        Window window
        ptrdiff_t batch
        ptrdiff_t channels
        ptrdiff_t outputs
        int turned
        int halves

    ptrdiff_t product_size(const Product *product)
    void c_backward_weights "product_backward_weights"(
        const Product *, const float *, const float *, float *, float *)


cdef int set_axis(Window *window, int a, ptrdiff_t size, ptrdiff_t out, ptrdiff_t kernel, ptrdiff_t stride, ptrdiff_t pad,
                  ptrdiff_t rate, bint turned) except -1:
    """The window of an axis, or that of the adjoint convolution."""
    cdef ptrdiff_t room = size + 2 * pad - rate * (kernel - 1) - 1
    if kernel < 1 or stride < 1 or rate < 1 or pad < 0:
        raise ValueError("kernel, stride and dilation must be positive, pad not negative")
    if out != (room // stride + 1 if room >= 0 else 0):
        raise ValueError(f"positions of an axis: got {out}, expected {room // stride + 1 if room >= 0 else 0}")
    if turned and (stride != 1 or pad > rate * (kernel - 1)):
        raise ValueError("turned windows need a stride of 1, and pads within the window")
    window.image[a], window.out[a] = (out, size) if turned else (size, out)
    window.kernel[a], window.stride[a], window.dilation[a] = kernel, stride, rate
    window.pad[a] = rate * (kernel - 1) - pad if turned else pad
    return 0


def product_backward_weights(const float[:, :, :, ::1] x, const float[:, :, :, ::1] dy, float[:, :, :, ::1] dw,
                             float[::1] work, ptrdiff_t stride_h, ptrdiff_t stride_w, ptrdiff_t pad_h, ptrdiff_t pad_w,
                             ptrdiff_t dilation_h, ptrdiff_t dilation_w, bint halves, bint turned):
    cdef Product product
    cdef ptrdiff_t least
    product.window.axes = 2
    set_axis(&product.window, 0, x.shape[2], dy.shape[2], dw.shape[2], stride_h, pad_h, dilation_h, turned)
    set_axis(&product.window, 1, x.shape[3], dy.shape[3], dw.shape[3], stride_w, pad_w, dilation_w, turned)
    window_finish(&product.window)
    product.batch, product.channels, product.outputs = x.shape[0], x.shape[1], dy.shape[1]
    product.turned, product.halves = turned, halves
    least = product_size(&product)
    if work.shape[0] < least:
        raise ValueError(f"the scratch has {work.shape[0]} elements; at least {least} are needed")
    if x.size and dy.size:
        with nogil:
            c_backward_weights(&product, &x[0, 0, 0, 0], &dy[0, 0, 0, 0], &dw[0, 0, 0, 0], &work[0])
