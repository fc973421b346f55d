#include "activation_loops.h"

#include <math.h>

#include "exponential.h"
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

/* exp of minus a magnitude cannot overflow, and both branches keep their small values exact. */
VECTORISED static void sigmoid_piece(const float *x, float *y, ptrdiff_t n, float beta)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float z = beta * x[i], e = exp_nonpositive(z > 0 ? -z : z);
        y[i] = (z > 0 ? 1 : e) / (1 + e);
    }
}

void sigmoid_forward(const float *x, float *y, ptrdiff_t n, float beta)
{
    FOR_PIECES(n, begin, end, sigmoid_piece(x + begin, y + begin, end - begin, beta););
}

VECTORISED static void sigmoid_gradient_piece(const float *y, const float *dy, float *dx, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = dy[i] * y[i] * (1 - y[i]);
}

void sigmoid_backward(const float *y, const float *dy, float *dx, ptrdiff_t n)
{
    FOR_PIECES(n, begin, end, sigmoid_gradient_piece(y + begin, dy + begin, dx + begin, end - begin););
}

/* Near 0 the odd polynomial of the Cephes library, farther out from exp(-2|x|): 2 units in the last place. */
VECTORISED static void tanh_piece(const float *x, float *y, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float size = fabsf(x[i]), square = x[i] * x[i], e = exp_nonpositive(-2 * size);
        float p = -5.70498872745e-3f;
        p = p * square + 2.06390887954e-2f;
        p = p * square - 5.37397155531e-2f;
        p = p * square + 1.33314422036e-1f;
        p = p * square - 3.33332819422e-1f;
        const float near = p * square * x[i] + x[i], far = copysignf((1 - e) / (1 + e), x[i]);
        y[i] = size < 0.625f ? near : far;
    }
}

void tanh_forward(const float *x, float *y, ptrdiff_t n)
{
    FOR_PIECES(n, begin, end, tanh_piece(x + begin, y + begin, end - begin););
}

VECTORISED static void tanh_gradient_piece(const float *y, const float *dy, float *dx, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1 - y[i] * y[i]);
}

void tanh_backward(const float *y, const float *dy, float *dx, ptrdiff_t n)
{
    FOR_PIECES(n, begin, end, tanh_gradient_piece(y + begin, dy + begin, dx + begin, end - begin););
}

VECTORISED static void elu_piece(const float *x, float *y, ptrdiff_t n, float alpha)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float below = x[i] > 0 ? 0 : x[i];
        y[i] = x[i] > 0 ? x[i] : alpha * (exp_nonpositive(below) - 1);
    }
}

void elu_forward(const float *x, float *y, ptrdiff_t n, float alpha)
{
    FOR_PIECES(n, begin, end, elu_piece(x + begin, y + begin, end - begin, alpha););
}

VECTORISED static void elu_gradient_piece(const float *x, const float *y, const float *dy, float *dx, ptrdiff_t n,
                                          float alpha)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = dy[i] * (x[i] > 0 ? 1.0f : y[i] + alpha);
}

void elu_backward(const float *x, const float *y, const float *dy, float *dx, ptrdiff_t n, float alpha)
{
    FOR_PIECES(n, begin, end, {
        elu_gradient_piece(x + begin, y + begin, dy + begin, dx + begin, end - begin, alpha);
    });
}

VECTORISED static void clip_piece(const float *x, float *y, ptrdiff_t n, float low, float high)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float bounded = x[i] > high ? high : x[i];
        y[i] = bounded < low ? low : bounded;
    }
}

void clip_forward(const float *x, float *y, ptrdiff_t n, float low, float high)
{
    FOR_PIECES(n, begin, end, clip_piece(x + begin, y + begin, end - begin, low, high););
}

VECTORISED static void clip_gradient_piece(const float *x, const float *dy, float *dx, ptrdiff_t n, float low,
                                           float high)
{
    for (ptrdiff_t i = 0; i < n; i++)
        dx[i] = (x[i] >= low) & (x[i] <= high) ? dy[i] : 0;
}

void clip_backward(const float *x, const float *dy, float *dx, ptrdiff_t n, float low, float high)
{
    FOR_PIECES(n, begin, end, clip_gradient_piece(x + begin, dy + begin, dx + begin, end - begin, low, high););
}
