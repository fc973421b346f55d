#include "channel_runs.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK ((ptrdiff_t)8192)

/* Few values per plane: one task per channel. */
static void sums_of_thin_planes(channel_run run, const void *context, ptrdiff_t outer, ptrdiff_t channels,
                                ptrdiff_t inner, double *sums)
{
#pragma omp parallel for schedule(static) if (outer * channels * inner > GRAIN)
    for (ptrdiff_t c = 0; c < channels; c++) {
        double total[2] = {0, 0};
        for (ptrdiff_t o = 0; o < outer; o++)
            run(context, (o * channels + c) * inner, inner, c, total);
        memcpy(sums + 2 * c, total, sizeof total);
    }
}

int channel_sums(channel_run run, const void *context, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                 double *sums)
{
    if (inner < 256) {
        sums_of_thin_planes(run, context, outer, channels, inner, sums);
        return 0;
    }
    const ptrdiff_t blocks = (inner + BLOCK - 1) / BLOCK, per_channel = outer * blocks;
    double *partial = calloc((size_t)(channels * per_channel), 2 * sizeof *partial);
    if (!partial)
        return -1;
#pragma omp parallel for schedule(static) if (outer * channels * inner > GRAIN)
    for (ptrdiff_t task = 0; task < channels * per_channel; task++) {
        const ptrdiff_t c = task / per_channel, o = task % per_channel / blocks, b = task % blocks;
        const ptrdiff_t length = b + 1 < blocks ? BLOCK : inner - b * BLOCK;
        run(context, (o * channels + c) * inner + b * BLOCK, length, c, partial + 2 * task);
    }
    for (ptrdiff_t c = 0; c < channels; c++) {
        double total[2] = {0, 0};
        for (ptrdiff_t i = c * per_channel; i < (c + 1) * per_channel; i++) {
            total[0] += partial[2 * i];
            total[1] += partial[2 * i + 1];
        }
        memcpy(sums + 2 * c, total, sizeof total);
    }
    free(partial);
    return 0;
}
