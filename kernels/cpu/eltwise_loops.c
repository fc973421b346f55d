#include "eltwise_loops.h"

#include "parallel.h"
#include "simd.h"

VECTORISED static void add_piece(const float *a, const float *b, float *y, ptrdiff_t n, float alpha, float beta,
                                 int relu)
{
    if (relu)
        for (ptrdiff_t i = 0; i < n; i++) {
            const float z = alpha * a[i] + beta * b[i];
            y[i] = z < 0 ? 0 : z;
        }
    else
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = alpha * a[i] + beta * b[i];
}

void eltwise_add(const float *a, const float *b, float *y, ptrdiff_t n, float alpha, float beta, int relu)
{
    FOR_PIECES(n, begin, end, add_piece(a + begin, b + begin, y + begin, end - begin, alpha, beta, relu););
}

VECTORISED static void multiply_piece(const float *a, const float *b, float *y, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

void eltwise_multiply(const float *a, const float *b, float *y, ptrdiff_t n)
{
    FOR_PIECES(n, begin, end, multiply_piece(a + begin, b + begin, y + begin, end - begin););
}

VECTORISED static void ratio_piece(const float *y, const float *x, const float *dy, float *dx, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = y[i] / x[i] * dy[i];
}

void eltwise_ratio(const float *y, const float *x, const float *dy, float *dx, ptrdiff_t n)
{
    FOR_PIECES(n, begin, end, ratio_piece(y + begin, x + begin, dy + begin, dx + begin, end - begin););
}

VECTORISED static void max_piece(const float *a, const float *b, float *y, int32_t *winner, ptrdiff_t n, int32_t index)
{
    if (index == 1)
        for (ptrdiff_t i = 0; i < n; i++) {
            winner[i] = a[i] > b[i] ? 0 : 1;
            y[i] = a[i] > b[i] ? a[i] : b[i];
        }
    else
        for (ptrdiff_t i = 0; i < n; i++) {
            winner[i] = a[i] > b[i] ? winner[i] : index;
            y[i] = a[i] > b[i] ? a[i] : b[i];
        }
}

void eltwise_max(const float *a, const float *b, float *y, int32_t *winner, ptrdiff_t n, int32_t index)
{
    FOR_PIECES(n, begin, end, max_piece(a + begin, b + begin, y + begin, winner + begin, end - begin, index););
}

VECTORISED static void select_piece(const int32_t *winner, const float *dy, float *dx, ptrdiff_t n, int32_t index)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = winner[i] == index ? dy[i] : 0;
}

void eltwise_select(const int32_t *winner, const float *dy, float *dx, ptrdiff_t n, int32_t index)
{
    FOR_PIECES(n, begin, end, select_piece(winner + begin, dy + begin, dx + begin, end - begin, index););
}

VECTORISED static void axpby_piece(const float *x, float *y, ptrdiff_t n, float alpha, float beta)
{
    if (beta == 0)
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = alpha * x[i];
    else
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = alpha * x[i] + beta * y[i];
}

void eltwise_axpby(const float *x, float *y, ptrdiff_t n, float alpha, float beta)
{
    FOR_PIECES(n, begin, end, axpby_piece(x + begin, y + begin, end - begin, alpha, beta););
}
