"""Dropout with counter-based random numbers."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "dropout_philox.h" nogil:
    void dropout_map(const float *x, float *y, ptrdiff_t n, uint64_t seed, uint64_t offset, uint32_t threshold,
                     float scale)


def dropout_forward(const float[::1] x, float[::1] y, int64_t seed, int64_t offset, float ratio):
    cdef uint32_t threshold = <uint32_t>(4294967295.0 * <double>ratio)
    cdef float scale = <float>(1 / (1 - <double>ratio))
    if x.shape[0] == 0:
        return
    with nogil:
        dropout_map(&x[0], &y[0], x.shape[0], <uint64_t>seed, <uint64_t>offset, threshold, scale)
