#include "winograd_lines.h"

#include <string.h>

#include "simd.h"

static void read_line(const Plan *plan, const float *row, float *line)
{
    if (plan->problem->x.rate == 1) {
        memcpy(line + plan->in[0].at, row + plan->in[0].pixel, plan->ins * sizeof(float));
        return;
    }
    for (ptrdiff_t i = 0; i < plan->ins; i++)
        line[plan->in[i].at] = row[plan->in[i].pixel];
}

void read_lines(const Plan *plan, const float *images, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t count, float *plane)
{
    const Winograd *p = plan->problem;
    for (ptrdiff_t r = first; r < first + count; r++) {
        const float *image = images + (r / p->y.tiles * p->channels + channel) * p->y.size * p->x.size;
        const ptrdiff_t top = plan->row_output[r % p->y.tiles] - p->y.pad;
        for (ptrdiff_t i = 0; i < plan->n; i++, plane += plan->line_in) {
            const ptrdiff_t y = top + i * p->y.rate;
            if (y < 0 || y >= p->y.size || !plan->ins)
                memset(plane, 0, plan->line_in * sizeof(float));
            else
                read_line(plan, image + y * p->x.size, plane);
        }
    }
}

VECTORISED static void write_row(const float *line, float *row, ptrdiff_t n, float bias, int relu, float slope)
{
    if (relu)
        for (ptrdiff_t i = 0; i < n; i++)
            row[i] = rectified(line[i] + bias, slope);
    else
        for (ptrdiff_t i = 0; i < n; i++)
            row[i] = line[i] + bias;
}

static void write_line(const Plan *plan, const float *line, Epilogue epilogue, float bias, float *row)
{
    if (plan->problem->x.rate == 1) {
        write_row(line, row, plan->problem->x.out, bias, epilogue.relu, epilogue.slope);
        return;
    }
    for (ptrdiff_t i = 0; i < plan->outs; i++) {
        const float value = line[plan->out[i].at] + bias;
        row[plan->out[i].pixel] = epilogue.relu ? rectified(value, epilogue.slope) : value;
    }
}

void write_lines(const Plan *plan, const float *plane, Epilogue epilogue, ptrdiff_t output, ptrdiff_t first, ptrdiff_t count,
                 float *images)
{
    const Winograd *p = plan->problem;
    const float bias = epilogue.bias ? epilogue.bias[output] : 0.0f;
    for (ptrdiff_t r = first; r < first + count; r++, plane += plan->m * plan->line_out) {
        float *image = images + (r / p->y.tiles * p->outputs + output) * p->y.out * p->x.out;
        const ptrdiff_t top = plan->row_output[r % p->y.tiles];
        for (ptrdiff_t i = 0; i < plan->m && top + i * p->y.rate < p->y.out; i++)
            write_line(plan, plane + i * plan->line_out, epilogue, bias, image + (top + i * p->y.rate) * p->x.out);
    }
}
