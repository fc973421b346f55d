/* Units of work that threads have shares of: everyone takes from the front of his own, then from the backs of others'.
 *
 * With equal shares time after time, what a unit touches stays in the caches of one core, and yet nobody waits for a
 * thread that comes late. */
#ifndef PYDEEPLAB_CRF_SHARES_H
#define PYDEEPLAB_CRF_SHARES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The units left: the first in the low half, the end in the high one. */
typedef struct {
    _Alignas(64) uint64_t left;
} Share;

/* For each of several phases the shares of all threads; NULL without memory. */
static inline Share *shares_make(int phases, int threads, ptrdiff_t units)
{
    Share *share = aligned_alloc(64, (size_t)phases * (size_t)threads * sizeof(Share));
    for (int i = 0; share && i < phases * threads; i++) {
        const uint64_t first = (uint64_t)(units * (i % threads) / threads), end = (uint64_t)(units * (i % threads + 1) / threads);
        share[i].left = end << 32 | first;
    }
    return share;
}

/* The next unit for thread `own`, or -1. `tried` is 0 at first: how many shares were found empty. */
static inline ptrdiff_t share_take(Share *share, int threads, int own, int *tried)
{
    for (; *tried < threads; ++*tried) {
        uint64_t *of = &share[(own + *tried) % threads].left, left = __atomic_load_n(of, __ATOMIC_RELAXED);
        while ((uint32_t)left < left >> 32) {
            const uint64_t rest = *tried ? left - ((uint64_t)1 << 32) : left + 1;
            if (__atomic_compare_exchange_n(of, &left, rest, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                return (ptrdiff_t)(*tried ? rest >> 32 : (uint32_t)left);
        }
    }
    return -1;
}

/* FOR_SHARE(share, threads, unit) statement: in a parallel region, for all units that this thread gets. */
#define FOR_SHARE(share, threads, unit)                                              \
    for (int tried_ = 0, own_ = omp_get_thread_num(), more_ = 1; more_; more_ = 0)   \
        for (ptrdiff_t unit; (unit = share_take(share, threads, own_, &tried_)) >= 0;)

#endif
