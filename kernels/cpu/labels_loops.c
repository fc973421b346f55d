#include "labels_loops.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "label_value.h"
#include "simd.h"

enum { BLOCK = 256 };

/* Largest value and its last index over c channels, stride apart, for width positions; NaN never wins. */
VECTORISED static void winners(const float *x, float *best, int32_t *index, ptrdiff_t c, ptrdiff_t stride,
                               ptrdiff_t width)
{
    for (ptrdiff_t j = 0; j < width; j++) {
        best[j] = -INFINITY;
        index[j] = 0;
    }
    for (ptrdiff_t k = 0; k < c; k++)
        for (ptrdiff_t j = 0; j < width; j++) {
            const float v = x[k * stride + j];
            const int wins = v >= best[j];
            best[j] = wins ? v : best[j];
            index[j] = wins ? (int32_t)k : index[j];
        }
}

void argmax_channels(const float *x, float *y, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, int value)
{
    const ptrdiff_t each = (s + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) if (n * c * s > 65536)
    for (ptrdiff_t b = 0; b < n * each; b++) {
        const ptrdiff_t start = b % each * BLOCK, width = s - start < BLOCK ? s - start : BLOCK;
        const float *scores = x + b / each * c * s + start;
        float *out = y + b / each * s + start, best[BLOCK];
        int32_t index[BLOCK];
        winners(scores, best, index, c, s, width);
        for (ptrdiff_t j = 0; j < width; j++)
            out[j] = value ? scores[index[j] * s + j] : (float)index[j];
    }
}

ptrdiff_t confusion_matrix(const float *score, const float *label, const int32_t *ignore, int64_t *confusion,
                           ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored)
{
    const ptrdiff_t each = (s + BLOCK - 1) / BLOCK, none = n * s;
    const int threads = n * c * s > 65536 ? omp_get_max_threads() : 1;
    ptrdiff_t first_bad = none;
    int64_t *counts = calloc((size_t)threads * c * c, sizeof *counts);
    if (!counts)
        return -2;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(min : first_bad)
    for (ptrdiff_t b = 0; b < n * each; b++) {
        const ptrdiff_t start = b % each * BLOCK, width = s - start < BLOCK ? s - start : BLOCK;
        const float *labels = label + b / each * s + start;
        int64_t *own = counts + omp_get_thread_num() * c * c;
        float best[BLOCK];
        int32_t index[BLOCK];
        winners(score + b / each * c * s + start, best, index, c, s, width);
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t k = label_class(labels[j], c, ignore, ignored);
            if (k >= 0)
                own[k * c + index[j]]++;
            else if (k == LABEL_BAD && b / each * s + start + j < first_bad)
                first_bad = b / each * s + start + j;
        }
    }
    for (int t = 0; t < threads; t++)
        for (ptrdiff_t i = 0; i < c * c; i++)
            confusion[i] += counts[t * c * c + i];
    free(counts);
    return first_bad == none ? -1 : first_bad;
}
