#include "channel_maps.h"

#include "channel_runs.h"
#include "simd.h"

static inline float leaky(float z, float slope)
{
    return (z < 0 ? 0 : z) + slope * (z > 0 ? 0 : z);
}

VECTORISED static void affine_run(const float *x, float *y, ptrdiff_t n, float scale, float shift)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = x[i] * scale + shift;
}

VECTORISED static void affine_relu_run(const float *x, float *y, ptrdiff_t n, float scale, float shift)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float z = x[i] * scale + shift;
        y[i] = z < 0 ? 0 : z;
    }
}

VECTORISED static void affine_leaky_run(const float *x, float *y, ptrdiff_t n, float scale, float shift, float slope)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = leaky(x[i] * scale + shift, slope);
}

/* One value per channel: the constants run along with x. */
VECTORISED static void affine_row(const float *x, float *y, ptrdiff_t n, const float *scale, const float *shift,
                                  float slope, int relu)
{
    if (scale && shift)
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = x[i] * scale[i] + shift[i];
    else if (scale)
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = x[i] * scale[i];
    else
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = shift ? x[i] + shift[i] : x[i];
    if (relu)
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = leaky(y[i], slope);
}

void channel_affine(const float *x, float *y, const float *scale, const float *shift, ptrdiff_t outer,
                    ptrdiff_t channels, ptrdiff_t inner, float slope, int relu)
{
    if (inner == 1) {
        FOR_ROW_RUNS(outer, channels, at, length, c, {
            affine_row(x + at, y + at, length, scale ? scale + c : NULL, shift ? shift + c : NULL, slope, relu);
        });
        return;
    }
    FOR_CHANNEL_RUNS(outer, channels, inner, at, length, c, {
        const float factor = scale ? scale[c] : 1, term = shift ? shift[c] : 0;
        if (!relu)
            affine_run(x + at, y + at, length, factor, term);
        else if (slope == 0)
            affine_relu_run(x + at, y + at, length, factor, term);
        else
            affine_leaky_run(x + at, y + at, length, factor, term, slope);
    });
}

VECTORISED static void normalize_run(const float *x, float *y, ptrdiff_t n, float mean, float factor, float shift)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * factor + shift;
}

void channel_normalize(const float *x, const float *mean, const float *factor, const float *shift, float *y,
                       ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner)
{
    FOR_CHANNEL_RUNS(outer, channels, inner, at, length, c, {
        normalize_run(x + at, y + at, length, mean[c], factor[c], shift ? shift[c] : 0);
    });
}

VECTORISED static void normalize_gradient_run(const float *x, const float *dy, float *dx, ptrdiff_t n, float mean,
                                              float a, float b, float factor)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = (dy[i] - a - (x[i] - mean) * b) * factor;
}

void channel_normalize_gradient(const float *x, const float *dy, const float *mean, const float *a, const float *b,
                                const float *factor, float *dx, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner)
{
    FOR_CHANNEL_RUNS(outer, channels, inner, at, length, c, {
        normalize_gradient_run(x + at, dy + at, dx + at, length, mean[c], a[c], b[c], factor[c]);
    });
}

VECTORISED static void leaky_run(const float *x, float *y, ptrdiff_t n, float slope)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = leaky(x[i], slope);
}

void channel_prelu(const float *x, const float *slope, float *y, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner)
{
    FOR_CHANNEL_RUNS(outer, channels, inner, at, length, c, { leaky_run(x + at, y + at, length, slope[c]); });
}

VECTORISED static void leaky_gradient_run(const float *x, const float *dy, float *dx, ptrdiff_t n, float slope)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = dy[i] * (x[i] > 0 ? 1.0f : slope);
}

void channel_prelu_gradient(const float *x, const float *dy, const float *slope, float *dx, ptrdiff_t outer,
                            ptrdiff_t channels, ptrdiff_t inner)
{
    FOR_CHANNEL_RUNS(outer, channels, inner, at, length, c, {
        leaky_gradient_run(x + at, dy + at, dx + at, length, slope[c]);
    });
}
