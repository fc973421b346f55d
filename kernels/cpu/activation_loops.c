#include "activation_loops.h"

#include "parallel.h"
#include "simd.h"

VECTORISED static void relu_piece(const float *x, float *y, ptrdiff_t n, float slope)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = (x[i] < 0 ? 0 : x[i]) + slope * (x[i] > 0 ? 0 : x[i]);
}

void relu_forward(const float *x, float *y, ptrdiff_t n, float slope)
{
    FOR_PIECES(n, begin, end, relu_piece(x + begin, y + begin, end - begin, slope););
}

VECTORISED static void relu_gradient_piece(const float *x, const float *dy, float *dx, ptrdiff_t n, float slope)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = dy[i] * (x[i] > 0 ? 1.0f : slope);
}

void relu_backward(const float *x, const float *dy, float *dx, ptrdiff_t n, float slope)
{
    FOR_PIECES(n, begin, end, relu_gradient_piece(x + begin, dy + begin, dx + begin, end - begin, slope););
}
