#include "dropout_philox.h"

#include "parallel.h"
#include "simd.h"

#define BLOCKS 64
#define ROUNDS 10

/* The words of BLOCKS consecutive counters, word w of block b at words[w][b]: loops over b that a compiler turns into
 * vector instructions. */
static inline void philox_blocks(uint64_t first, uint64_t seed, uint64_t offset, uint32_t words[4][BLOCKS])
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int b = 0; b < BLOCKS; b++) {
        words[0][b] = (uint32_t)(first + (uint64_t)b);
        words[1][b] = (uint32_t)((first + (uint64_t)b) >> 32);
        words[2][b] = (uint32_t)offset;
        words[3][b] = (uint32_t)(offset >> 32);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int b = 0; b < BLOCKS; b++) {
            const uint64_t left = (uint64_t)words[0][b] * 0xD2511F53u, right = (uint64_t)words[2][b] * 0xCD9E8D57u;
            words[0][b] = (uint32_t)(right >> 32) ^ words[1][b] ^ key0;
            words[2][b] = (uint32_t)(left >> 32) ^ words[3][b] ^ key1;
            words[1][b] = (uint32_t)right;
            words[3][b] = (uint32_t)left;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
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
