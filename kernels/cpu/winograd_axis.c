#include "winograd_axis.h"

#include "scratch.h"

static ptrdiff_t tiles_of_phase(const Axis *axis, ptrdiff_t phase)
{
    return parts_of(parts_of(axis->out - phase, axis->rate), axis->m);
}

Axis axis_of(ptrdiff_t size, ptrdiff_t out, ptrdiff_t pad, ptrdiff_t rate, ptrdiff_t m)
{
    Axis axis = {size, out, pad, rate, m, 0, rate < out ? rate : out};
    for (ptrdiff_t p = 0; p < axis.phases; p++)
        axis.tiles += tiles_of_phase(&axis, p);
    return axis;
}

ptrdiff_t input_line_size(const Axis *axis) { return axis->m * axis->tiles + 2 * axis->phases + 8; }

ptrdiff_t output_line_size(const Axis *axis) { return axis->m * axis->tiles + 8; }

void tile_outputs(const Axis *axis, int32_t *output)
{
    for (ptrdiff_t k = 0; k < tiles_of_phase(axis, 0); k++)
        for (ptrdiff_t p = 0; p < axis->phases && k < tiles_of_phase(axis, p); p++)
            *output++ = (int32_t)(p + axis->rate * axis->m * k);
}

void tile_inputs(const Axis *axis, int32_t *at)
{
    ptrdiff_t begin = 0;
    for (ptrdiff_t p = 0; p < axis->phases; p++, begin += 2)
        for (ptrdiff_t k = 0; k < tiles_of_phase(axis, p); k++, begin += axis->m)
            *at++ = (int32_t)begin;
}

/* Places of the samples origin + p + rate e of every phase p, e < m tiles + more, that lie in 0..size. */
static ptrdiff_t places_of(const Axis *axis, ptrdiff_t origin, ptrdiff_t more, ptrdiff_t size, Place *places)
{
    ptrdiff_t found = 0, begin = 0;
    for (ptrdiff_t p = 0; p < axis->phases; p++) {
        const ptrdiff_t count = axis->m * tiles_of_phase(axis, p) + more;
        for (ptrdiff_t e = 0; e < count; e++) {
            const ptrdiff_t pixel = origin + p + axis->rate * e;
            if (pixel >= 0 && pixel < size)
                places[found++] = (Place){(int32_t)(begin + e), (int32_t)pixel};
        }
        begin += count;
    }
    return found;
}

ptrdiff_t input_places(const Axis *axis, Place *places) { return places_of(axis, -axis->pad, 2, axis->size, places); }

ptrdiff_t output_places(const Axis *axis, Place *places) { return places_of(axis, 0, 0, axis->out, places); }
