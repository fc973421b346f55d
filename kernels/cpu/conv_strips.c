/* The strip engine: each thread makes a few columns in its own scratch and multiplies them at once.
 *
 * No sum is split between threads, nor, with scratch enough, in a way that depends on their number.
 */
#include <omp.h>

#include "conv_engines.h"
#include "scratch.h"

#define TILE ((ptrdiff_t)16)
#define WEIGHT_STRIP ((ptrdiff_t)1024) /* positions summed by one product */

/* Threads that the scratch can feed when each wants at least `smallest` floats. */
static int threads_for(ptrdiff_t size, ptrdiff_t smallest)
{
    return (int)most(1, least(omp_get_max_threads(), size / smallest));
}

/* The size of equal pieces of `total`, multiples of TILE but no more than `limit`, such that `others` times as many
 * pieces keep all threads busy to the end. */
static ptrdiff_t piece_of(ptrdiff_t total, ptrdiff_t limit, ptrdiff_t others, int threads)
{
    ptrdiff_t pieces = parts_of(total, least(total, limit));
    const ptrdiff_t last = least(pieces + threads, parts_of(total, TILE));
    for (ptrdiff_t p = pieces; p <= last; p++)
        if (others * p % threads == 0) {
            pieces = p;
            break;
        }
    const ptrdiff_t size = parts_of(parts_of(total, pieces), TILE) * TILE;
    return least(size, limit);
}

static ptrdiff_t in_tiles(ptrdiff_t size) { return most(size / TILE * TILE, 1); }

void conv_forward_strips(const Convolution *conv, const float *x, const float *w, const float *bias, float *y,
                         float *scratch, ptrdiff_t size)
{
    const Window *window = &conv->window;
    const ptrdiff_t m = conv->outputs / conv->groups, n = window->positions, channels = conv->channels / conv->groups;
    const ptrdiff_t k = channels * window->taps, products = conv->batch * conv->groups;
    const int threads = window->single ? omp_get_max_threads() : threads_for(size, TILE * k);
    const ptrdiff_t limit = window->single ? n : in_tiles(size / threads / k);
    const ptrdiff_t strip = piece_of(n, limit, products, threads), strips = parts_of(n, strip);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (ptrdiff_t unit = 0; unit < products * strips; unit++) {
        const ptrdiff_t image_group = unit / strips, group = image_group % conv->groups;
        const ptrdiff_t begin = unit % strips * strip, end = least(begin + strip, n);
        const float *image = x + image_group * channels * window->pixels;
        float *out = y + image_group * m * n;
        const float *columns = image + begin;
        ptrdiff_t ld = n;
        if (!window->single) {
            float *own = scratch + omp_get_thread_num() * (size / threads);
            im2col_part(window, image, own, end - begin, (Part){0, k, begin, end});
            columns = own;
            ld = end - begin;
        }
        if (bias)
            for (ptrdiff_t o = 0; o < m; o++)
                for (ptrdiff_t i = begin; i < end; i++)
                    out[o * n + i] = bias[group * m + o];
        gemm(&conv->blas, 'N', 'N', m, end - begin, k, w + group * m * k, k, columns, ld, bias ? 1.0f : 0.0f, out + begin, n);
    }
}

void conv_backward_data_strips(const Convolution *conv, const float *dy, const float *w, const float *bias, float *dx,
                               float *scratch, ptrdiff_t size)
{
    const Window *window = &conv->window;
    const ptrdiff_t m = conv->outputs / conv->groups, n = window->positions, channels = conv->channels / conv->groups;
    const ptrdiff_t taps = window->taps, pixels = window->pixels, k = channels * taps;
    const ptrdiff_t products = conv->batch * conv->groups;
    const int threads = window->single ? omp_get_max_threads() : threads_for(size, TILE * taps);
    const ptrdiff_t share = size / threads;
    /* Threads split the channels, so that none adds to another's pixels. */
    ptrdiff_t blocks = 1;
    while (blocks < channels && (products * blocks < threads || (products * blocks % threads && blocks < 2 * threads)))
        blocks++;
    if (!window->single)
        blocks = most(blocks, parts_of(channels, most(share / (TILE * taps), 1)));
    const ptrdiff_t block = parts_of(channels, blocks);
    blocks = parts_of(channels, block);
    const ptrdiff_t strip = window->single ? n : least(n, in_tiles(share / (block * taps)));
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (ptrdiff_t unit = 0; unit < products * blocks; unit++) {
        const ptrdiff_t image_group = unit / blocks, group = image_group % conv->groups;
        const ptrdiff_t first = unit % blocks * block, count = least(block, channels - first);
        const ptrdiff_t rows = count * taps;
        const float *gradient = dy + image_group * m * n, *weights = w + group * m * k + first * taps;
        float *image = dx + (image_group * channels + first) * pixels;
        float *columns = scratch + omp_get_thread_num() * share;
        if (bias || !window->single)
            for (ptrdiff_t c = 0; c < count; c++)
                for (ptrdiff_t i = 0; i < pixels; i++)
                    image[c * pixels + i] = bias ? bias[group * channels + first + c] : 0.0f;
        if (window->single) {
            gemm(&conv->blas, 'T', 'N', rows, n, m, weights, k, gradient, n, bias ? 1.0f : 0.0f, image, n);
            continue;
        }
        for (ptrdiff_t begin = 0; begin < n; begin += strip) {
            const ptrdiff_t end = least(begin + strip, n), ld = end - begin;
            gemm(&conv->blas, 'T', 'N', rows, ld, m, weights, k, gradient + begin, n, 0.0f, columns, ld);
            col2im_part(window, columns, ld, image, (Part){0, rows, begin, end});
        }
    }
}

void conv_backward_weights_strips(const Convolution *conv, const float *x, const float *dy, float *dw, float *scratch,
                                  ptrdiff_t size)
{
    const Window *window = &conv->window;
    const ptrdiff_t m = conv->outputs / conv->groups, n = window->positions, channels = conv->channels / conv->groups;
    const ptrdiff_t pixels = window->pixels, k = channels * window->taps;
    const ptrdiff_t strip = window->single ? n : least(least(n, WEIGHT_STRIP), in_tiles(size / TILE));
    const int threads = window->single ? omp_get_max_threads() : threads_for(size, TILE * strip);
    const ptrdiff_t share = size / threads;
    /* Threads split the taps, so that none adds to another's weights. */
    const ptrdiff_t limit = window->single ? k : in_tiles(share / strip);
    const ptrdiff_t block = piece_of(k, limit, conv->groups, threads), blocks = parts_of(k, block);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (ptrdiff_t unit = 0; unit < conv->groups * blocks; unit++) {
        const ptrdiff_t group = unit / blocks, first = unit % blocks * block, rows = least(block, k - first);
        float *columns = scratch + omp_get_thread_num() * share, *weights = dw + group * m * k + first;
        for (ptrdiff_t i = 0; i < conv->batch; i++) {
            const float *image = x + (i * conv->groups + group) * channels * pixels;
            const float *gradient = dy + (i * conv->groups + group) * m * n;
            for (ptrdiff_t begin = 0; begin < n; begin += strip) {
                const ptrdiff_t end = least(begin + strip, n), ld = end - begin;
                if (!window->single)
                    im2col_part(window, image, columns, ld, (Part){first, first + rows, begin, end});
                gemm(&conv->blas, 'N', 'T', m, rows, ld, gradient + begin, n,
                     window->single ? image + first * pixels : columns, window->single ? n : ld, 1.0f, weights, k);
            }
        }
    }
}
