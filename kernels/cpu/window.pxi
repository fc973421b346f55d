# The windows of a convolution (see conv_window.h).

cdef extern from "conv_window.h" nogil:
    int MAX_AXES

    ctypedef struct Window:
        int axes
        ptrdiff_t image[8]
        ptrdiff_t out[8]
        ptrdiff_t kernel[8]
        ptrdiff_t stride[8]
        ptrdiff_t pad[8]
        ptrdiff_t dilation[8]
        ptrdiff_t pixels
        ptrdiff_t positions
        ptrdiff_t taps
        int single

    void window_finish(Window *window)
