#include "image_resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define WEIGHT_ONE 2048.0f

/* One output index of an axis: the two source indices and the share of the second. */
typedef struct {
    ptrdiff_t low, high;
    float fraction;
} Tap;

static ptrdiff_t clip(ptrdiff_t index, ptrdiff_t size)
{
    return index < 0 ? 0 : index >= size ? size - 1 : index;
}

/* Columns lose their fraction outside the image; rows keep it (both their indices are clipped). */
static void fill_taps(Tap *taps, ptrdiff_t size, ptrdiff_t new_size, int drop_fraction)
{
    const double scale = 1.0 / ((double)new_size / (double)size);
    for (ptrdiff_t i = 0; i < new_size; i++) {
        const float position = (float)(((double)i + 0.5) * scale - 0.5);
        const float below = floorf(position);
        const ptrdiff_t index = (ptrdiff_t)below;
        const int outside = index < 0 || index >= size - 1;
        taps[i].low = clip(index, size);
        taps[i].high = clip(index + 1, size);
        taps[i].fraction = drop_fraction && outside ? 0.0f : position - below;
    }
}

static int32_t fixed_point(float weight)
{
    return (int32_t)lrintf(weight * WEIGHT_ONE);
}

/* Two horizontally resized source rows, kept from one output row to the next. */
#define ROW_PAIR(type)                                                               \
    typedef struct {                                                                 \
        type *row[2];                                                                \
        ptrdiff_t index[2];                                                          \
    } type##_pair;

typedef float real;
ROW_PAIR(int32_t)
ROW_PAIR(real)

static void stretch_bytes(const uint8_t *x, const Tap *taps, const int32_t *weights, ptrdiff_t new_width,
                          ptrdiff_t channels, int32_t *out)
{
    for (ptrdiff_t j = 0; j < new_width; j++) {
        const uint8_t *low = x + taps[j].low * channels, *high = x + taps[j].high * channels;
        const int32_t a0 = weights[2 * j], a1 = weights[2 * j + 1];
        for (ptrdiff_t c = 0; c < channels; c++)
            *out++ = low[c] * a0 + high[c] * a1;
    }
}

VECTORISED static void blend_bytes(const int32_t *s0, const int32_t *s1, int32_t b0, int32_t b1, uint8_t *y, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = (uint8_t)((((b0 * (s0[i] >> 4)) >> 16) + ((b1 * (s1[i] >> 4)) >> 16) + 2) >> 2);
}

static void stretch_floats(const float *x, const Tap *taps, ptrdiff_t new_width, ptrdiff_t channels, float *out)
{
    for (ptrdiff_t j = 0; j < new_width; j++) {
        const float *low = x + taps[j].low * channels, *high = x + taps[j].high * channels;
        const float a1 = taps[j].fraction, a0 = 1.0f - a1;
        for (ptrdiff_t c = 0; c < channels; c++)
            *out++ = low[c] * a0 + high[c] * a1;
    }
}

VECTORISED static void blend_floats(const float *s0, const float *s1, float b1, float *y, ptrdiff_t n)
{
    const float b0 = 1.0f - b1;
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = s0[i] * b0 + s1[i] * b1;
}

/* The slot (0 or 1) that holds source row `wanted`, or, if neither does, the one to overwrite (not `other`). */
static int slot_for(const ptrdiff_t index[2], ptrdiff_t wanted, ptrdiff_t other)
{
    if (index[0] == wanted)
        return 0;
    if (index[1] == wanted)
        return 1;
    return index[0] == other ? 1 : 0;
}

VECTORISED static void halve_bytes(const uint8_t *x, ptrdiff_t channels, uint8_t *y, ptrdiff_t new_height, ptrdiff_t new_width)
{
    const ptrdiff_t line = 2 * new_width * channels;
    for (ptrdiff_t i = 0; i < new_height; i++) {
        const uint8_t *upper = x + 2 * i * line, *lower = upper + line;
        for (ptrdiff_t j = 0; j < new_width; j++)
            for (ptrdiff_t c = 0; c < channels; c++) {
                const ptrdiff_t k = 2 * j * channels + c;
                *y++ = (uint8_t)((upper[k] + upper[k + channels] + lower[k] + lower[k + channels] + 2) >> 2);
            }
    }
}

int resize_bilinear_bytes(const uint8_t *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                          uint8_t *y, ptrdiff_t new_height, ptrdiff_t new_width)
{
    if (height == 2 * new_height && width == 2 * new_width) {
        halve_bytes(x, channels, y, new_height, new_width);
        return 1;
    }
    const ptrdiff_t line = new_width * channels;
    Tap *taps = malloc((size_t)(new_height + new_width) * sizeof *taps);
    int32_t *weights = malloc((size_t)(2 * new_width + 2 * line) * sizeof *weights);
    if (taps && weights) {
        Tap *vertical = taps + new_width;
        fill_taps(taps, width, new_width, 1);
        fill_taps(vertical, height, new_height, 0);
        for (ptrdiff_t j = 0; j < new_width; j++) {
            weights[2 * j] = fixed_point(1.0f - taps[j].fraction);
            weights[2 * j + 1] = fixed_point(taps[j].fraction);
        }
        int32_t_pair pair = {{weights + 2 * new_width, weights + 2 * new_width + line}, {-1, -1}};
        for (ptrdiff_t i = 0; i < new_height; i++) {
            int slots[2];
            for (int side = 0; side < 2; side++) {
                const ptrdiff_t wanted = side ? vertical[i].high : vertical[i].low;
                const int slot = slots[side] = slot_for(pair.index, wanted, side ? vertical[i].low : vertical[i].high);
                if (pair.index[slot] != wanted) {
                    stretch_bytes(x + wanted * width * channels, taps, weights, new_width, channels, pair.row[slot]);
                    pair.index[slot] = wanted;
                }
            }
            blend_bytes(pair.row[slots[0]], pair.row[slots[1]], fixed_point(1.0f - vertical[i].fraction),
                        fixed_point(vertical[i].fraction), y + i * line, line);
        }
    }
    const int done = taps && weights;
    free(taps);
    free(weights);
    return done;
}

int resize_bilinear_floats(const float *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                           float *y, ptrdiff_t new_height, ptrdiff_t new_width)
{
    const ptrdiff_t line = new_width * channels;
    Tap *taps = malloc((size_t)(new_height + new_width) * sizeof *taps);
    float *rows = malloc((size_t)(2 * line) * sizeof *rows);
    if (taps && rows) {
        Tap *vertical = taps + new_width;
        fill_taps(taps, width, new_width, 1);
        fill_taps(vertical, height, new_height, 0);
        real_pair pair = {{rows, rows + line}, {-1, -1}};
        for (ptrdiff_t i = 0; i < new_height; i++) {
            int slots[2];
            for (int side = 0; side < 2; side++) {
                const ptrdiff_t wanted = side ? vertical[i].high : vertical[i].low;
                const int slot = slots[side] = slot_for(pair.index, wanted, side ? vertical[i].low : vertical[i].high);
                if (pair.index[slot] != wanted) {
                    stretch_floats(x + wanted * width * channels, taps, new_width, channels, pair.row[slot]);
                    pair.index[slot] = wanted;
                }
            }
            blend_floats(pair.row[slots[0]], pair.row[slots[1]], vertical[i].fraction, y + i * line, line);
        }
    }
    const int done = taps && rows;
    free(taps);
    free(rows);
    return done;
}

/* One channel of one line; values are taken from a table of the 256 possible results. */
static void line_to_blob(const uint8_t *pixels, ptrdiff_t step, const float *table, float *out, ptrdiff_t n, int mirror)
{
    if (mirror)
        for (ptrdiff_t j = 0; j < n; j++)
            out[-j] = table[pixels[j * step]];
    else
        for (ptrdiff_t j = 0; j < n; j++)
            out[j] = table[pixels[j * step]];
}

void window_to_blob(const uint8_t *image, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const double *mean,
                    float *blob, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, ptrdiff_t column,
                    int mirror, int reverse, float scale)
{
    const ptrdiff_t inside_rows = height - row < rows ? height - row : rows;
    const ptrdiff_t inside_columns = width - column < columns ? width - column : columns;
    if (inside_rows < rows || inside_columns < columns)
        memset(blob, 0, (size_t)(channels * rows * columns) * sizeof *blob);
    for (ptrdiff_t c = 0; c < channels; c++) {
        float table[256];
        for (int v = 0; v < 256; v++)
            table[v] = (float)((v - mean[c]) * (double)scale);
        const uint8_t *first = image + (row * width + column) * channels + (reverse ? channels - 1 - c : c);
        for (ptrdiff_t i = 0; i < inside_rows; i++)
            line_to_blob(first + i * width * channels, channels, table,
                         blob + (c * rows + i) * columns + (mirror ? columns - 1 : 0), inside_columns, mirror);
    }
}
