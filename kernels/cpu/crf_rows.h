/* Arithmetic on rows of p floats (one value per class), a few whole vectors at a time, kept in registers. */
#ifndef PYDEEPLAB_CRF_ROWS_H
#define PYDEEPLAB_CRF_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "vectors.h"

typedef float HalfVector __attribute__((vector_size(16), aligned(4), may_alias));

enum { AHEAD = 16 };

/* Starts loading a row; the hardware follows rows that are longer than two cache lines. */
INLINE void fetch_row(const float *row, ptrdiff_t p)
{
    __builtin_prefetch(row);
    __builtin_prefetch(row + p - 1);
}

/* Calls PIECE(type, count, at) for the columns at, at + 1, ... of a row of p values, in runs of up to four vectors. */
#define FOR_COLUMNS(p, PIECE)                                                        \
    do {                                                                             \
        ptrdiff_t at_ = 0;                                                           \
        for (; at_ + 4 * LANES <= (p); at_ += 4 * LANES)                             \
            PIECE(Vector, 4, at_);                                                   \
        switch (((p) - at_) / LANES) {                                               \
        case 3: PIECE(Vector, 3, at_); at_ += 3 * LANES; break;                      \
        case 2: PIECE(Vector, 2, at_); at_ += 2 * LANES; break;                      \
        case 1: PIECE(Vector, 1, at_); at_ += LANES; break;                          \
        }                                                                            \
        for (; at_ + LANES / 2 <= (p); at_ += LANES / 2)                             \
            PIECE(HalfVector, 1, at_);                                               \
        for (; at_ < (p); at_++)                                                     \
            PIECE(float, 1, at_);                                                    \
    } while (0)

/* acc[0..count) += weight * the vectors at `from`. */
#define ADD_ROW(type, count, acc, weight, from)                                      \
    do {                                                                             \
        _Pragma("GCC unroll 4") for (int i_ = 0; i_ < (count); i_++)                 \
            (acc)[i_] += (weight) * ((const type *)(from))[i_];                      \
    } while (0)

#define LOAD_ROW(type, count, acc, from)                                             \
    do {                                                                             \
        _Pragma("GCC unroll 4") for (int i_ = 0; i_ < (count); i_++)                 \
            (acc)[i_] = ((const type *)(from))[i_];                                  \
    } while (0)

#define STORE_ROW(type, count, to, acc)                                              \
    do {                                                                             \
        _Pragma("GCC unroll 4") for (int i_ = 0; i_ < (count); i_++)                 \
            ((type *)(to))[i_] = (acc)[i_];                                          \
    } while (0)

#endif
