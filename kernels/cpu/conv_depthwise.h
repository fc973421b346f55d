/* Convolution of every channel with filters of its own, directly. Arguments as in conv_engines.h; two spatial axes. */
#ifndef PYDEEPLAB_CONV_DEPTHWISE_H
#define PYDEEPLAB_CONV_DEPTHWISE_H

#include "conv_window.h"

void depthwise_forward(const Window *window, ptrdiff_t batch, ptrdiff_t channels, ptrdiff_t outputs, const float *x,
                       const float *w, const float *bias, float *y);
void depthwise_backward_data(const Window *window, ptrdiff_t batch, ptrdiff_t channels, ptrdiff_t outputs, const float *dy,
                             const float *w, const float *bias, float *dx);
void depthwise_backward_weights(const Window *window, ptrdiff_t batch, ptrdiff_t channels, ptrdiff_t outputs,
                                const float *x, const float *dy, float *dw);

#endif
