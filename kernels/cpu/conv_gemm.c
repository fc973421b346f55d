/* The plain engine: all columns of an image, then one matrix product per group. */
#include "conv_engines.h"
#include "gemm_threads.h"
#include "simd.h"

static void fill_planes(float *planes, const float *bias, ptrdiff_t count, ptrdiff_t size)
{
#pragma omp parallel for schedule(static) if (count * size > 32768)
    for (ptrdiff_t c = 0; c < count; c++)
        for (ptrdiff_t i = 0; i < size; i++)
            planes[c * size + i] = bias ? bias[c] : 0.0f;
}

void conv_forward(const Convolution *conv, const float *x, const float *w, const float *bias, float *y, float *columns,
                  ptrdiff_t size)
{
    (void)size;
    const Window *window = &conv->window;
    const ptrdiff_t m = conv->outputs / conv->groups, n = window->positions;
    const ptrdiff_t k = conv->channels / conv->groups * window->taps;
    for (ptrdiff_t i = 0; i < conv->batch; i++, x += conv->channels * window->pixels, y += conv->outputs * n) {
        if (!window->single)
            im2col_threads(window, conv->channels, x, columns);
        if (bias)
            fill_planes(y, bias, conv->outputs, n);
        for (ptrdiff_t g = 0; g < conv->groups; g++)
            gemm_threads(&conv->blas, 'N', 'N', m, n, k, w + g * m * k, k, (window->single ? x : columns) + g * k * n, n,
                         bias ? 1.0f : 0.0f, y + g * m * n, n);
    }
}

void conv_backward_data(const Convolution *conv, const float *dy, const float *w, const float *bias, float *dx,
                        float *columns, ptrdiff_t size)
{
    (void)size;
    const Window *window = &conv->window;
    const ptrdiff_t m = conv->outputs / conv->groups, n = window->positions;
    const ptrdiff_t k = conv->channels / conv->groups * window->taps;
    for (ptrdiff_t i = 0; i < conv->batch; i++, dx += conv->channels * window->pixels, dy += conv->outputs * n) {
        if (bias || !window->single)
            fill_planes(dx, bias, conv->channels, window->pixels);
        for (ptrdiff_t g = 0; g < conv->groups; g++)
            gemm_threads(&conv->blas, 'T', 'N', k, n, m, w + g * m * k, k, dy + g * m * n, n,
                         bias && window->single ? 1.0f : 0.0f, (window->single ? dx : columns) + g * k * n, n);
        if (!window->single)
            col2im_threads(window, conv->channels, columns, dx);
    }
}

void conv_backward_weights(const Convolution *conv, const float *x, const float *dy, float *dw, float *columns,
                           ptrdiff_t size)
{
    (void)size;
    const Window *window = &conv->window;
    const ptrdiff_t m = conv->outputs / conv->groups, n = window->positions;
    const ptrdiff_t k = conv->channels / conv->groups * window->taps;
    for (ptrdiff_t i = 0; i < conv->batch; i++, x += conv->channels * window->pixels, dy += conv->outputs * n) {
        if (!window->single)
            im2col_threads(window, conv->channels, x, columns);
        for (ptrdiff_t g = 0; g < conv->groups; g++)
            gemm_threads(&conv->blas, 'N', 'T', m, k, n, dy + g * m * n, n,
                         (window->single ? x : columns) + g * k * n, n, 1.0f, dw + g * m * k, k);
    }
}

#define LANES 16

/* Sum in a fixed number of lanes, so that the result does not depend on the instruction set. */
VECTORISED static float sum_line(const float *x, ptrdiff_t n)
{
    float lanes[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lanes[j] += x[i + j];
    float total = 0.0f;
    for (int j = 0; j < LANES; j++)
        total += lanes[j];
    for (; i < n; i++)
        total += x[i];
    return total;
}

#define RUN ((ptrdiff_t)4096) /* summed in single precision, the runs in double */

void conv_backward_bias(const float *dy, float *db, ptrdiff_t batch, ptrdiff_t outputs, ptrdiff_t positions)
{
#pragma omp parallel for schedule(static) if (batch * outputs * positions > 65536)
    for (ptrdiff_t o = 0; o < outputs; o++) {
        double total = 0.0;
        for (ptrdiff_t n = 0; n < batch; n++) {
            const float *line = dy + (n * outputs + o) * positions;
            for (ptrdiff_t begin = 0; begin < positions; begin += RUN)
                total += sum_line(line + begin, positions - begin < RUN ? positions - begin : RUN);
        }
        db[o] += (float)total;
    }
}
