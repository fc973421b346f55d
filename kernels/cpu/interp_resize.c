/* Bilinear interpolation is separable: a source row is stretched once and then serves all output rows that it takes part
 * in. The order of the operations is that of the plain four-point formula, so the results are the same to the bit. */
#include "interp_resize.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

enum { ROWS = 32 }; /* output rows that one thread works through, reusing stretched rows */

/* How the outputs along one axis read the source: weight 1 - fraction at low, fraction at high. */
typedef struct {
    int32_t *low, *high;
    float *fraction;
} axis;

static float coordinate(ptrdiff_t size, ptrdiff_t out, ptrdiff_t i)
{
    return out > 1 ? (float)(size - 1) / (float)(out - 1) * (float)i : 0.0f;
}

static void fill_axis(const axis *a, ptrdiff_t size, ptrdiff_t out)
{
    for (ptrdiff_t i = 0; i < out; i++) {
        const float source = coordinate(size, out, i);
        a->low[i] = (int32_t)source;
        a->high[i] = a->low[i] < size - 1 ? a->low[i] + 1 : a->low[i];
        a->fraction[i] = source - (float)a->low[i];
    }
}

static void fill_nearest(const axis *a, ptrdiff_t size, ptrdiff_t out)
{
    for (ptrdiff_t i = 0; i < out; i++) {
        const ptrdiff_t nearest = (ptrdiff_t)(coordinate(size, out, i) + 0.5f);
        a->low[i] = (int32_t)(nearest < size - 1 ? nearest : size - 1);
    }
}

/* Both axes in one piece of memory, which the caller frees; NULL if there is none. */
static void *make_axes(const interp_shape *s, axis *rows, axis *columns, void (*fill)(const axis *, ptrdiff_t, ptrdiff_t))
{
    int32_t *memory = malloc((size_t)(s->q + s->r) * (2 * sizeof(int32_t) + sizeof(float)));
    if (!memory)
        return NULL;
    *rows = (axis){memory, memory + s->q, (float *)(memory + 2 * s->q)};
    int32_t *rest = memory + 3 * s->q;
    *columns = (axis){rest, rest + s->r, (float *)(rest + 2 * s->r)};
    fill(rows, s->height, s->q);
    fill(columns, s->width, s->r);
    return memory;
}

VECTORISED static void stretch(const float *row, const axis *a, float *out, ptrdiff_t count)
{
    const int32_t *low = a->low, *high = a->high;
    const float *fraction = a->fraction;
    for (ptrdiff_t j = 0; j < count; j++)
        out[j] = (1.0f - fraction[j]) * row[low[j]] + fraction[j] * row[high[j]];
}

VECTORISED static void blend(const float *upper, const float *lower, float fraction, float *out, ptrdiff_t count)
{
    const float rest = 1.0f - fraction;
    for (ptrdiff_t j = 0; j < count; j++)
        out[j] = rest * upper[j] + fraction * lower[j];
}

/* Output rows begin..end-1 of one plane; buffer holds two stretched rows. */
static void forward_rows(const float *window, float *y, const interp_shape *s, const axis *rows, const axis *columns,
                         ptrdiff_t begin, ptrdiff_t end, float *buffer)
{
    float *stretched[2] = {buffer, buffer + s->r};
    ptrdiff_t held[2] = {-1, -1};
    for (ptrdiff_t i = begin; i < end; i++) {
        const ptrdiff_t low = rows->low[i], high = rows->high[i];
        if (held[1] == low || held[0] == high) {
            float *row = stretched[0];
            stretched[0] = stretched[1];
            stretched[1] = row;
            const ptrdiff_t index = held[0];
            held[0] = held[1];
            held[1] = index;
        }
        if (held[0] != low) {
            stretch(window + low * s->w, columns, stretched[0], s->r);
            held[0] = low;
        }
        if (high != low && held[1] != high) {
            stretch(window + high * s->w, columns, stretched[1], s->r);
            held[1] = high;
        }
        blend(stretched[0], stretched[high != low], rows->fraction[i], y + i * s->r, s->r);
    }
}

static void copy_window(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride, ptrdiff_t rows, ptrdiff_t width)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        memcpy(to + i * to_stride, from + i * from_stride, (size_t)width * sizeof(float));
}

static int threads_for(const interp_shape *s)
{
    return s->p * (s->q * s->r + s->h * s->w) > 32768 ? omp_get_max_threads() : 1;
}

int interp_forward(const float *x, float *y, const interp_shape *s)
{
    const float *window = x + s->top * s->w + s->left;
    const int threads = threads_for(s);
    if (s->q == s->height && s->r == s->width) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (ptrdiff_t p = 0; p < s->p; p++)
            copy_window(window + p * s->h * s->w, s->w, y + p * s->q * s->r, s->r, s->q, s->r);
        return 0;
    }
    axis rows, columns;
    void *memory = make_axes(s, &rows, &columns, fill_axis);
    float *buffers = malloc((size_t)threads * 2 * s->r * sizeof *buffers);
    const int ready = memory && buffers;
    const ptrdiff_t pieces = (s->q + ROWS - 1) / ROWS;
    if (ready) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (ptrdiff_t i = 0; i < s->p * pieces; i++) {
            const ptrdiff_t p = i / pieces, begin = i % pieces * ROWS, end = begin + ROWS < s->q ? begin + ROWS : s->q;
            forward_rows(window + p * s->h * s->w, y + p * s->q * s->r, s, &rows, &columns, begin, end,
                         buffers + omp_get_thread_num() * 2 * s->r);
        }
    }
    free(buffers);
    free(memory);
    return ready ? 0 : -1;
}

VECTORISED static void add_scaled(const float *from, float weight, float *to, ptrdiff_t count)
{
    for (ptrdiff_t j = 0; j < count; j++)
        to[j] += weight * from[j];
}

/* The gradient of one source row: gather the output rows that used it, then fold their columns. */
static void backward_row(const float *dy, float *dx, const interp_shape *s, const axis *rows, const axis *columns,
                         ptrdiff_t source, ptrdiff_t begin, ptrdiff_t end, float *buffer)
{
    memset(buffer, 0, (size_t)s->r * sizeof *buffer);
    for (ptrdiff_t i = begin; i < end; i++) {
        const float weight = (rows->low[i] == source ? 1.0f - rows->fraction[i] : 0.0f) +
                             (rows->high[i] == source ? rows->fraction[i] : 0.0f);
        add_scaled(dy + i * s->r, weight, buffer, s->r);
    }
    memset(dx, 0, (size_t)s->width * sizeof *dx);
    for (ptrdiff_t j = 0; begin < end && j < s->r; j++) {
        dx[columns->low[j]] += (1.0f - columns->fraction[j]) * buffer[j];
        dx[columns->high[j]] += columns->fraction[j] * buffer[j];
    }
}

/* For each source row the range first[k]..last[k]-1 of the output rows that read it. */
static void fill_readers(const axis *rows, ptrdiff_t height, ptrdiff_t q, int32_t *first, int32_t *last)
{
    for (ptrdiff_t k = 0; k < height; k++)
        first[k] = last[k] = 0;
    for (ptrdiff_t i = q - 1; i >= 0; i--)
        first[rows->low[i]] = first[rows->high[i]] = (int32_t)i;
    for (ptrdiff_t i = 0; i < q; i++)
        last[rows->low[i]] = last[rows->high[i]] = (int32_t)i + 1;
}

int interp_backward(const float *dy, float *dx, const interp_shape *s)
{
    const int threads = threads_for(s), copies = s->q == s->height && s->r == s->width;
    axis rows, columns;
    void *memory = make_axes(s, &rows, &columns, fill_axis);
    int32_t *readers = malloc((size_t)s->height * 2 * sizeof *readers);
    float *buffers = malloc((size_t)threads * s->r * sizeof *buffers);
    const int ready = memory && readers && buffers;
    if (ready) {
        fill_readers(&rows, s->height, s->q, readers, readers + s->height);
#pragma omp parallel for schedule(static) num_threads(threads)
        for (ptrdiff_t i = 0; i < s->p * s->h; i++) {
            const ptrdiff_t p = i / s->h, k = i % s->h - s->top;
            const float *gradient = dy + p * s->q * s->r;
            float *row = dx + i * s->w, *inside = row + s->left;
            if (k < 0 || k >= s->height) {
                memset(row, 0, (size_t)s->w * sizeof *row);
                continue;
            }
            memset(row, 0, (size_t)s->left * sizeof *row);
            memset(inside + s->width, 0, (size_t)(s->w - s->left - s->width) * sizeof *row);
            if (copies)
                memcpy(inside, gradient + k * s->r, (size_t)s->width * sizeof *row);
            else
                backward_row(gradient, inside, s, &rows, &columns, k, readers[k], readers[s->height + k],
                             buffers + omp_get_thread_num() * s->r);
        }
    }
    free(buffers);
    free(readers);
    free(memory);
    return ready ? 0 : -1;
}

int interp_nearest_forward(const float *x, float *y, const interp_shape *s)
{
    axis rows, columns;
    void *memory = make_axes(s, &rows, &columns, fill_nearest);
    const int threads = threads_for(s);
    if (!memory)
        return -1;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (ptrdiff_t i = 0; i < s->p * s->q; i++) {
        const float *row = x + (i / s->q * s->h + s->top + rows.low[i % s->q]) * s->w + s->left;
        for (ptrdiff_t j = 0; j < s->r; j++)
            y[i * s->r + j] = row[columns.low[j]];
    }
    free(memory);
    return 0;
}
