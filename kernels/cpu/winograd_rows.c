#include "winograd_rows.h"

#include <string.h>

#include "scratch.h"
#include "simd.h"

static ptrdiff_t lay_out(Rows *rows, float *memory)
{
    const Winograd *p = rows->problem;
    ptrdiff_t used = 0;
    rows->row_output = place(memory, &used, p->y.tiles);
    rows->column_output = place(memory, &used, p->x.tiles);
    return used;
}

ptrdiff_t rows_room(const Winograd *problem)
{
    Rows rows = {.problem = problem};
    return lay_out(&rows, NULL);
}

Rows rows_in(const Winograd *problem, float *memory)
{
    const Axis *x = &problem->x;
    const ptrdiff_t m = x->m, n = m + 2;
    Rows rows = {.problem = problem, .m = m, .n = n, .values = n * n};
    rows.size_in = most(x->pad + x->size, x->out + x->rate * (n - 1)) + 8;
    rows.size_out = x->out + x->rate * (m - 1) + 8;
    lay_out(&rows, memory);
    if (memory) {
        tile_outputs(&problem->y, rows.row_output);
        tile_outputs(x, rows.column_output);
    }
    return rows;
}

/* Fetch the next channel meanwhile. */
static void read_row(const float *row, const float *next, ptrdiff_t count, float *to)
{
    for (ptrdiff_t i = 0; i < count; i += LINE)
        __builtin_prefetch(next + i);
    memcpy(to, row, count * sizeof(float));
}

void read_rows(const Rows *rows, const float *images, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count, float *plane)
{
    const Winograd *p = rows->problem;
    for (ptrdiff_t r = first; r < first + count; r++) {
        const float *image = images + (r / p->y.tiles * p->channels + channel) * p->y.size * p->x.size;
        const ptrdiff_t top = rows->row_output[r % p->y.tiles] - p->y.pad;
        for (ptrdiff_t i = 0; i < rows->n; i++, plane += rows->size_in) {
            const ptrdiff_t y = top + i * p->y.rate;
            const float *row = image + y * p->x.size;
            if (y < 0 || y >= p->y.size)
                memset(plane + p->x.pad, 0, p->x.size * sizeof(float));
            else
                read_row(row, row + p->y.size * p->x.size, p->x.size, plane + p->x.pad);
        }
    }
}

VECTORISED static void write_row(const float *from, float *row, ptrdiff_t n, float bias, int relu, float slope)
{
    if (relu)
        for (ptrdiff_t i = 0; i < n; i++)
            row[i] = rectified(from[i] + bias, slope);
    else
        for (ptrdiff_t i = 0; i < n; i++)
            row[i] = from[i] + bias;
}

void write_rows(const Rows *rows, const float *plane, Epilogue epilogue, ptrdiff_t output, ptrdiff_t first, ptrdiff_t count,
                float *images)
{
    const Winograd *p = rows->problem;
    const float bias = epilogue.bias ? epilogue.bias[output] : 0.0f;
    for (ptrdiff_t r = first; r < first + count; r++, plane += rows->m * rows->size_out) {
        float *image = images + (r / p->y.tiles * p->outputs + output) * p->y.out * p->x.out;
        const ptrdiff_t top = rows->row_output[r % p->y.tiles];
        for (ptrdiff_t i = 0; i < rows->m && top + i * p->y.rate < p->y.out; i++)
            write_row(plane + i * rows->size_out, image + (top + i * p->y.rate) * p->x.out, p->x.out, bias, epilogue.relu,
                      epilogue.slope);
    }
}
