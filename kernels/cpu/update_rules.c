#include "update_rules.h"

#include <math.h>

#include "parallel.h"
#include "simd.h"

/* The gradient with its share of the batch and its weight decay. */
static inline float decayed(float w, float g, Update u)
{
    const float sign = (float)(w > 0) - (float)(w < 0);
    return u.scale * g + u.l2 * w + u.l1 * sign;
}

VECTORISED static void sgd_piece(float *restrict w, float *restrict g, float *restrict h, ptrdiff_t n, Update u,
                                 float momentum)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float step = momentum * h[i] + u.rate * decayed(w[i], g[i], u);
        h[i] = step;
        g[i] = step;
        w[i] -= step;
    }
}

void update_sgd(float *w, float *g, float *h, ptrdiff_t n, Update u, float momentum)
{
    FOR_PIECES(n, begin, end, sgd_piece(w + begin, g + begin, h + begin, end - begin, u, momentum););
}

VECTORISED static void nesterov_piece(float *restrict w, float *restrict g, float *restrict h, ptrdiff_t n, Update u,
                                      float momentum)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float moved = momentum * h[i] + u.rate * decayed(w[i], g[i], u);
        const float step = (1 + momentum) * moved - momentum * h[i];
        h[i] = moved;
        g[i] = step;
        w[i] -= step;
    }
}

void update_nesterov(float *w, float *g, float *h, ptrdiff_t n, Update u, float momentum)
{
    FOR_PIECES(n, begin, end, nesterov_piece(w + begin, g + begin, h + begin, end - begin, u, momentum););
}

VECTORISED static void adagrad_piece(float *restrict w, float *restrict g, float *restrict h, ptrdiff_t n, Update u,
                                     float delta)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float d = decayed(w[i], g[i], u);
        h[i] += d * d;
        g[i] = u.rate * d / (sqrtf(h[i]) + delta);
        w[i] -= g[i];
    }
}

void update_adagrad(float *w, float *g, float *h, ptrdiff_t n, Update u, float delta)
{
    FOR_PIECES(n, begin, end, adagrad_piece(w + begin, g + begin, h + begin, end - begin, u, delta););
}

VECTORISED static void rmsprop_piece(float *restrict w, float *restrict g, float *restrict h, ptrdiff_t n, Update u,
                                     float decay, float delta)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float d = decayed(w[i], g[i], u);
        h[i] = decay * h[i] + (1 - decay) * d * d;
        g[i] = u.rate * d / (sqrtf(h[i]) + delta);
        w[i] -= g[i];
    }
}

void update_rmsprop(float *w, float *g, float *h, ptrdiff_t n, Update u, float decay, float delta)
{
    FOR_PIECES(n, begin, end, rmsprop_piece(w + begin, g + begin, h + begin, end - begin, u, decay, delta););
}

VECTORISED static void adadelta_piece(float *restrict w, float *restrict g, float *restrict h, float *restrict v,
                                      ptrdiff_t n, Update u, float decay, float delta)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float d = decayed(w[i], g[i], u);
        h[i] = decay * h[i] + (1 - decay) * d * d;
        const float x = d * sqrtf((v[i] + delta) / (h[i] + delta));
        v[i] = decay * v[i] + (1 - decay) * x * x;
        g[i] = u.rate * x;
        w[i] -= g[i];
    }
}

void update_adadelta(float *w, float *g, float *h, float *v, ptrdiff_t n, Update u, float decay, float delta)
{
    FOR_PIECES(n, begin, end, {
        adadelta_piece(w + begin, g + begin, h + begin, v + begin, end - begin, u, decay, delta);
    });
}

VECTORISED static void adam_piece(float *restrict w, float *restrict g, float *restrict h, float *restrict v,
                                  ptrdiff_t n, Update u, float beta1, float beta2, float delta)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float d = decayed(w[i], g[i], u);
        h[i] = beta1 * h[i] + (1 - beta1) * d;
        v[i] = beta2 * v[i] + (1 - beta2) * d * d;
        g[i] = u.rate * h[i] / (sqrtf(v[i]) + delta);
        w[i] -= g[i];
    }
}

void update_adam(float *w, float *g, float *h, float *v, ptrdiff_t n, Update u, float beta1, float beta2, float delta)
{
    FOR_PIECES(n, begin, end, {
        adam_piece(w + begin, g + begin, h + begin, v + begin, end - begin, u, beta1, beta2, delta);
    });
}

#define LANES 8
#define BLOCKS 256

VECTORISED static double squares_of_block(const float *x, ptrdiff_t n)
{
    double lane[LANES] = {0}, total = 0;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k] * x[i + k];
    for (; i < n; i++)
        total += (double)x[i] * x[i];
    for (int k = 0; k < LANES; k++)
        total += lane[k];
    return total;
}

/* A fixed number of blocks and lanes, added up in a fixed order: the result does not depend on threads or on the
 * instruction set. */
double sum_squares(const float *x, ptrdiff_t n)
{
    const ptrdiff_t size = n / BLOCKS > GRAIN ? (n + BLOCKS - 1) / BLOCKS : GRAIN;
    const ptrdiff_t blocks = (n + size - 1) / size;
    double partial[BLOCKS + 1], total = 0;
#pragma omp parallel for schedule(static) if (blocks > 1)
    for (ptrdiff_t block = 0; block < blocks; block++) {
        const ptrdiff_t begin = block * size, end = begin + size < n ? begin + size : n;
        partial[block] = squares_of_block(x + begin, end - begin);
    }
    for (ptrdiff_t block = 0; block < blocks; block++)
        total += partial[block];
    return total;
}
