/* Matrix products of contiguous row-major matrices, by cuBLAS where Python has found it, else by a kernel of our own. */
#pragma once

#include "device.h"

/* c[m, n] = alpha op(a) op(b) + beta c for `batch` matrices that lie `*_step` elements apart; op transposes where told
 * (a is then stored [k, m], b [n, k]). With beta 0, c is overwritten whatever it held. */
struct Product {
    bool transpose_a, transpose_b;
    int64_t m, n, k;
    int64_t batch, a_step, b_step, c_step;
};

int matrix_product(const Product &sizes, float alpha, const float *a, const float *b, float beta, float *c);

/* Whether products may round their factors to TF32, on a device that has tensor cores for it. */
bool tensor_products();
