/* Vectors of eight floats, which the compiler makes of whatever the function's instruction set has. */
#ifndef PYDEEPLAB_VECTORS_H
#define PYDEEPLAB_VECTORS_H

#include <stdint.h>

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

enum { LANES = 8 };

typedef float Vector __attribute__((vector_size(32), aligned(4), may_alias));
#define AT(place) (*(Vector *)(place))

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t Places __attribute__((vector_size(32)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (Places){__VA_ARGS__})
#endif

/* Swap rows and columns of 8 x 8 values. */
INLINE void transpose(Vector *r)
{
    Vector pair[LANES], quad[LANES];
#pragma GCC unroll 4
    for (int i = 0; i < LANES; i += 2) {
        pair[i] = SHUFFLE(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        pair[i + 1] = SHUFFLE(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
#pragma GCC unroll 2
    for (int i = 0; i < LANES; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            quad[i + 2 * j] = SHUFFLE(pair[i + j], pair[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            quad[i + 2 * j + 1] = SHUFFLE(pair[i + j], pair[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = SHUFFLE(quad[i], quad[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        r[i + 4] = SHUFFLE(quad[i], quad[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

#endif
