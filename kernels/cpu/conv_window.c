#include "conv_window.h"

#include <string.h>

#include "simd.h"

void window_finish(Window *window)
{
    window->pixels = window->positions = window->taps = window->single = 1;
    for (int a = 0; a < window->axes; a++) {
        window->pixels *= window->image[a];
        window->positions *= window->out[a];
        window->taps *= window->kernel[a];
        window->single &= window->kernel[a] == 1 && window->stride[a] == 1 && window->pad[a] == 0;
    }
}

VECTORISED static void add_line(float *restrict image, const float *restrict column, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        image[i] += column[i];
}

VECTORISED static void take_strided(float *restrict column, const float *restrict line, ptrdiff_t n, ptrdiff_t stride)
{
    if (stride == 2)
        for (ptrdiff_t i = 0; i < n; i++)
            column[i] = line[2 * i];
    else
        for (ptrdiff_t i = 0; i < n; i++)
            column[i] = line[stride * i];
}

/* A run along the last axis: column[j] belongs to line[start + j * stride] where that is inside 0..size. */
static inline void copy_run(const float *line, ptrdiff_t size, ptrdiff_t start, ptrdiff_t stride, ptrdiff_t count,
                            float *column, float *sums)
{
    ptrdiff_t first = start < 0 ? (stride - 1 - start) / stride : 0;
    ptrdiff_t last = start < size ? (size - start + stride - 1) / stride : 0;
    first = first < count ? first : count;
    last = last < count ? last : count;
    last = last > first ? last : first;
    if (sums) {
        if (stride == 1)
            add_line(sums + start + first, column + first, last - first);
        else
            for (ptrdiff_t j = first; j < last; j++)
                sums[start + j * stride] += column[j];
        return;
    }
    memset(column, 0, (size_t)first * sizeof *column);
    if (stride == 1)
        memcpy(column + first, line + start + first, (size_t)(last - first) * sizeof *column);
    else
        take_strided(column + first, line + start + first * stride, last - first, stride);
    memset(column + last, 0, (size_t)(count - last) * sizeof *column);
}

/* One row of the columns: from the plane to the column, or, with sums, from the column to the sums. */
static void copy_row(const Window *window, ptrdiff_t tap, const float *plane, float *column, float *sums, ptrdiff_t begin,
                     ptrdiff_t end)
{
    const int last = window->axes - 1;
    ptrdiff_t offset[MAX_AXES], index[MAX_AXES], position = begin;
    for (int a = last; a >= 0; a--) {
        offset[a] = tap % window->kernel[a] * window->dilation[a] - window->pad[a];
        tap /= window->kernel[a];
        index[a] = position % window->out[a];
        position /= window->out[a];
    }
    while (begin < end) {
        ptrdiff_t count = window->out[last] - index[last];
        count = count < end - begin ? count : end - begin;
        ptrdiff_t line = 0;
        int inside = 1;
        for (int a = 0; a < last; a++) {
            const ptrdiff_t i = index[a] * window->stride[a] + offset[a];
            inside &= i >= 0 && i < window->image[a];
            line = line * window->image[a] + i;
        }
        const ptrdiff_t start = index[last] * window->stride[last] + offset[last];
        line *= window->image[last];
        if (inside)
            copy_run(sums ? NULL : plane + line, window->image[last], start, window->stride[last], count, column,
                     sums ? sums + line : NULL);
        else if (!sums)
            memset(column, 0, (size_t)count * sizeof *column);
        begin += count;
        column += count;
        index[last] = 0;
        for (int a = last - 1; a >= 0 && ++index[a] == window->out[a]; a--)
            index[a] = 0;
    }
}

void im2col_part(const Window *window, const float *image, float *columns, ptrdiff_t ld, Part part)
{
    for (ptrdiff_t row = part.row_begin; row < part.row_end; row++, columns += ld)
        copy_row(window, row % window->taps, image + row / window->taps * window->pixels, columns, NULL, part.begin,
                 part.end);
}

void col2im_part(const Window *window, const float *columns, ptrdiff_t ld, float *image, Part part)
{
    for (ptrdiff_t row = part.row_begin; row < part.row_end; row++, columns += ld)
        copy_row(window, row % window->taps, NULL, (float *)columns, image + row / window->taps * window->pixels,
                 part.begin, part.end);
}

void im2col_threads(const Window *window, ptrdiff_t channels, const float *image, float *columns)
{
    const ptrdiff_t rows = channels * window->taps, positions = window->positions;
#pragma omp parallel for schedule(static) if (rows * positions > 32768)
    for (ptrdiff_t row = 0; row < rows; row++)
        im2col_part(window, image, columns + row * positions, positions, (Part){row, row + 1, 0, positions});
}

void col2im_threads(const Window *window, ptrdiff_t channels, const float *columns, float *image)
{
    const ptrdiff_t taps = window->taps, positions = window->positions;
#pragma omp parallel for schedule(static) if (channels * taps * positions > 32768)
    for (ptrdiff_t channel = 0; channel < channels; channel++)
        col2im_part(window, columns + channel * taps * positions, positions, image,
                    (Part){channel * taps, (channel + 1) * taps, 0, positions});
}
