/* Moving values to and from positions given as real numbers, plane by plane. */
#ifndef PYDEEPLAB_UNPOOL_H
#define PYDEEPLAB_UNPOOL_H

#include <stddef.h>
#include <stdint.h>

void pool_mask(const int32_t *index, float *mask, ptrdiff_t n);

/* y (planes x size) = 0, then y[mask] = x (planes x count). Returns the first element of mask that is no position, or -1;
 * y is then incomplete. */
ptrdiff_t unpool_forward(const float *x, const float *mask, float *y, ptrdiff_t planes, ptrdiff_t count, ptrdiff_t size);

/* dx (planes x count) = dy[mask]; returns like unpool_forward. */
ptrdiff_t unpool_backward(const float *dy, const float *mask, float *dx, ptrdiff_t planes, ptrdiff_t count, ptrdiff_t size);

#endif
