/* The body of panel_product(), for the one C file of an extension that includes it. */
#include "gemm_tile.h"

#define INLINE static inline __attribute__((always_inline))

/* Portable: two rows at a time, which the compiler turns into whatever vectors there are. */
static void product_plain(ptrdiff_t k, ptrdiff_t blocks, const float *a, ptrdiff_t lda, ptrdiff_t a_step, const float *b,
                          float *c, ptrdiff_t c_step, int add)
{
    for (; blocks > 0; blocks--, a += a_step, c += c_step)
        for (int r = 0; r < BLOCK; r += 2) {
            float sum[2][PANEL] = {{0}};
            for (ptrdiff_t t = 0; t < k; t++)
                for (int j = 0; j < PANEL; j++) {
                    sum[0][j] += a[t * lda + r] * b[t * PANEL + j];
                    sum[1][j] += a[t * lda + r + 1] * b[t * PANEL + j];
                }
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < PANEL; j++) {
                    float *to = c + (r + i) * PANEL + j;
                    *to = sum[i][j] + (add ? *to : 0.0f);
                }
        }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

enum { FETCHED = 16 }; /* terms of a block that are fetched ahead */

__attribute__((target("avx2,fma,prfchw"))) static void product_avx2(ptrdiff_t k, ptrdiff_t blocks, const float *a,
                                                                    ptrdiff_t lda, ptrdiff_t a_step, const float *b,
                                                                    float *c, ptrdiff_t c_step, int add)
{
    for (ptrdiff_t i = 0; i < blocks; i++, a += a_step, c += c_step) {
        __m256 sum[BLOCK][2];
#pragma GCC unroll 6
        for (int r = 0; r < BLOCK; r++)
            sum[r][0] = sum[r][1] = _mm256_setzero_ps();
        const float *left = a, *right = b;
        for (int r = 0; r < BLOCK; r++)
            __builtin_prefetch(c + r * PANEL, 1);
        const ptrdiff_t next = i + 1 < blocks ? 0 : (k + 1) * PANEL; /* probably the next panel */
        for (ptrdiff_t t = 0; t < k; t++, left += lda, right += PANEL) {
            __builtin_prefetch(left + FETCHED * lda);
            __builtin_prefetch(right + next);
            const __m256 low = _mm256_loadu_ps(right), high = _mm256_loadu_ps(right + 8);
#pragma GCC unroll 6
            for (int r = 0; r < BLOCK; r++) {
                const __m256 factor = _mm256_broadcast_ss(left + r);
                sum[r][0] = _mm256_fmadd_ps(factor, low, sum[r][0]);
                sum[r][1] = _mm256_fmadd_ps(factor, high, sum[r][1]);
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < BLOCK; r++)
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) {
                float *to = c + r * PANEL + 8 * h;
                _mm256_storeu_ps(to, add ? _mm256_add_ps(sum[r][h], _mm256_loadu_ps(to)) : sum[r][h]);
            }
    }
}

/* One or two blocks at a time: twelve sums hide the latency of the multiplier. */
#define AVX512 __attribute__((target("avx512f")))
AVX512 INLINE void pair_avx512(const int count, ptrdiff_t k, const float *a, ptrdiff_t lda, ptrdiff_t a_step, const float *b,
                               float *c, ptrdiff_t c_step, int add)
{
    __m512 sum[2][BLOCK];
#pragma GCC unroll 2
    for (int i = 0; i < count; i++)
#pragma GCC unroll 6
        for (int r = 0; r < BLOCK; r++)
            sum[i][r] = _mm512_setzero_ps();
    const float *first = a, *second = a + a_step;
    for (ptrdiff_t t = 0; t < k; t++, first += lda, second += lda, b += PANEL) {
        const __m512 right = _mm512_loadu_ps(b);
#pragma GCC unroll 6
        for (int r = 0; r < BLOCK; r++) {
            sum[0][r] = _mm512_fmadd_ps(_mm512_set1_ps(first[r]), right, sum[0][r]);
            if (count > 1)
                sum[1][r] = _mm512_fmadd_ps(_mm512_set1_ps(second[r]), right, sum[1][r]);
        }
    }
#pragma GCC unroll 2
    for (int i = 0; i < count; i++)
#pragma GCC unroll 6
        for (int r = 0; r < BLOCK; r++) {
            float *to = c + i * c_step + r * PANEL;
            _mm512_storeu_ps(to, add ? _mm512_add_ps(sum[i][r], _mm512_loadu_ps(to)) : sum[i][r]);
        }
}

AVX512 static void product_avx512(ptrdiff_t k, ptrdiff_t blocks, const float *a, ptrdiff_t lda, ptrdiff_t a_step,
                                  const float *b, float *c, ptrdiff_t c_step, int add)
{
    for (; blocks >= 2; blocks -= 2, a += 2 * a_step, c += 2 * c_step)
        pair_avx512(2, k, a, lda, a_step, b, c, c_step, add);
    if (blocks)
        pair_avx512(1, k, a, lda, a_step, b, c, c_step, add);
}
#endif

PanelProduct panel_product(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f"))
        return product_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return product_avx2;
#endif
    return product_plain;
}
