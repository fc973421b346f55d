/* Local response normalisation; see the kernel table for the formulas. */
#ifndef PYDEEPLAB_NORMALIZATION_LRN_H
#define PYDEEPLAB_NORMALIZATION_LRN_H

#include <stddef.h>

struct lrn {
    ptrdiff_t size;
    float factor; /* alpha over the number of values in the window */
    float beta, k;
};

void lrn_across(const float *x, float *y, float *s, ptrdiff_t outer, ptrdiff_t channels, ptrdiff_t inner, struct lrn p);
void lrn_across_gradient(const float *x, const float *y, const float *s, const float *dy, float *dx, ptrdiff_t outer,
                         ptrdiff_t channels, ptrdiff_t inner, struct lrn p);

/* The within forms return 0, or -1 when memory ran out. */
int lrn_within(const float *x, float *y, float *s, ptrdiff_t planes, ptrdiff_t height, ptrdiff_t width, struct lrn p);
int lrn_within_gradient(const float *x, const float *y, const float *s, const float *dy, float *dx, ptrdiff_t planes,
                        ptrdiff_t height, ptrdiff_t width, struct lrn p);

#endif
