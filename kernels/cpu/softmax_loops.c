#include "softmax_loops.h"

#include <float.h>
#include <math.h>

#include "exponential.h"
#include "label_value.h"
#include "simd.h"

/* Positions are worked in blocks whose channels stay in the first-level cache. */
enum { BLOCK = 256, LANES = 16 };

#define PARALLEL_BLOCKS(n, c, s) _Pragma("omp parallel for schedule(static) if ((n) * (c) * (s) > 32768)")

/* One block: width positions, at most BLOCK, of c channels that are stride apart. */
VECTORISED static void forward_block(const float *x, float *y, ptrdiff_t c, ptrdiff_t stride, ptrdiff_t width)
{
    float largest[BLOCK], sum[BLOCK];
    for (ptrdiff_t j = 0; j < width; j++) {
        largest[j] = x[j];
        sum[j] = 0;
    }
    for (ptrdiff_t k = 1; k < c; k++)
        for (ptrdiff_t j = 0; j < width; j++)
            largest[j] = x[k * stride + j] > largest[j] ? x[k * stride + j] : largest[j];
    for (ptrdiff_t k = 0; k < c; k++)
        for (ptrdiff_t j = 0; j < width; j++) {
            const float e = exp_nonpositive(x[k * stride + j] - largest[j]);
            y[k * stride + j] = e;
            sum[j] += e;
        }
    for (ptrdiff_t k = 0; k < c; k++)
        for (ptrdiff_t j = 0; j < width; j++)
            y[k * stride + j] /= sum[j];
}

/* The case of one position: its channels are contiguous. */
VECTORISED static void forward_row(const float *x, float *y, ptrdiff_t c)
{
    const ptrdiff_t whole = c - c % LANES;
    float lanes[LANES], largest = x[0], sum = 0;
    for (ptrdiff_t j = 0; j < LANES; j++)
        lanes[j] = x[0];
    for (ptrdiff_t k = 0; k < whole; k += LANES)
        for (ptrdiff_t j = 0; j < LANES; j++)
            lanes[j] = x[k + j] > lanes[j] ? x[k + j] : lanes[j];
    for (ptrdiff_t j = 0; j < LANES; j++)
        largest = lanes[j] > largest ? lanes[j] : largest;
    for (ptrdiff_t k = whole; k < c; k++)
        largest = x[k] > largest ? x[k] : largest;
    for (ptrdiff_t k = 0; k < c; k++)
        y[k] = exp_nonpositive(x[k] - largest);
    for (ptrdiff_t j = 0; j < LANES; j++)
        lanes[j] = 0;
    for (ptrdiff_t k = 0; k < whole; k += LANES)
        for (ptrdiff_t j = 0; j < LANES; j++)
            lanes[j] += y[k + j];
    for (ptrdiff_t j = 0; j < LANES; j++)
        sum += lanes[j];
    for (ptrdiff_t k = whole; k < c; k++)
        sum += y[k];
    for (ptrdiff_t k = 0; k < c; k++)
        y[k] /= sum;
}

static void forward_any(const float *x, float *y, ptrdiff_t c, ptrdiff_t stride, ptrdiff_t width)
{
    if (stride == 1)
        forward_row(x, y, c);
    else
        forward_block(x, y, c, stride, width);
}

VECTORISED static void backward_block(const float *y, const float *dy, float *dx, ptrdiff_t c, ptrdiff_t stride,
                                      ptrdiff_t width)
{
    float dot[BLOCK];
    for (ptrdiff_t j = 0; j < width; j++)
        dot[j] = 0;
    for (ptrdiff_t k = 0; k < c; k++)
        for (ptrdiff_t j = 0; j < width; j++)
            dot[j] += dy[k * stride + j] * y[k * stride + j];
    for (ptrdiff_t k = 0; k < c; k++)
        for (ptrdiff_t j = 0; j < width; j++)
            dx[k * stride + j] = y[k * stride + j] * (dy[k * stride + j] - dot[j]);
}

static loss_sums loss_block(const float *p, const float *label, const float *weight, const int32_t *ignore, ptrdiff_t c,
                            ptrdiff_t stride, ptrdiff_t width, ptrdiff_t ignored, ptrdiff_t index)
{
    loss_sums sums = {0, 0, 0, -1};
    for (ptrdiff_t j = 0; j < width; j++) {
        const ptrdiff_t k = label_class(label[j], c, ignore, ignored);
        if (k < 0) {
            if (k == LABEL_BAD && sums.first_bad < 0)
                sums.first_bad = index + j;
            continue;
        }
        const float chosen = p[k * stride + j], w = weight ? weight[k] : 1;
        sums.loss -= (double)w * logf(chosen < FLT_MIN ? FLT_MIN : chosen);
        sums.weight += w;
        sums.used++;
    }
    return sums;
}

VECTORISED static void loss_gradient_block(const float *p, const float *factor, float *dx, ptrdiff_t c,
                                           ptrdiff_t stride, ptrdiff_t width)
{
    for (ptrdiff_t k = 0; k < c; k++)
        for (ptrdiff_t j = 0; j < width; j++)
            dx[k * stride + j] = factor[j] == 0 ? 0 : p[k * stride + j] * factor[j];
}

static ptrdiff_t blocks_per_item(ptrdiff_t s)
{
    return (s + BLOCK - 1) / BLOCK;
}

static ptrdiff_t width_of(ptrdiff_t start, ptrdiff_t s)
{
    return s - start < BLOCK ? s - start : BLOCK;
}

ptrdiff_t softmax_blocks(ptrdiff_t n, ptrdiff_t s)
{
    return n * blocks_per_item(s);
}

void softmax_forward(const float *x, float *y, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s)
{
    const ptrdiff_t each = blocks_per_item(s);
    PARALLEL_BLOCKS(n, c, s)
    for (ptrdiff_t b = 0; b < n * each; b++) {
        const ptrdiff_t start = b % each * BLOCK, offset = b / each * c * s + start;
        forward_any(x + offset, y + offset, c, s, width_of(start, s));
    }
}

void softmax_backward(const float *y, const float *dy, float *dx, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s)
{
    const ptrdiff_t each = blocks_per_item(s);
    PARALLEL_BLOCKS(n, c, s)
    for (ptrdiff_t b = 0; b < n * each; b++) {
        const ptrdiff_t start = b % each * BLOCK, offset = b / each * c * s + start;
        backward_block(y + offset, dy + offset, dx + offset, c, s, width_of(start, s));
    }
}

loss_sums softmax_loss_forward(const float *x, const float *label, const float *weight, const int32_t *ignore, float *p,
                               ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored, loss_sums *blocks)
{
    const ptrdiff_t each = blocks_per_item(s);
    PARALLEL_BLOCKS(n, c, s)
    for (ptrdiff_t b = 0; b < n * each; b++) {
        const ptrdiff_t start = b % each * BLOCK, offset = b / each * c * s + start, width = width_of(start, s);
        const ptrdiff_t index = b / each * s + start;
        forward_any(x + offset, p + offset, c, s, width);
        blocks[b] = loss_block(p + offset, label + index, weight, ignore, c, s, width, ignored, index);
    }
    loss_sums total = {0, 0, 0, -1};
    for (ptrdiff_t b = 0; b < n * each; b++) {
        total.loss += blocks[b].loss;
        total.weight += blocks[b].weight;
        total.used += blocks[b].used;
        if (total.first_bad < 0)
            total.first_bad = blocks[b].first_bad;
    }
    return total;
}

void softmax_loss_backward(const float *p, const float *label, const float *weight, const int32_t *ignore, float *dx,
                           ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored, float scale)
{
    const ptrdiff_t each = blocks_per_item(s);
    PARALLEL_BLOCKS(n, c, s)
    for (ptrdiff_t b = 0; b < n * each; b++) {
        const ptrdiff_t start = b % each * BLOCK, offset = b / each * c * s + start, width = width_of(start, s);
        const float *labels = label + b / each * s + start;
        float factor[BLOCK];
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t k = label_class(labels[j], c, ignore, ignored);
            factor[j] = k < 0 ? 0 : weight ? scale * weight[k] : scale;
        }
        loss_gradient_block(p + offset, factor, dx + offset, c, s, width);
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t k = label_class(labels[j], c, ignore, ignored);
            if (k >= 0)
                dx[offset + k * s + j] = (p[offset + k * s + j] - 1) * factor[j];
        }
    }
}
