/* Where a window of one axis lies, and splitting planes over threads with a line of scratch each. */
#ifndef PYDEEPLAB_POOLING_WINDOW_H
#define PYDEEPLAB_POOLING_WINDOW_H

#include <stdlib.h>

#include "pooling_loops.h"

/* Every dilation-th of the pixels begin..end inside the image; `full` is how many there are before the image, but not
 * the padding, cuts the window. */
typedef struct {
    ptrdiff_t begin, end, full;
} Span;

static inline Span span_of(ptrdiff_t position, ptrdiff_t kernel, ptrdiff_t stride, ptrdiff_t pad, ptrdiff_t dilation,
                           ptrdiff_t size)
{
    const ptrdiff_t start = position * stride - pad;
    const ptrdiff_t stop = start + (kernel - 1) * dilation + 1, room = size + pad - start;
    const ptrdiff_t taps = room > 0 ? (room + dilation - 1) / dilation : room;
    Span span = {start, stop < size ? stop : size, taps < kernel ? taps : kernel};
    if (start < 0)
        span.begin += (dilation - 1 - start) / dilation * dilation;
    if (span.begin > size)
        span.begin = size;
    if (span.end < span.begin)
        span.end = span.begin;
    return span;
}

static inline Span row_span(const Pooling *pool, ptrdiff_t p)
{
    return span_of(p, pool->kernel_h, pool->stride_h, pool->pad_h, pool->dilation_h, pool->height);
}

static inline Span column_span(const Pooling *pool, ptrdiff_t q)
{
    return span_of(q, pool->kernel_w, pool->stride_w, pool->pad_w, pool->dilation_w, pool->width);
}

/* Positions first..last whose tap v lies inside the image; that of `first` is pixel `start`. */
typedef struct {
    ptrdiff_t first, last, start;
} Run;

static inline Run column_run(const Pooling *pool, ptrdiff_t v)
{
    const ptrdiff_t offset = v * pool->dilation_w - pool->pad_w, stride = pool->stride_w, room = pool->width - offset;
    Run run = {offset < 0 ? (stride - 1 - offset) / stride : 0, room > 0 ? (room + stride - 1) / stride : 0, 0};
    run.last = run.last < pool->columns ? run.last : pool->columns;
    run.last = run.last > run.first ? run.last : run.first;
    run.start = run.first * stride + offset;
    return run;
}

#endif
