#include "crf_fused.h"
#include "crf_strips.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "crf_beliefs.h"
#include "crf_shares.h"
#include "simd.h"

/* Numbers a strip's vertices as met; met[i] is the vertex of row i. place[] is -1 before and after. */
static int32_t number_rows(const int32_t *vertex, ptrdiff_t entries, int32_t *place, int32_t *row, int32_t *met)
{
    int32_t count = 0;
    for (ptrdiff_t e = 0; e < entries; e++) {
        const int32_t v = vertex[e];
        if (place[v] < 0) {
            met[count] = v;
            place[v] = count++;
        }
        row[e] = place[v];
    }
    for (int32_t i = 0; i < count; i++)
        place[met[i]] = -1;
    return count;
}

int crf_strips(const int32_t *vertex, ptrdiff_t n, int t, ptrdiff_t vertices, int32_t *row, ptrdiff_t strips,
               int32_t *first, int32_t *start, int32_t *member)
{
    int32_t *met = malloc((size_t)(n * t) * sizeof(int32_t) + 1);
    int failed = met ? 0 : -1;
    first[0] = 0;
    if (!failed) {
#pragma omp parallel reduction(min : failed) if (n > 16384)
        {
            int32_t *place = malloc((size_t)vertices * sizeof(int32_t) + 1);
            failed = place ? 0 : -1;
            if (place)
                memset(place, 0xFF, (size_t)vertices * sizeof(int32_t));
#pragma omp for schedule(dynamic, 1)
            for (ptrdiff_t s = 0; s < strips; s++) {
                const ptrdiff_t begin = n * s / strips * t, end = n * (s + 1) / strips * t;
                if (place)
                    first[s + 1] = number_rows(vertex + begin, end - begin, place, row + begin, met + begin);
            }
            free(place);
        }
    }
    if (failed) {
        free(met);
        return failed;
    }
    for (ptrdiff_t s = 0; s < strips; s++)
        first[s + 1] += first[s];
#pragma omp parallel for schedule(dynamic, 1) if (n > 16384)
    for (ptrdiff_t s = 1; s < strips; s++)
        for (ptrdiff_t e = n * s / strips * t; e < n * (s + 1) / strips * t; e++)
            row[e] += first[s];
    memset(start, 0, (size_t)(vertices + 1) * sizeof(int32_t));
    for (ptrdiff_t s = 0; s < strips; s++) {
        const int32_t *of = met + n * s / strips * t;
        for (int32_t i = 0; i < first[s + 1] - first[s]; i++)
            start[of[i] + 1]++;
    }
    for (ptrdiff_t v = 0; v < vertices; v++)
        start[v + 1] += start[v];
    for (ptrdiff_t s = 0; s < strips; s++) {
        const int32_t *of = met + n * s / strips * t;
        for (int32_t i = 0; i < first[s + 1] - first[s]; i++)
            member[start[of[i]]++] = first[s] + i;
    }
    memmove(start + 1, start, (size_t)vertices * sizeof(int32_t));
    start[0] = 0;
    free(met);
    return 0;
}

static inline int32_t vertex_at(int32_t entry) { return entry < 0 ? ~entry : entry; }

/* Chains as they are found, one after the other: where each begins, and its zone. */
typedef struct {
    int32_t *list, *begin, *zone;
} Found;

/* Finds the chains of one axis and counts their entries per zone, place[zone + 1]. Returns how many chains there are. */
static ptrdiff_t find_chains(const int32_t *beside, ptrdiff_t m, ptrdiff_t zones, const Found found, int32_t *place)
{
    ptrdiff_t count = 0;
    int32_t at = 0;
    for (int32_t head = 0; head < m; head++) {
        if (beside[2 * head] != m || beside[2 * head + 1] == m)
            continue;
        int32_t v = head;
        const int32_t begin = at;
        for (; beside[2 * v + 1] != m; v = beside[2 * v + 1])
            found.list[at++] = v;
        found.list[at++] = ~v;
        const ptrdiff_t middle = vertex_at(found.list[(begin + at) / 2]);
        const int32_t zone = (int32_t)((double)(middle * zones) / (double)m); /* quicker than integers, and exact */
        place[zone + 1] += at - begin;
        found.begin[count] = begin;
        found.zone[count++] = zone;
    }
    found.begin[count] = at;
    return count;
}

/* The chains by zones; place[zone] becomes where each begins. */
static void sort_chains(const Found found, ptrdiff_t count, int base, ptrdiff_t zones, int32_t *chain, int32_t *place)
{
    for (ptrdiff_t z = 0; z < zones; z++)
        place[z + 1] += place[z];
    for (ptrdiff_t i = 0; i < count; i++) {
        int32_t *to = chain + place[found.zone[i]];
        const int32_t *from = found.list + found.begin[i], *end = found.list + found.begin[i + 1];
        place[found.zone[i]] += (int32_t)(end - from);
        for (; from < end - 1; from++)
            *to++ = *from + base;
        *to = ~(~*from + base);
    }
    memmove(place + 1, place, (size_t)zones * sizeof(int32_t));
    place[0] = 0;
}

int lattice_chains(const int32_t *neighbour, int k, ptrdiff_t m, int base, int32_t *chain, int32_t *place, ptrdiff_t zones)
{
    int failed = 0;
    memset(place, 0, (size_t)(k * (zones + 1)) * sizeof(int32_t));
#pragma omp parallel for schedule(dynamic, 1) reduction(min : failed) if (m > 4096)
    for (int axis = 0; axis < k; axis++) {
        int32_t *memory = malloc((size_t)(2 * m + 1) * sizeof(int32_t)); /* a chain has two vertices or more */
        if (memory) {
            const Found found = {memory, memory + m, memory + m + m / 2 + 1};
            int32_t *of = place + axis * (zones + 1);
            const ptrdiff_t count = find_chains(neighbour + axis * m * 2, m, zones, found, of);
            sort_chains(found, count, base, zones, chain + axis * m, of);
        } else
            failed = -1;
        free(memory);
    }
    return failed;
}

enum { BLOCK = 32 };

/* What the points of a strip give goes to the strip's rows. */
typedef struct {
    const int32_t *row;
    const float *share;
    float *sum;
} Splat;

INLINE void give(const Splat s, ptrdiff_t begin, int points, const float *q, const int count, const int t)
{
    const ptrdiff_t p = count * LANES;
    for (int n = 0; n < points; n++) {
        const int32_t *row = s.row + (begin + n) * t;
        const float *share = s.share + (begin + n) * t;
        Vector x[4];
        LOAD_ROW(Vector, count, x, q + n * p);
#pragma GCC unroll 9
        for (int c = 0; c < t; c++) {
            Vector *to = (Vector *)(s.sum + (ptrdiff_t)row[c] * p);
            const float times = share[c];
#pragma GCC unroll 4
            for (int i = 0; i < count; i++)
                to[i] += times * x[i];
        }
    }
}

INLINE void give_long(const Splat s, ptrdiff_t begin, int points, const float *q, ptrdiff_t p, const int t)
{
    for (int n = 0; n < points; n++)
        for (int c = 0; c < t; c++) {
            float *to = s.sum + (ptrdiff_t)s.row[(begin + n) * t + c] * p;
            const float times = s.share[(begin + n) * t + c];
            for (ptrdiff_t i = 0; i < p; i++)
                to[i] += times * q[n * p + i];
        }
}

/* One column, whose probabilities are 1. */
static void give_ones(const Splat s, ptrdiff_t begin, ptrdiff_t end, int t)
{
    for (ptrdiff_t e = begin * t; e < end * t; e++)
        s.sum[s.row[e]] += s.share[e];
}

VECTORISED static void sweep_piece(const Field f, const Splat s, ptrdiff_t begin, ptrdiff_t end, float *q)
{
#define SWEEP(count, t)                                                              \
    do {                                                                             \
        if (f.values)                                                               \
            believe(f, n, points, q, count, t);                                      \
        else                                                                         \
            believe(f, n, points, q, count, 0);                                      \
        give(s, n, points, q, count, t);                                             \
    } while (0)
    for (ptrdiff_t n = begin; n < end; n += BLOCK) {
        const int points = end - n < BLOCK ? (int)(end - n) : BLOCK;
        switch (f.p % LANES ? 0 : f.p / LANES) {
        case 1: SWEEP(1, f.t); break;
        case 2: SWEEP(2, f.t); break;
        case 3:
            if (f.t == 9)
                SWEEP(3, 9);
            else
                SWEEP(3, f.t);
            break;
        case 4: SWEEP(4, f.t); break;
        default:
            believe_long(f, n, points, q, f.values ? f.t : 0);
            give_long(s, n, points, q, f.p, f.t);
        }
    }
}

int crf_sweep(const float *score, const int32_t *vertex, const float *weight, const float *values, const int32_t *row,
              const float *share, const int32_t *first, float *sum, ptrdiff_t n, ptrdiff_t p, int t, ptrdiff_t strips)
{
    const Field field = {score, vertex, weight, values, p, t};
    const Splat splat = {row, share, sum};
    const int threads = strips > 1 ? omp_get_max_threads() : 1;
    Share *shares = shares_make(1, threads, strips);
    int failed = shares ? 0 : -1;
#pragma omp parallel num_threads(threads) reduction(min : failed) if (!failed)
    {
        float *q = aligned_alloc(64, (size_t)(BLOCK * p) * sizeof(float));
        failed = q && shares ? 0 : -1;
        if (!failed)
            FOR_SHARE(shares, threads, s)
            {
                const ptrdiff_t begin = n * s / strips, end = n * (s + 1) / strips;
                memset(sum + first[s] * p, 0, (size_t)((first[s + 1] - first[s]) * p) * sizeof(float));
                if (p == 1)
                    give_ones(splat, begin, end, t);
                else
                    sweep_piece(field, splat, begin, end, q);
            }
        free(q);
    }
    free(shares);
    return failed;
}

VECTORISED static void collect_piece(const float *sum, const int32_t *start, const int32_t *member, float *values,
                                     ptrdiff_t begin, ptrdiff_t end, ptrdiff_t p)
{
    const int32_t last = start[end] - 1;
    for (ptrdiff_t v = begin; v < end; v++) {
#define COLLECT(type, count, at)                                                     \
    do {                                                                             \
        type sum_[count] = {0};                                                      \
        for (int32_t e = start[v]; e < start[v + 1]; e++) {                          \
            if ((at) == 0)                                                           \
                fetch_row(sum + (ptrdiff_t)member[e + AHEAD < last ? e + AHEAD : last] * p, p); \
            ADD_ROW(type, count, sum_, 1.0f, sum + (ptrdiff_t)member[e] * p + (at)); \
        }                                                                            \
        STORE_ROW(type, count, values + v * p + (at), sum_);                         \
    } while (0)
        FOR_COLUMNS(p, COLLECT);
    }
}

/* The chains at begin..end. */
VECTORISED static void blur_chains(const int32_t *chain, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t last, float *values,
                                   ptrdiff_t p)
{
#define WALK(type, count, at)                                                        \
    do {                                                                             \
        for (ptrdiff_t i = begin; i < end;) {                                        \
            type before[count] = {0}, here[count], after[count];                     \
            float *to = values + (ptrdiff_t)chain[i] * p + (at);                     \
            LOAD_ROW(type, count, here, to);                                         \
            for (int32_t entry = chain[i]; entry >= 0;) {                            \
                entry = chain[++i];                                                  \
                if ((at) == 0)                                                       \
                    fetch_row(values + (ptrdiff_t)vertex_at(chain[i + AHEAD < last ? i + AHEAD : last]) * p, p); \
                float *next = values + (ptrdiff_t)vertex_at(entry) * p + (at);       \
                LOAD_ROW(type, count, after, next);                                  \
                _Pragma("GCC unroll 4") for (int j = 0; j < (count); j++) {          \
                    ((type *)to)[j] = here[j] + 0.5f * (before[j] + after[j]);       \
                    before[j] = here[j];                                             \
                    here[j] = after[j];                                              \
                }                                                                    \
                to = next;                                                           \
            }                                                                        \
            _Pragma("GCC unroll 4") for (int j = 0; j < (count); j++)                \
                ((type *)to)[j] = here[j] + 0.5f * before[j];                        \
            i++;                                                                     \
        }                                                                            \
    } while (0)
    FOR_COLUMNS(p, WALK);
}

/* A thread goes through its zones of one lattice after those of the other: rows are fetched ahead from zone to zone. */
int crf_blur(const float *sum, const int32_t *start, const int32_t *member, const int32_t *chain, const int32_t *place,
             const int32_t *first, int axes, int lattices, ptrdiff_t zones, float *values, ptrdiff_t p)
{
    const int threads = zones > 1 ? omp_get_max_threads() : 1;
    Share *shares = shares_make((axes + 1) * lattices, threads, zones);
    if (!shares)
        return -1;
#pragma omp parallel num_threads(threads)
    {
        Share *share = shares;
        for (int l = 0; l < lattices; l++, share += threads) {
            const ptrdiff_t begin = first[l], count = first[l + 1] - begin;
            FOR_SHARE(share, threads, z)
                collect_piece(sum, start, member, values, begin + count * z / zones, begin + count * (z + 1) / zones, p);
        }
        for (int a = 0; a < axes; a++) {
#pragma omp barrier
            for (int l = 0; l < lattices; l++, share += threads) {
                const int32_t *of = place + (a * lattices + l) * (zones + 1);
                FOR_SHARE(share, threads, z)
                    if (of[z] < of[z + 1])
                        blur_chains(chain, of[z], of[z + 1], of[zones] - 1, values, p);
            }
        }
    }
    free(shares);
    return 0;
}
