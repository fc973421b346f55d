#include "conv_pictures.h"

#include <omp.h>

#include "scratch.h"

static ptrdiff_t units_of(const Picture *picture, ptrdiff_t unit) { return parts_of(picture->window.positions, unit); }

Queue queue_strips(const Pictures *pictures, ptrdiff_t parts, ptrdiff_t unit, ptrdiff_t widest)
{
    Queue queue = {.pictures = pictures, .parts = parts, .unit = unit, .widest = widest};
    for (ptrdiff_t i = 0; i < pictures->count; i++)
        queue.units += pictures->all[i].batch * parts * units_of(pictures->all + i, unit);
    return queue;
}

static int take(Queue *queue, Strip *strip)
{
    const ptrdiff_t left = queue->units - queue->taken;
    if (left == 0)
        return 0;
    const Picture *picture = queue->pictures->all;
    ptrdiff_t first = queue->taken, units = units_of(picture, queue->unit);
    while (first >= picture->batch * queue->parts * units) {
        first -= picture->batch * queue->parts * units;
        units = units_of(++picture, queue->unit);
    }
    const ptrdiff_t begin = first % units, fair = parts_of(left, omp_get_num_threads());
    const ptrdiff_t count = least(units - begin, least(queue->widest, fair));
    queue->taken += count;
    *strip = (Strip){picture, first / units, begin * queue->unit,
                     least((begin + count) * queue->unit, picture->window.positions)};
    return 1;
}

int take_strip(Queue *queue, Strip *strip)
{
    int taken;
#pragma omp critical(take_strip)
    taken = take(queue, strip);
    return taken;
}

ptrdiff_t widest_strip(const Pictures *pictures, ptrdiff_t unit, ptrdiff_t limit)
{
    ptrdiff_t widest = 0;
    for (ptrdiff_t i = 0; i < pictures->count; i++)
        widest = most(widest, units_of(pictures->all + i, unit));
    return least(widest, limit);
}
