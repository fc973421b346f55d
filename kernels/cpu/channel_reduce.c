#include "channel_reduce.h"

#include "channel_runs.h"
#include "simd.h"

/* Lanes written out as vectors, so that every instruction set adds in the same order. */
typedef float float4 __attribute__((vector_size(16), aligned(4)));
typedef int int4 __attribute__((vector_size(16)));
typedef double double4 __attribute__((vector_size(32)));

#define LOAD(p) __builtin_convertvector(*(const float4 *)(p), double4)

struct operands {
    const float *x, *dy, *mean;
    ptrdiff_t inner;
};

static inline __attribute__((always_inline)) double horizontal(const double4 *v)
{
    const double4 sum = (v[0] + v[1]) + (v[2] + v[3]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* Four accumulators hide the latency of additions. */
#define STEP 16
#define EACH(k) for (int k = 0; k < 4; k++)

VECTORISED static void sum_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *dy = o->dy + at;
    double4 sum[4] = {{0}};
    double rest = 0;
    ptrdiff_t i = 0;
    for (; i + STEP <= length; i += STEP)
        EACH(k) sum[k] += LOAD(dy + i + 4 * k);
    for (; i < length; i++)
        rest += dy[i];
    out[0] += horizontal(sum) + rest;
    (void)c;
}

VECTORISED static void dot_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *x = o->x + at, *dy = o->dy + at;
    double4 sum[4] = {{0}};
    double rest = 0;
    ptrdiff_t i = 0;
    for (; i + STEP <= length; i += STEP)
        EACH(k) sum[k] += LOAD(x + i + 4 * k) * LOAD(dy + i + 4 * k);
    for (; i < length; i++)
        rest += (double)x[i] * dy[i];
    out[0] += horizontal(sum) + rest;
    (void)c;
}

VECTORISED static void negative_dot_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *x = o->x + at, *dy = o->dy + at;
    const float4 zero = {0};
    double4 sum[4] = {{0}};
    double rest = 0;
    ptrdiff_t i = 0;
    for (; i + STEP <= length; i += STEP)
        EACH(k) {
            const float4 value = *(const float4 *)(x + i + 4 * k);
            const float4 negative = (float4)((int4)value & ~(value > zero));
            sum[k] += __builtin_convertvector(negative, double4) * LOAD(dy + i + 4 * k);
        }
    for (; i < length; i++)
        rest += (double)(x[i] > 0 ? 0 : x[i]) * dy[i];
    out[0] += horizontal(sum) + rest;
    (void)c;
}

VECTORISED static void centred_dot_run(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out)
{
    const struct operands *o = context;
    const float *x = o->x + at, *dy = o->dy + at;
    const double mean = o->mean[c];
    double4 sum[4] = {{0}}, dot[4] = {{0}};
    double rest = 0, rest_dot = 0;
    ptrdiff_t i = 0;
    for (; i + STEP <= length; i += STEP)
        EACH(k) {
            const double4 gradient = LOAD(dy + i + 4 * k);
            sum[k] += gradient;
            dot[k] += gradient * (LOAD(x + i + 4 * k) - mean);
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
    double4 sum[4] = {{0}}, square[4] = {{0}};
    double rest = 0, rest_square = 0;
    ptrdiff_t i = 0;
    for (; i + STEP <= length; i += STEP)
        EACH(k) {
            const double4 d = LOAD(x + i + 4 * k) - pivot;
            sum[k] += d;
            square[k] += d * d;
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
