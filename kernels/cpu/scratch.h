/* Parts of a scratch one after the other, in whole lines of the caches. */
#ifndef PYDEEPLAB_SCRATCH_H
#define PYDEEPLAB_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

static inline ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t parts_of(ptrdiff_t a, ptrdiff_t size) { return (a + size - 1) / size; }

enum { LINE = 16 }; /* floats of a line of the caches */

static inline ptrdiff_t in_lines(ptrdiff_t floats) { return parts_of(floats, LINE) * LINE; }

/* An odd number of cache lines, so that neighbours at such a distance lie in different sets of a cache. */
static inline ptrdiff_t odd_lines(ptrdiff_t floats) { return (parts_of(floats, LINE) | 1) * LINE; }

/* Lay out parts of a scratch one after the other: the place of `floats` more, or NULL as long as there is no memory. */
static inline void *place(float *memory, ptrdiff_t *used, ptrdiff_t floats)
{
    void *at = memory ? memory + *used : NULL;
    *used += in_lines(floats);
    return at;
}

static inline float *aligned(float *memory)
{
    const uintptr_t bytes = LINE * sizeof(float);
    return (float *)(((uintptr_t)memory + bytes - 1) / bytes * bytes);
}

#endif
