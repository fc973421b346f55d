#include "unpool_loops.h"

#include <string.h>

#include "parallel.h"
#include "simd.h"

VECTORISED static void mask_piece(const int32_t *index, float *mask, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        mask[i] = (float)index[i];
}

void pool_mask(const int32_t *index, float *mask, ptrdiff_t n)
{
    FOR_PIECES(n, begin, end, mask_piece(index + begin, mask + begin, end - begin););
}

/* False for NaN too. */
static inline int inside(float position, ptrdiff_t size) { return position >= 0.0f && position < (float)size; }

ptrdiff_t unpool_forward(const float *x, const float *mask, float *y, ptrdiff_t planes, ptrdiff_t count, ptrdiff_t size)
{
    ptrdiff_t bad = planes * count;
#pragma omp parallel for schedule(static) reduction(min : bad) if (planes * size > 32768)
    for (ptrdiff_t plane = 0; plane < planes; plane++) {
        float *out = y + plane * size;
        memset(out, 0, (size_t)size * sizeof *out);
        for (ptrdiff_t i = plane * count; i < (plane + 1) * count; i++)
            if (inside(mask[i], size))
                out[(ptrdiff_t)mask[i]] = x[i];
            else if (i < bad)
                bad = i;
    }
    return bad < planes * count ? bad : -1;
}

ptrdiff_t unpool_backward(const float *dy, const float *mask, float *dx, ptrdiff_t planes, ptrdiff_t count, ptrdiff_t size)
{
    ptrdiff_t bad = planes * count;
#pragma omp parallel for schedule(static) reduction(min : bad) if (planes * count > 32768)
    for (ptrdiff_t plane = 0; plane < planes; plane++)
        for (ptrdiff_t i = plane * count; i < (plane + 1) * count; i++)
            if (inside(mask[i], size))
                dx[i] = dy[plane * size + (ptrdiff_t)mask[i]];
            else if (i < bad)
                bad = i;
    return bad < planes * count ? bad : -1;
}
