#include "conv_depthwise.h"

#include "simd.h"

#define LANES 16

/* Column-side positions first..last of one axis whose tap `u` falls inside the image, and where the first one falls. */
typedef struct {
    ptrdiff_t first, last, start;
} Run;

static inline Run run_of(const Window *window, int axis, ptrdiff_t u)
{
    const ptrdiff_t stride = window->stride[axis], offset = u * window->dilation[axis] - window->pad[axis];
    const ptrdiff_t room = window->image[axis] - offset;
    Run run = {offset < 0 ? (stride - 1 - offset) / stride : 0, room > 0 ? (room + stride - 1) / stride : 0, 0};
    if (run.last > window->out[axis])
        run.last = window->out[axis];
    if (run.last < run.first)
        run.last = run.first;
    run.start = run.first * stride + offset;
    return run;
}

/* out[j] += weight * in[j * stride], with the common strides known to the compiler. */
static inline void add_gathered(float *restrict out, const float *restrict in, ptrdiff_t n, ptrdiff_t stride, float weight)
{
    if (stride == 1)
        for (ptrdiff_t j = 0; j < n; j++)
            out[j] += weight * in[j];
    else if (stride == 2)
        for (ptrdiff_t j = 0; j < n; j++)
            out[j] += weight * in[2 * j];
    else
        for (ptrdiff_t j = 0; j < n; j++)
            out[j] += weight * in[stride * j];
}

VECTORISED static void forward_plane(const Window *window, const float *image, const float *weights, float bias, float *out)
{
    const ptrdiff_t width = window->image[1], columns = window->out[1];
    for (ptrdiff_t p = 0; p < window->out[0]; p++, out += columns) {
        for (ptrdiff_t q = 0; q < columns; q++)
            out[q] = bias;
        for (ptrdiff_t u = 0; u < window->kernel[0]; u++) {
            const ptrdiff_t h = p * window->stride[0] + u * window->dilation[0] - window->pad[0];
            if (h < 0 || h >= window->image[0])
                continue;
            for (ptrdiff_t v = 0; v < window->kernel[1]; v++) {
                const Run run = run_of(window, 1, v);
                add_gathered(out + run.first, image + h * width + run.start, run.last - run.first, window->stride[1],
                             weights[u * window->kernel[1] + v]);
            }
        }
    }
}

void depthwise_forward(const Window *window, ptrdiff_t batch, ptrdiff_t channels, ptrdiff_t outputs, const float *x,
                       const float *w, const float *bias, float *y)
{
    const ptrdiff_t each = outputs / channels, planes = batch * outputs;
#pragma omp parallel for schedule(static) if (planes * window->positions * window->taps > 65536)
    for (ptrdiff_t plane = 0; plane < planes; plane++) {
        const ptrdiff_t o = plane % outputs;
        forward_plane(window, x + plane / each * window->pixels, w + o * window->taps, bias ? bias[o] : 0.0f,
                      y + plane * window->positions);
    }
}

/* image[j * stride] += weight * gradient[j]. */
static inline void add_scattered(float *restrict image, const float *restrict gradient, ptrdiff_t n, ptrdiff_t stride,
                                 float weight)
{
    if (stride == 1)
        for (ptrdiff_t j = 0; j < n; j++)
            image[j] += weight * gradient[j];
    else
        for (ptrdiff_t j = 0; j < n; j++)
            image[stride * j] += weight * gradient[j];
}

VECTORISED static void add_data_gradient(const Window *window, const float *gradient, const float *weights, float *image)
{
    const ptrdiff_t width = window->image[1], columns = window->out[1];
    for (ptrdiff_t p = 0; p < window->out[0]; p++, gradient += columns)
        for (ptrdiff_t u = 0; u < window->kernel[0]; u++) {
            const ptrdiff_t h = p * window->stride[0] + u * window->dilation[0] - window->pad[0];
            if (h < 0 || h >= window->image[0])
                continue;
            for (ptrdiff_t v = 0; v < window->kernel[1]; v++) {
                const Run run = run_of(window, 1, v);
                add_scattered(image + h * width + run.start, gradient + run.first, run.last - run.first, window->stride[1],
                              weights[u * window->kernel[1] + v]);
            }
        }
}

void depthwise_backward_data(const Window *window, ptrdiff_t batch, ptrdiff_t channels, ptrdiff_t outputs, const float *dy,
                             const float *w, const float *bias, float *dx)
{
    const ptrdiff_t each = outputs / channels, planes = batch * channels;
#pragma omp parallel for schedule(static) if (planes * each * window->positions * window->taps > 65536)
    for (ptrdiff_t plane = 0; plane < planes; plane++) {
        const ptrdiff_t c = plane % channels;
        float *image = dx + plane * window->pixels;
        for (ptrdiff_t i = 0; i < window->pixels; i++)
            image[i] = bias ? bias[c] : 0.0f;
        for (ptrdiff_t e = 0; e < each; e++)
            add_data_gradient(window, dy + (plane * each + e) * window->positions, w + (c * each + e) * window->taps, image);
    }
}

/* The sum of gradient * image over the pixels of one tap, in a fixed number of lanes. */
VECTORISED static float weight_gradient(const Window *window, const float *image, const float *gradient, ptrdiff_t u,
                                        ptrdiff_t v)
{
    const Run rows = run_of(window, 0, u), run = run_of(window, 1, v);
    const ptrdiff_t n = run.last - run.first, stride = window->stride[1];
    float lanes[LANES] = {0}, rest = 0.0f;
    for (ptrdiff_t p = rows.first; p < rows.last; p++) {
        const float *line = image + (rows.start + (p - rows.first) * window->stride[0]) * window->image[1] + run.start;
        const float *dy = gradient + p * window->out[1] + run.first;
        ptrdiff_t j = 0;
        for (; j + LANES <= n; j += LANES)
            for (int lane = 0; lane < LANES; lane++)
                lanes[lane] += dy[j + lane] * line[(j + lane) * stride];
        for (; j < n; j++)
            rest += dy[j] * line[j * stride];
    }
    for (int lane = 0; lane < LANES; lane++)
        rest += lanes[lane];
    return rest;
}

void depthwise_backward_weights(const Window *window, ptrdiff_t batch, ptrdiff_t channels, ptrdiff_t outputs,
                                const float *x, const float *dy, float *dw)
{
    const ptrdiff_t each = outputs / channels;
#pragma omp parallel for schedule(static) if (batch * outputs * window->positions * window->taps > 65536)
    for (ptrdiff_t o = 0; o < outputs; o++)
        for (ptrdiff_t tap = 0; tap < window->taps; tap++) {
            double total = 0.0;
            for (ptrdiff_t n = 0; n < batch; n++)
                total += weight_gradient(window, x + (n * channels + o / each) * window->pixels,
                                         dy + (n * outputs + o) * window->positions, tap / window->kernel[1],
                                         tap % window->kernel[1]);
            dw[o * window->taps + tap] += (float)total;
        }
}
