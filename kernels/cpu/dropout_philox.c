#include "dropout_philox.h"

#include "parallel.h"
#include "simd.h"

#define BLOCKS 64

/* The words of BLOCKS consecutive counters, word w of block b at words[w][b]: a loop over b that a compiler turns into
 * vector instructions. */
static inline __attribute__((always_inline)) void philox_blocks(uint64_t first, uint64_t seed, uint64_t offset,
                                                                uint32_t words[4][BLOCKS])
{
    for (int b = 0; b < BLOCKS; b++) {
        const uint64_t counter = first + (uint64_t)b;
        uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
        uint32_t c2 = (uint32_t)offset, c3 = (uint32_t)(offset >> 32);
        uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            const uint64_t left = (uint64_t)c0 * 0xD2511F53u, right = (uint64_t)c2 * 0xCD9E8D57u;
            c0 = (uint32_t)(right >> 32) ^ c1 ^ key0;
            c2 = (uint32_t)(left >> 32) ^ c3 ^ key1;
            c1 = (uint32_t)right;
            c3 = (uint32_t)left;
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        words[0][b] = c0;
        words[1][b] = c1;
        words[2][b] = c2;
        words[3][b] = c3;
    }
}

/* Elements begin..end, where begin is a multiple of four. */
VECTORISED static void dropout_piece(const float *x, float *y, ptrdiff_t begin, ptrdiff_t end, uint64_t seed,
                                     uint64_t offset, uint32_t threshold, float scale)
{
    uint32_t words[4][BLOCKS];
    float factor[4 * BLOCKS];
    for (ptrdiff_t at = begin; at < end; at += 4 * BLOCKS) {
        philox_blocks((uint64_t)at / 4, seed, offset, words);
        for (int b = 0; b < BLOCKS; b++)
            for (int w = 0; w < 4; w++)
                factor[4 * b + w] = words[w][b] > threshold ? scale : 0;
        const ptrdiff_t count = end - at < 4 * BLOCKS ? end - at : 4 * BLOCKS;
        for (ptrdiff_t i = 0; i < count; i++)
            y[at + i] = x[at + i] * factor[i];
    }
}

void dropout_map(const float *x, float *y, ptrdiff_t n, uint64_t seed, uint64_t offset, uint32_t threshold, float scale)
{
    FOR_PIECES(n, begin, end, dropout_piece(x, y, begin, end, seed, offset, threshold, scale););
}
