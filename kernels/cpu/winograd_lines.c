#include "winograd_lines.h"

#include <string.h>

static ptrdiff_t lay_out(Lines *lines, float *memory)
{
    const Winograd *p = lines->problem;
    ptrdiff_t used = 0;
    lines->row_output = place(memory, &used, p->y.tiles);
    lines->column_at = place(memory, &used, p->x.tiles);
    lines->in = place(memory, &used, 2 * p->x.size);
    lines->out = place(memory, &used, 2 * p->x.out);
    return used;
}

ptrdiff_t lines_room(const Winograd *problem)
{
    Lines lines = {.problem = problem};
    return lay_out(&lines, NULL);
}

Lines lines_in(const Winograd *problem, float *memory)
{
    const ptrdiff_t m = problem->y.m, n = m + 2;
    Lines lines = {.problem = problem, .m = m, .n = n, .values = n * n};
    lines.size_in = input_line_size(&problem->x);
    lines.size_out = output_line_size(&problem->x);
    lay_out(&lines, memory);
    if (memory) {
        tile_outputs(&problem->y, lines.row_output);
        tile_inputs(&problem->x, lines.column_at);
        lines.ins = input_places(&problem->x, lines.in);
        lines.outs = output_places(&problem->x, lines.out);
    }
    return lines;
}

static void read_line(const Place *places, ptrdiff_t count, ptrdiff_t rate, const float *row, float *line)
{
    if (rate == 1 && count)
        memcpy(line + places[0].at, row + places[0].pixel, count * sizeof(float));
    else
        for (ptrdiff_t i = 0; i < count; i++)
            line[places[i].at] = row[places[i].pixel];
}

void read_lines(const Lines *lines, const float *images, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count, float *plane)
{
    const Winograd *p = lines->problem;
    for (ptrdiff_t r = first; r < first + count; r++) {
        const float *image = images + (r / p->y.tiles * p->channels + channel) * p->y.size * p->x.size;
        const ptrdiff_t top = lines->row_output[r % p->y.tiles] - p->y.pad;
        for (ptrdiff_t i = 0; i < lines->n; i++, plane += lines->size_in) {
            const ptrdiff_t y = top + i * p->y.rate;
            if (y < 0 || y >= p->y.size)
                memset(plane, 0, lines->size_in * sizeof(float));
            else
                read_line(lines->in, lines->ins, p->x.rate, image + y * p->x.size, plane);
        }
    }
}

void read_output_lines(const Lines *lines, const float *gradients, ptrdiff_t output, ptrdiff_t first, ptrdiff_t count,
                       float *plane)
{
    const Winograd *p = lines->problem;
    for (ptrdiff_t r = first; r < first + count; r++) {
        const float *image = gradients + (r / p->y.tiles * p->outputs + output) * p->y.out * p->x.out;
        const ptrdiff_t top = lines->row_output[r % p->y.tiles];
        for (ptrdiff_t i = 0; i < lines->m; i++, plane += lines->size_out) {
            const ptrdiff_t y = top + i * p->y.rate;
            if (y >= p->y.out)
                memset(plane, 0, lines->size_out * sizeof(float));
            else
                read_line(lines->out, lines->outs, p->x.rate, image + y * p->x.out, plane);
        }
    }
}
