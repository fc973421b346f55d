/* Splitting flat loops over threads in pieces large enough to be worth a thread. */
#ifndef PYDEEPLAB_PARALLEL_H
#define PYDEEPLAB_PARALLEL_H

#include <stddef.h>

#define GRAIN ((ptrdiff_t)16384)

/* Run call for begin..end pieces of 0..n in parallel: FOR_PIECES(n, begin, end, { ... }). */
#define FOR_PIECES(n, begin, end, ...)                                               \
    do {                                                                             \
        const ptrdiff_t pieces_ = ((n) + GRAIN - 1) / GRAIN;                         \
        _Pragma("omp parallel for schedule(static) if (pieces_ > 1)")                \
        for (ptrdiff_t piece_ = 0; piece_ < pieces_; piece_++) {                     \
            const ptrdiff_t begin = piece_ * GRAIN;                                  \
            const ptrdiff_t end = begin + GRAIN < (n) ? begin + GRAIN : (n);         \
            __VA_ARGS__                                                              \
        }                                                                            \
    } while (0)

#endif
