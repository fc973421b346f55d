#include "winograd_rows.h"

#include <string.h>

#include "scratch.h"
#include "simd.h"

Rows rows_of(Batch *batches, ptrdiff_t count)
{
    const ptrdiff_t m = batches->problem.y.m, n = m + 2;
    Rows rows = {.batches = batches, .count = count, .m = m, .n = n, .values = n * n};
    for (Batch *batch = batches; batch < batches + count; batch++) {
        const Axis *x = &batch->problem.x;
        batch->first_row = rows.all;
        batch->rows = batch->problem.batch * batch->problem.y.tiles;
        rows.all += batch->rows;
        rows.tiles += batch->rows * x->tiles;
        rows.widest = most(rows.widest, x->tiles);
        rows.size_in = most(rows.size_in, most(x->pad + x->size, x->out + x->rate * (n - 1)) + 8);
        rows.size_out = most(rows.size_out, x->out + x->rate * (m - 1) + 8);
    }
    return rows;
}

ptrdiff_t place_rows(const Rows *rows, float *memory)
{
    ptrdiff_t used = 0;
    for (Batch *batch = rows->batches; batch < rows->batches + rows->count; batch++) {
        const Winograd *p = &batch->problem;
        batch->row_output = place(memory, &used, p->y.tiles);
        batch->column_output = place(memory, &used, p->x.tiles);
        if (memory) {
            tile_outputs(&p->y, batch->row_output);
            tile_outputs(&p->x, batch->column_output);
        }
    }
    return used;
}

Span rows_in(const Batch *batch, Span some)
{
    const ptrdiff_t begin = most(some.begin - batch->first_row, 0);
    const ptrdiff_t end = least(some.begin + some.count - batch->first_row, batch->rows);
    return (Span){begin, most(end - begin, 0)};
}

Span next_rows(const Rows *rows, ptrdiff_t begin, ptrdiff_t tiles)
{
    Span next = {begin, 0};
    for (const Batch *batch = rows->batches; batch < rows->batches + rows->count; batch++) {
        const Span rest = rows_in(batch, (Span){begin, rows->all - begin});
        const ptrdiff_t some = least(rest.count, tiles / batch->problem.x.tiles);
        next.count += some;
        tiles -= some * batch->problem.x.tiles;
        if (some < rest.count)
            break;
    }
    return (Span){begin, most(next.count, 1)};
}

ptrdiff_t tiles_in(const Rows *rows, Span some)
{
    ptrdiff_t tiles = 0;
    for (const Batch *batch = rows->batches; batch < rows->batches + rows->count; batch++)
        tiles += rows_in(batch, some).count * batch->problem.x.tiles;
    return tiles;
}

/* Fetch the next channel meanwhile. */
static void read_row(const float *row, const float *next, ptrdiff_t count, float *to)
{
    for (ptrdiff_t i = 0; i < count; i += LINE)
        __builtin_prefetch(next + i);
    memcpy(to, row, count * sizeof(float));
}

static float *read_batch(const Rows *rows, const Batch *batch, Span some, ptrdiff_t channel, float *plane)
{
    const Winograd *p = &batch->problem;
    for (ptrdiff_t r = some.begin; r < some.begin + some.count; r++) {
        const float *image = batch->images + (r / p->y.tiles * p->channels + channel) * p->y.size * p->x.size;
        const ptrdiff_t top = batch->row_output[r % p->y.tiles] - p->y.pad;
        for (ptrdiff_t i = 0; i < rows->n; i++, plane += rows->size_in) {
            const ptrdiff_t y = top + i * p->y.rate;
            const float *row = image + y * p->x.size;
            if (y < 0 || y >= p->y.size)
                memset(plane + p->x.pad, 0, p->x.size * sizeof(float));
            else
                read_row(row, row + p->y.size * p->x.size, p->x.size, plane + p->x.pad);
        }
    }
    return plane;
}

void read_rows(const Rows *rows, Span some, ptrdiff_t channel, float *plane)
{
    for (const Batch *batch = rows->batches; batch < rows->batches + rows->count; batch++)
        plane = read_batch(rows, batch, rows_in(batch, some), channel, plane);
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

static const float *write_batch(const Rows *rows, const Batch *batch, Span some, const float *plane, Epilogue epilogue,
                                ptrdiff_t output)
{
    const Winograd *p = &batch->problem;
    const float bias = epilogue.bias ? epilogue.bias[output] : 0.0f;
    for (ptrdiff_t r = some.begin; r < some.begin + some.count; r++, plane += rows->m * rows->size_out) {
        float *map = batch->maps + (r / p->y.tiles * p->outputs + output) * p->y.out * p->x.out;
        const ptrdiff_t top = batch->row_output[r % p->y.tiles];
        for (ptrdiff_t i = 0; i < rows->m && top + i * p->y.rate < p->y.out; i++)
            write_row(plane + i * rows->size_out, map + (top + i * p->y.rate) * p->x.out, p->x.out, bias, epilogue.relu,
                      epilogue.slope);
    }
    return plane;
}

void write_rows(const Rows *rows, Span some, const float *plane, Epilogue epilogue, ptrdiff_t output)
{
    for (const Batch *batch = rows->batches; batch < rows->batches + rows->count; batch++)
        plane = write_batch(rows, batch, rows_in(batch, some), plane, epilogue, output);
}
