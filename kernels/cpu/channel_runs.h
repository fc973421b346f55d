/* Walking x[outer][channels][inner] one channel at a time in threads. */
#ifndef PYDEEPLAB_CHANNEL_RUNS_H
#define PYDEEPLAB_CHANNEL_RUNS_H

#include <stddef.h>

#include "parallel.h"

/* Run the code for every run [at, at + length) of consecutive elements that lie in one channel c. */
#define FOR_CHANNEL_RUNS(outer, channels, inner, at, length, c, ...)                 \
    FOR_PIECES((outer) * (channels) * (inner), run_begin_, run_end_, {               \
        ptrdiff_t at = run_begin_, plane_ = run_begin_ / (inner);                    \
        while (at < run_end_) {                                                      \
            const ptrdiff_t stop_ = (plane_ + 1) * (inner);                          \
            const ptrdiff_t length = (stop_ < run_end_ ? stop_ : run_end_) - at;     \
            const ptrdiff_t c = plane_ % (channels);                                 \
            __VA_ARGS__                                                              \
            at += length;                                                            \
            plane_++;                                                                \
        }                                                                            \
    })

/* For inner == 1: run the code for every stretch [at, at + length) of a row; element at + i lies in channel c + i. */
#define FOR_ROW_RUNS(outer, channels, at, length, c, ...)                            \
    FOR_PIECES((outer) * (channels), run_begin_, run_end_, {                         \
        ptrdiff_t at = run_begin_, c = run_begin_ % (channels);                      \
        while (at < run_end_) {                                                      \
            const ptrdiff_t left_ = run_end_ - at, row_ = (channels) - c;            \
            const ptrdiff_t length = row_ < left_ ? row_ : left_;                    \
            __VA_ARGS__                                                              \
            at += length;                                                            \
            c = 0;                                                                   \
        }                                                                            \
    })

/* Adds two sums over [at, at + length), which lies in channel c, to out[0] and out[1]. */
typedef void (*channel_run)(const void *context, ptrdiff_t at, ptrdiff_t length, ptrdiff_t c, double *out);

/* For every channel the two sums of `run` over it, as sums[channels][2], in an order that does not depend on the
 * number of threads. Returns 0, or -1 when memory ran out. */
int channel_sums(channel_run run, const void *context, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner,
                 double *sums);

#endif
