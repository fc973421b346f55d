#include "channel_reduce.h"

#include "channel_runs.h"
#include "simd.h"

/* Eight lanes written out as vectors, so that every instruction set adds in the same order. */
typedef float float8 __attribute__((vector_size(32), aligned(4)));
typedef double double8 __attribute__((vector_size(64)));

#define LOAD(p) __builtin_convertvector(*(const float8 *)(p), double8)

struct operands {
    const float *x, *dy, *mean;
    ptrdiff_t inner;
};

static inline double horizontal(double8 v)
{
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

VECTORISED static void sum_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *dy = o->dy + at;
    double8 first = {0}, second = {0};
    double rest = 0;
    ptrdiff_t i = 0;
    for (; i + 16 <= length; i += 16) {
        first += LOAD(dy + i);
        second += LOAD(dy + i + 8);
    }
    for (; i < length; i++)
        rest += dy[i];
    out[0] += horizontal(first + second) + rest;
    (void)c;
}

VECTORISED static void dot_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *x = o->x + at, *dy = o->dy + at;
    double8 first = {0}, second = {0};
    double rest = 0;
    ptrdiff_t i = 0;
    for (; i + 16 <= length; i += 16) {
        first += LOAD(x + i) * LOAD(dy + i);
        second += LOAD(x + i + 8) * LOAD(dy + i + 8);
    }
    for (; i < length; i++)
        rest += (double)x[i] * dy[i];
    out[0] += horizontal(first + second) + rest;
    (void)c;
}

VECTORISED static void negative_dot_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *x = o->x + at, *dy = o->dy + at;
    double8 total = {0};
    double rest = 0;
    ptrdiff_t i = 0;
    for (; i + 8 <= length; i += 8) {
        float8 negative;
        for (int lane = 0; lane < 8; lane++)
            negative[lane] = x[i + lane] > 0 ? 0 : x[i + lane];
        total += __builtin_convertvector(negative, double8) * LOAD(dy + i);
    }
    for (; i < length; i++)
        rest += (double)(x[i] > 0 ? 0 : x[i]) * dy[i];
    out[0] += horizontal(total) + rest;
    (void)c;
}

VECTORISED static void centred_dot_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *x = o->x + at, *dy = o->dy + at;
    const double mean = o->mean[c];
    double8 sum = {0}, dot = {0};
    double rest = 0, rest_dot = 0;
    ptrdiff_t i = 0;
    for (; i + 8 <= length; i += 8) {
        const double8 gradient = LOAD(dy + i);
        sum += gradient;
        dot += gradient * (LOAD(x + i) - mean);
    }
    for (; i < length; i++) {
        rest += dy[i];
        rest_dot += dy[i] * (x[i] - mean);
    }
    out[0] += horizontal(sum) + rest;
    out[1] += horizontal(dot) + rest_dot;
}

/* Sums of (x - pivot) and its square, where the pivot, the channel's first value, keeps cancellation harmless. */
VECTORISED static void moments_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *x = o->x + at;
    const double pivot = o->x[c * o->inner];
    double8 sum = {0}, square = {0};
    double rest = 0, rest_square = 0;
    ptrdiff_t i = 0;
    for (; i + 8 <= length; i += 8) {
        const double8 d = LOAD(x + i) - pivot;
        sum += d;
        square += d * d;
    }
    for (; i < length; i++) {
        const double d = x[i] - pivot;
        rest += d;
        rest_square += d * d;
    }
    out[0] += horizontal(sum) + rest;
    out[1] += horizontal(square) + rest_square;
}

int channel_sum(const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, double *sums)
{
    const struct operands o = {NULL, dy, NULL, inner};
    return channel_sums(sum_run, &o, outer, channels, inner, sums);
}

int channel_dot(const float *x, const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, double *sums)
{
    const struct operands o = {x, dy, NULL, inner};
    return channel_sums(dot_run, &o, outer, channels, inner, sums);
}

int channel_negative_dot(const float *x, const float *dy, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                         double *sums)
{
    const struct operands o = {x, dy, NULL, inner};
    return channel_sums(negative_dot_run, &o, outer, channels, inner, sums);
}

int channel_centred_dot(const float *x, const float *dy, const float *mean, ptrdiff_t outer, ptrdiff_t channels,
                        ptrdiff_t inner, double *sums)
{
    const struct operands o = {x, dy, mean, inner};
    return channel_sums(centred_dot_run, &o, outer, channels, inner, sums);
}

int channel_moments(const float *x, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, float *mean,
                    float *variance, double *sums)
{
    const struct operands o = {x, NULL, NULL, inner};
    if (channel_sums(moments_run, &o, outer, channels, inner, sums))
        return -1;
    const double count = (double)(outer * inner);
    for (ptrdiff_t c = 0; c < channels; c++) {
        const double shift = sums[2 * c] / count;
        const double spread = sums[2 * c + 1] / count - shift * shift;
        mean[c] = (float)(x[c * inner] + shift);
        variance[c] = (float)(spread < 0 ? 0 : spread);
    }
    return 0;
}
