#include <omp.h>
#include <string.h>

#include "gemm_tile.h"
#include "product.h"
#include "product_pack.h"
#include "scratch.h"

enum {
    TERMS = 512,            /* of a part, summed at a time */
    LEFT_AT_ONCE = 1 << 22, /* floats of the left factor that are packed at a time, unless one chunk has more */
    BLOCKS_AT_ONCE = 22,    /* of the left factor, which stay in a near cache while some panels are multiplied */
    GROUPS_AT_ONCE = 2,     /* of panels */
    ENOUGH_UNITS = 16,      /* of work, so that all threads have much the same */
    SUMS_AT_ONCE = 1 << 21, /* floats of the sums of several parts of the terms */
};

/* The rows of a factor: pixels of a channel, or what tap r / channels of every window sees of channel r % channels. */
typedef struct {
    const float *values;
    const Window *window;             /* NULL: pixels */
    ptrdiff_t channels, lines, plane; /* floats of a channel */
    ptrdiff_t place, step, tap_step;  /* row r belongs to dw[place + r % channels * step + r / channels * tap_step] */
} Side;

typedef struct {
    Side left, right;
    ptrdiff_t batch, pixels, width;       /* terms of an image, of a line of it */
    ptrdiff_t chunks_of_image, chunks;    /* terms are taken in chunks, none of which has pixels of two images */
    ptrdiff_t part;                       /* most terms of a part of a chunk */
    int halves, parts, products;          /* parts: halves of rows, columns and terms, or 1 */
    ptrdiff_t blocks, groups;             /* of BLOCK rows of each part of the left, of a panel of each part of the right */
    ptrdiff_t block_step, factor_step, chunk_step; /* of the packed left factor */
    ptrdiff_t panel_step, group_step;     /* of the packed right factor */
    ptrdiff_t sum_step, sums_step;        /* of a group's sums: of a product, of all */
    ptrdiff_t at_once, units, turn, shares; /* groups of a unit of work, units; chunks of a turn; parts of its chunks */
} Plan;

static ptrdiff_t place_in_gradient(const Side *side, ptrdiff_t row)
{
    return side->place + row % side->channels * side->step + row / side->channels * side->tap_step;
}

/* `columns` and `pixels` are the arrays that these are read from. */
static Plan make_plan(const Product *p, const float *columns, const float *pixels)
{
    const Window *w = &p->window;
    const ptrdiff_t taps = w->taps, inner = p->turned ? p->outputs : p->channels;
    const ptrdiff_t others = p->turned ? p->channels : p->outputs, output_step = p->channels * taps;
    const Side seen = {columns, w->single ? NULL : w, inner, inner * taps, w->pixels, p->turned ? taps - 1 : 0,
                       p->turned ? output_step : taps, p->turned ? -1 : 1};
    const Side plain = {pixels, NULL, others, others, w->positions, 0, p->turned ? taps : output_step, 0};
    Plan plan = {.batch = p->batch, .pixels = w->positions, .width = w->out[1], .halves = p->halves};
    plan.left = seen.lines <= plain.lines ? seen : plain;
    plan.right = seen.lines <= plain.lines ? plain : seen;
    plan.parts = plan.halves ? 2 : 1;
    plan.products = plan.halves ? PRODUCTS : 1;
    /* Rows of the left factor may be left out where their tap lies outside of the map for a whole chunk: few whole lines. */
    const ptrdiff_t terms = plan.parts * (plan.left.window && w->taps > 1 ? DEPTH : TERMS);
    const ptrdiff_t unit = plan.left.window && plan.width <= terms ? most(plan.width, 1) : 1;
    const ptrdiff_t units = most(1, plan.pixels / unit);
    plan.chunks_of_image = parts_of(units, terms / unit);
    plan.chunks = plan.batch * plan.chunks_of_image;
    plan.part = parts_of(parts_of(units, plan.chunks_of_image) * unit, plan.parts);
    plan.blocks = parts_of(plan.left.lines, BLOCK * plan.parts);
    plan.groups = parts_of(plan.right.lines, PANEL * plan.parts);
    const ptrdiff_t written = parts_of(plan.part, LANES) * LANES;
    plan.block_step = in_lines(written * BLOCK + LANES);
    plan.factor_step = plan.blocks * plan.block_step;
    plan.chunk_step = plan.products * plan.factor_step;
    plan.panel_step = (written + 1) * PANEL;
    plan.group_step = plan.products * plan.panel_step;
    plan.sum_step = plan.blocks * BLOCK * PANEL;
    plan.sums_step = plan.products * plan.sum_step;
    plan.at_once = most(1, least(GROUPS_AT_ONCE, plan.groups / ENOUGH_UNITS));
    plan.units = parts_of(plan.groups, plan.at_once);
    plan.turn = most(1, LEFT_AT_ONCE / most(1, plan.chunk_step));
    plan.turn = parts_of(plan.chunks, most(1, parts_of(plan.chunks, plan.turn)));
    plan.shares = least(parts_of(ENOUGH_UNITS, most(1, plan.units)), SUMS_AT_ONCE / most(1, plan.groups * plan.sums_step));
    plan.shares = most(1, least(plan.shares, plan.turn));
    return plan;
}

static ptrdiff_t line_size(const Plan *p) { return in_lines(p->parts * p->part + LANES); }
static ptrdiff_t lines_size(const Plan *p) { return p->parts * PANEL * line_size(p); }
static ptrdiff_t right_size(const Plan *p) { return p->at_once * p->group_step; }
static ptrdiff_t sums_size(const Plan *p)
{
    return (p->shares > 1 ? p->units * p->shares : omp_get_max_threads()) * p->at_once * p->sums_step;
}

typedef struct {
    float *left, *lines, *right, *sums, *nothing;
    char *outside;     /* of every block of a chunk: whether its rows are all zeros */
    ptrdiff_t *places; /* of the left factor's rows in dw */
} Memory;

static ptrdiff_t lay_out(const Plan *p, float *memory, Memory *m)
{
    const ptrdiff_t threads = omp_get_max_threads();
    ptrdiff_t used = 0;
    m->left = place(memory, &used, p->turn * p->chunk_step);
    m->lines = place(memory, &used, threads * lines_size(p));
    m->right = place(memory, &used, threads * right_size(p));
    m->sums = place(memory, &used, sums_size(p));
    m->nothing = place(memory, &used, line_size(p));
    m->places = place(memory, &used, parts_of(p->left.lines * sizeof(ptrdiff_t), sizeof(float)));
    m->outside = place(memory, &used, parts_of(p->turn * p->blocks, sizeof(float)));
    return used + LINE;
}

ptrdiff_t product_size(const Product *product)
{
    const Plan p = make_plan(product, NULL, NULL);
    Memory m;
    return lay_out(&p, NULL, &m);
}

/* Terms of one image. */
typedef struct {
    ptrdiff_t image, begin, end;
} Chunk;

static Chunk chunk_at(const Plan *p, ptrdiff_t number)
{
    const ptrdiff_t n = number % p->chunks_of_image, count = p->parts * p->part;
    return (Chunk){number / p->chunks_of_image, least(n * count, p->pixels), least((n + 1) * count, p->pixels)};
}

/* Row `row` of a factor in the chunk: in the array itself or in `line`. */
static const float *line_of(const Side *side, Chunk chunk, ptrdiff_t row, float *line)
{
    const float *image = side->values + chunk.image * side->channels * side->plane;
    if (!side->window)
        return image + row * side->plane + chunk.begin;
    const ptrdiff_t column = row % side->channels * side->window->taps + row / side->channels;
    im2col_part(side->window, image, line, 0, (Part){column, column + 1, chunk.begin, chunk.end});
    return line;
}

/* `count` rows of each part, the next part `step` rows further on; zeros beyond them. */
static Lines lines_from(const Plan *p, const Memory *m, const Side *side, Chunk chunk, ptrdiff_t first, ptrdiff_t count,
                        ptrdiff_t step)
{
    Lines lines = {.length = chunk.end - chunk.begin, .part = p->part};
    float *line = m->lines + omp_get_thread_num() * lines_size(p);
    for (ptrdiff_t i = 0; i < p->parts; i++, first += step)
        for (ptrdiff_t l = 0; l < PANEL; l++, line += line_size(p))
            lines.rows[i][l] = l < count && first + l < side->lines ? line_of(side, chunk, first + l, line) : m->nothing;
    return lines;
}

/* Whether tap `tap` of all windows of the chunk lies above or below of the map. */
static int lies_outside(const Window *w, Chunk chunk, ptrdiff_t tap)
{
    const ptrdiff_t at = tap / w->kernel[1] * w->dilation[0] - w->pad[0];
    return (chunk.end - 1) / w->out[1] * w->stride[0] + at < 0 || chunk.begin / w->out[1] * w->stride[0] + at >= w->image[0];
}

static int block_lies_outside(const Side *side, Chunk chunk, ptrdiff_t block)
{
    const ptrdiff_t last = least((block + 1) * BLOCK, side->lines) - 1;
    for (ptrdiff_t tap = block * BLOCK / side->channels; tap <= last / side->channels; tap++)
        if (!side->window || !lies_outside(side->window, chunk, tap))
            return 0;
    return 1;
}

static void pack_block(const Plan *p, const Memory *m, ptrdiff_t number, ptrdiff_t place_, ptrdiff_t block)
{
    const Chunk chunk = chunk_at(p, number);
    char *outside = m->outside + place_ * p->blocks + block;
    *outside = !p->halves && block_lies_outside(&p->left, chunk, block);
    if (*outside)
        return;
    const Lines lines = lines_from(p, m, &p->left, chunk, block * BLOCK, BLOCK, p->blocks * BLOCK);
    pack_left(p->halves, &lines, m->left + place_ * p->chunk_step + block * p->block_step, BLOCK, p->factor_step);
}

static void pack_panels(const Plan *p, const Memory *m, Chunk chunk, ptrdiff_t group, float *to)
{
    const Lines lines = lines_from(p, m, &p->right, chunk, group * p->parts * PANEL, PANEL, PANEL);
    pack_right(p->halves, &lines, to, PANEL, p->panel_step);
}

/* One chunk's share of the sums of some groups. */
static void multiply_chunk(const Plan *p, const Memory *m, PanelProduct multiply, ptrdiff_t place_, ptrdiff_t terms,
                           ptrdiff_t groups, const float *right, float *sums)
{
    const char *outside = m->outside + place_ * p->blocks;
    for (int product = 0; product < p->products; product++) {
        const float *left = m->left + place_ * p->chunk_step + product * p->factor_step;
        for (ptrdiff_t block = 0, end; block < p->blocks; block = end) {
            for (end = block; end < p->blocks && end < block + BLOCKS_AT_ONCE && !outside[end]; end++)
                ;
            for (ptrdiff_t g = 0; g < groups; g++)
                multiply(terms, end - block, left + block * p->block_step, BLOCK, p->block_step,
                         right + g * p->group_step + product * p->panel_step,
                         sums + g * p->sums_step + product * p->sum_step + block * BLOCK * PANEL, BLOCK * PANEL, 1);
            while (end < p->blocks && outside[end])
                end++;
        }
    }
}

/* A unit's sums over some chunks of a turn. */
static void multiply_unit(const Plan *p, const Memory *m, PanelProduct multiply, ptrdiff_t unit, ptrdiff_t first,
                          ptrdiff_t begin, ptrdiff_t end, float *sums)
{
    float *right = m->right + omp_get_thread_num() * right_size(p);
    const ptrdiff_t group = unit * p->at_once, groups = least(p->at_once, p->groups - group);
    memset(sums, 0, groups * p->sums_step * sizeof(float));
    for (ptrdiff_t i = begin; i < end; i++) {
        const Chunk chunk = chunk_at(p, first + i);
        for (ptrdiff_t g = 0; g < groups; g++)
            pack_panels(p, m, chunk, group + g, right + g * p->group_step);
        multiply_chunk(p, m, multiply, i, least(p->part, chunk.end - chunk.begin), groups, right, sums);
    }
}

/* dw += the sums of `rows` rows and `columns` columns from (row, column) on. */
static void add_sums(const Plan *p, const Memory *m, const float *sums, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column,
                     ptrdiff_t columns, float *dw)
{
    const ptrdiff_t *places = m->places + row;
    for (ptrdiff_t c = 0; c < columns && p->right.step > 1; c++) {
        float *to = dw + place_in_gradient(&p->right, column + c);
        for (ptrdiff_t r = 0; r < rows; r++)
            to[places[r]] += sums[r * PANEL + c];
    }
    for (ptrdiff_t r = 0; r < rows && p->right.step == 1; r++)
        for (ptrdiff_t c = 0; c < columns; c++)
            dw[places[r] + column + c] += sums[r * PANEL + c];
}

static void add_group(const Plan *p, const Memory *m, ptrdiff_t group, float *sums, float *dw)
{
    const ptrdiff_t height = p->blocks * BLOCK;
    if (p->halves)
        sum_products(sums, p->sum_step, p->sum_step);
    for (int i = 0; i < p->parts; i++)
        for (int j = 0; j < p->parts; j++) {
            const ptrdiff_t row = i * height, column = (group * p->parts + j) * PANEL;
            add_sums(p, m, sums + (p->parts * i + j) * p->sum_step, row, least(height, p->left.lines - row),
                     column, least(PANEL, p->right.lines - column), dw);
        }
}

static void add_shares(const Plan *p, const Memory *m, ptrdiff_t group, float *dw)
{
    const ptrdiff_t step = p->at_once * p->sums_step;
    float *sums = m->sums + group / p->at_once * p->shares * step + group % p->at_once * p->sums_step;
    for (ptrdiff_t s = 1; s < p->shares; s++)
        for (ptrdiff_t i = 0; i < p->sums_step; i++)
            sums[i] += sums[s * step + i];
    add_group(p, m, group, sums, dw);
}

void product_backward_weights(const Product *product, const float *image, const float *gradient, float *dw, float *scratch)
{
    const Plan plan = make_plan(product, product->turned ? gradient : image, product->turned ? image : gradient), *p = &plan;
    const PanelProduct multiply = panel_product();
    Memory memory, *m = &memory;
    lay_out(p, aligned(scratch), m);
    memset(m->nothing, 0, line_size(p) * sizeof(float));
    for (ptrdiff_t row = 0; row < p->left.lines; row++)
        m->places[row] = place_in_gradient(&p->left, row);
#pragma omp parallel
    for (ptrdiff_t first = 0; first < p->chunks; first += p->turn) {
        const ptrdiff_t count = least(p->turn, p->chunks - first);
#pragma omp for schedule(dynamic)
        for (ptrdiff_t unit = 0; unit < count * p->blocks; unit++)
            pack_block(p, m, first + unit / p->blocks, unit / p->blocks, unit % p->blocks);
#pragma omp for schedule(dynamic)
        for (ptrdiff_t unit = 0; unit < p->units * p->shares; unit++) {
            const ptrdiff_t share = unit % p->shares, own = p->shares > 1 ? unit : omp_get_thread_num();
            const ptrdiff_t begin = unit / p->shares * p->at_once, end = least(begin + p->at_once, p->groups);
            float *sums = m->sums + own * p->at_once * p->sums_step;
            multiply_unit(p, m, multiply, unit / p->shares, first, share * count / p->shares,
                          (share + 1) * count / p->shares, sums);
            for (ptrdiff_t group = begin; group < end && p->shares == 1; group++)
                add_group(p, m, group, sums + (group - begin) * p->sums_step, dw);
        }
#pragma omp for schedule(dynamic)
        for (ptrdiff_t group = 0; group < (p->shares > 1 ? p->groups : 0); group++)
            add_shares(p, m, group, dw);
    }
}
