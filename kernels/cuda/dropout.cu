/* Dropout with counter-based random numbers (Philox4x32-10). */
#include "device.h"

__global__ static void dropout_kernel(const float *x, float *y, uint64_t seed, uint64_t offset, uint32_t threshold,
                                      float scale, int64_t n) {
    EACH(block, (n + 3) / 4) {
        uint32_t c0 = (uint32_t)block, c1 = (uint32_t)((uint64_t)block >> 32);
        uint32_t c2 = (uint32_t)offset, c3 = (uint32_t)(offset >> 32);
        uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < 10; round++) {
            uint64_t left = (uint64_t)c0 * 0xD2511F53u, right = (uint64_t)c2 * 0xCD9E8D57u;
            c0 = (uint32_t)(right >> 32) ^ c1 ^ key0;
            c2 = (uint32_t)(left >> 32) ^ c3 ^ key1;
            c1 = (uint32_t)right;
            c3 = (uint32_t)left;
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        const uint32_t words[4] = {c0, c1, c2, c3};
        for (int w = 0; w < 4 && 4 * block + w < n; w++)
            y[4 * block + w] = x[4 * block + w] * (words[w] > threshold ? scale : 0);
    }
}

int dropout_forward(const float *x, float *y, int64_t seed, int64_t offset, float ratio, int64_t n) {
    double share = ratio;
    return launch_each(dropout_kernel, divide_up(n, 4), x, y, (uint64_t)seed, (uint64_t)offset,
                       (uint32_t)floor(4294967295.0 * share), (float)(1 / (1 - share)), n);
}
