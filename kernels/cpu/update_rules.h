/* Update rules of the solvers on n contiguous floats: w the parameter, g its gradient (left holding the step), h and v
 * the histories. */
#ifndef PYDEEPLAB_UPDATE_RULES_H
#define PYDEEPLAB_UPDATE_RULES_H

#include <stddef.h>

/* What all rules do to the gradient, and the learning rate. */
typedef struct {
    float scale, l2, l1, rate;
} Update;

void update_sgd(float *w, float *g, float *h, ptrdiff_t n, Update u, float momentum);
void update_nesterov(float *w, float *g, float *h, ptrdiff_t n, Update u, float momentum);
void update_adagrad(float *w, float *g, float *h, ptrdiff_t n, Update u, float delta);
void update_rmsprop(float *w, float *g, float *h, ptrdiff_t n, Update u, float decay, float delta);
void update_adadelta(float *w, float *g, float *h, float *v, ptrdiff_t n, Update u, float decay, float delta);
void update_adam(float *w, float *g, float *h, float *v, ptrdiff_t n, Update u, float beta1, float beta2, float delta);
double sum_squares(const float *x, ptrdiff_t n);

#endif
