#include "crf_lattice.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "crf_table.h"
#include "parallel.h"
#include "simd.h"

enum { BLOCK = 64, MAX_CORNERS = LATTICE_MAX_DIMENSION + 1 };

void lattice_features(const float *image, ptrdiff_t bands, ptrdiff_t plane, ptrdiff_t full_width, const float *band_std,
                      float *feature, ptrdiff_t n, ptrdiff_t height, ptrdiff_t width, float xy_std)
{
    const ptrdiff_t d = bands + 2;
    memset(feature + height * width * d, 0, (size_t)((n - height * width) * d) * sizeof(float));
#pragma omp parallel for schedule(static) if (n > 16384)
    for (ptrdiff_t y = 0; y < height; y++)
        for (ptrdiff_t x = 0; x < width; x++) {
            float *row = feature + (y * width + x) * d;
            row[0] = (float)x / xy_std;
            row[1] = (float)y / xy_std;
            for (ptrdiff_t b = 0; b < bands; b++)
                row[2 + b] = image[b * plane + y * full_width + x] / band_std[b];
        }
}

/* A block of points inside their simplices: the origin, the rank and the distance of every coordinate. */
typedef struct {
    float origin[MAX_CORNERS][BLOCK], excess[MAX_CORNERS][BLOCK];
    int32_t rank[MAX_CORNERS][BLOCK];
    int32_t outside; /* whether a coordinate is not a number that fits a key */
} Simplices;

#define INLINE static inline __attribute__((always_inline))

/* Adding and taking away 1.5 * 2^23 rounds to the nearest integer, ties to even, as the SSE build of the reference does. */
#define ROUNDER 12582912.0f

INLINE void locate_in(const float *feature, const float *factor, const int d, Simplices *s)
{
    const int k = d + 1;
    const float down = (float)(1.0 / k);
    float e[MAX_CORNERS][BLOCK], from[MAX_CORNERS][BLOCK], total[BLOCK] = {0}, sum[BLOCK] = {0};
    for (int j = d; j > 0; j--)
        for (int i = 0; i < BLOCK; i++) {
            const float scaled = feature[(j - 1) * BLOCK + i] * factor[j - 1];
            e[j][i] = total[i] - (float)j * scaled;
            total[i] += scaled;
        }
    for (int i = 0; i < BLOCK; i++)
        e[0][i] = total[i];
    const float limit = (float)(32767 - 2 * k);
    int32_t outside = 0;
    for (int j = 0; j < k; j++)
        for (int i = 0; i < BLOCK; i++) {
            const float rounded = (e[j][i] * down + ROUNDER) - ROUNDER;
            s->origin[j][i] = rounded * (float)k;
            from[j][i] = e[j][i] - s->origin[j][i];
            sum[i] += rounded;
            outside |= !(fabsf(s->origin[j][i]) < limit);
        }
    s->outside = outside;
    if (outside)
        return;
    for (int j = 0; j < k; j++)
        for (int i = 0; i < BLOCK; i++)
            s->rank[j][i] = (int32_t)sum[i];
    for (int a = 0; a < k; a++)
        for (int b = a + 1; b < k; b++)
            for (int i = 0; i < BLOCK; i++) {
                const int32_t smaller = from[a][i] < from[b][i];
                s->rank[a][i] += smaller;
                s->rank[b][i] += 1 - smaller;
            }
    for (int j = 0; j < k; j++)
        for (int i = 0; i < BLOCK; i++) {
            const int32_t wrap = (s->rank[j][i] < 0 ? k : 0) - (s->rank[j][i] >= k ? k : 0);
            s->rank[j][i] += wrap;
            s->origin[j][i] += (float)wrap;
            s->excess[j][i] = (e[j][i] - s->origin[j][i]) * down;
        }
}

VECTORISED static void locate(const float *feature, const float *factor, int d, Simplices *s)
{
    switch (d) {
    case 2: locate_in(feature, factor, 2, s); break;
    case 5: locate_in(feature, factor, 5, s); break;
    default: locate_in(feature, factor, d, s);
    }
}

/* The corners of a block of points: weights, and keys in halves of words (two coordinates each). */
typedef struct {
    float weight[MAX_CORNERS][BLOCK];
    uint32_t half[MAX_CORNERS][2 * MAX_WORDS][BLOCK];
} Corners;

/* The coordinate j of corner c of point i, biased: each corner is one more than the last one in every coordinate, less
 * d + 1 in the coordinate of rank d + 1 - c. */
INLINE uint32_t coordinate(const Simplices *s, const int d, int c, int j, int i)
{
    return (uint32_t)((int32_t)s->origin[j][i] + 32768 + c - (s->rank[j][i] > d - c ? d + 1 : 0));
}

INLINE void corners_in(const Simplices *s, const int d, const int words, Corners *to)
{
    float by_rank[MAX_CORNERS][BLOCK];
    for (int r = 0; r <= d; r++) {
        for (int i = 0; i < BLOCK; i++)
            by_rank[r][i] = 0;
        for (int j = 0; j <= d; j++)
            for (int i = 0; i < BLOCK; i++)
                by_rank[r][i] += s->rank[j][i] == r ? s->excess[j][i] : 0.0f;
    }
    for (int i = 0; i < BLOCK; i++)
        to->weight[0][i] = by_rank[d][i] + (1.0f - by_rank[0][i]);
    for (int c = 1; c <= d; c++)
        for (int i = 0; i < BLOCK; i++)
            to->weight[c][i] = by_rank[d - c][i] - by_rank[d - c + 1][i];
    for (int c = 0; c <= d; c++)
        for (int h = 0; h < 2 * words; h++) {
            const int j = 2 * h;
            for (int i = 0; i < BLOCK; i++)
                to->half[c][h][i] = j < d ? coordinate(s, d, c, j, i) : 0;
            for (int i = 0; i < BLOCK && j + 1 < d; i++)
                to->half[c][h][i] |= coordinate(s, d, c, j + 1, i) << 16;
        }
}

VECTORISED static void corners(const Simplices *s, int d, Corners *to)
{
    switch (d) {
    case 2: corners_in(s, 2, 1, to); break;
    case 5: corners_in(s, 5, 2, to); break;
    default: corners_in(s, d, (d + 3) / 4, to);
    }
}

INLINE void corner_key(const Corners *s, int c, int i, const int words, uint64_t *key)
{
    for (int w = 0; w < words; w++)
        key[w] = s->half[c][2 * w][i] | (uint64_t)s->half[c][2 * w + 1][i] << 32;
}

INLINE int embed_in(const float *feature, const float *factor, ptrdiff_t n, const int d, const int words, Table *table,
                    int32_t *vertex, float *weight)
{
    const int k = d + 1;
    Simplices simplices;
    Corners corner;
    float transposed[LATTICE_MAX_DIMENSION * BLOCK];
    uint64_t key[MAX_WORDS], hash[BLOCK * MAX_CORNERS];
    for (ptrdiff_t begin = 0; begin < n; begin += BLOCK) {
        const int count = n - begin < BLOCK ? (int)(n - begin) : BLOCK;
        for (int j = 0; j < d; j++)
            for (int i = 0; i < BLOCK; i++)
                transposed[j * BLOCK + i] = feature[(begin + (i < count ? i : count - 1)) * d + j];
        locate(transposed, factor, d, &simplices);
        if (simplices.outside)
            return LATTICE_OUT_OF_RANGE;
        corners(&simplices, d, &corner);
        for (int i = 0; i < count; i++)
            for (int c = 0; c < k; c++) {
                weight[(begin + i) * k + c] = corner.weight[c][i];
                corner_key(&corner, c, i, words, key);
                hash[i * k + c] = hash_key(key, words);
                table_prefetch(table, hash[i * k + c], words);
            }
        for (int i = 0; i < count; i++)
            for (int c = 0; c < k; c++) {
                corner_key(&corner, c, i, words, key);
                const ptrdiff_t number = table_number(table, key, hash[i * k + c], words);
                if (number < 0)
                    return LATTICE_NO_MEMORY;
                vertex[(begin + i) * k + c] = (int32_t)number;
            }
    }
    return 0;
}

static int embed_piece(const float *feature, const float *factor, ptrdiff_t n, int d, Table *table, int32_t *vertex,
                       float *weight)
{
    if (!table_make(table, (d + 3) / 4, n / 4))
        return LATTICE_NO_MEMORY;
    switch (d) {
    case 2: return embed_in(feature, factor, n, 2, 1, table, vertex, weight);
    case 3: return embed_in(feature, factor, n, 3, 1, table, vertex, weight);
    case 5: return embed_in(feature, factor, n, 5, 2, table, vertex, weight);
    default: return embed_in(feature, factor, n, d, table->words, table, vertex, weight);
    }
}

/* Distinct keys, or equal ones with the first of each known: a table in parts by the keys' hashes, which threads fill
 * without meeting each other. */
enum { PARTS = 16 };

typedef struct {
    Table part[PARTS];
    uint64_t *hash; /* of every key */
} Parts;

static inline int part_of(uint64_t hash) { return (int)(hash >> 60); }

static void parts_free(Parts *parts)
{
    for (int p = 0; p < PARTS; p++)
        table_free(&parts->part[p]);
    free(parts->hash);
}

/* Enters the keys of part p. */
INLINE void part_fill(Parts *parts, int p, const uint64_t *key, ptrdiff_t n, const int words, int32_t *owner)
{
    for (ptrdiff_t i = 0; i < n; i++)
        if (part_of(parts->hash[i]) == p) {
            const ptrdiff_t first = table_put(&parts->part[p], key + i * words, parts->hash[i], i, words);
            if (owner)
                owner[i] = (int32_t)first;
        }
}

/* Fills the parts with n packed keys. owner[i] (unless NULL) becomes the index of the first key equal to key i. */
static int parts_fill(Parts *parts, const uint64_t *key, ptrdiff_t n, int words, int32_t *owner)
{
    ptrdiff_t expected[PARTS] = {0};
    memset(parts, 0, sizeof(*parts));
    parts->hash = malloc((size_t)n * sizeof(uint64_t) + 1);
    if (!parts->hash)
        return LATTICE_NO_MEMORY;
    FOR_PIECES(n, begin, end, for (ptrdiff_t i = begin; i < end; i++) parts->hash[i] = hash_key(key + i * words, words););
    for (ptrdiff_t i = 0; i < n; i++)
        expected[part_of(parts->hash[i])]++;
    int failed = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(min : failed) if (n > GRAIN)
    for (int p = 0; p < PARTS; p++) {
        if (!table_make(&parts->part[p], words, expected[p]))
            failed = LATTICE_NO_MEMORY;
        else if (words == 1)
            part_fill(parts, p, key, n, 1, owner);
        else if (words == 2)
            part_fill(parts, p, key, n, 2, owner);
        else
            part_fill(parts, p, key, n, words, owner);
    }
    return failed;
}

/* Numbers the vertices of all pieces, whose packed keys stand in a row, in the order in which one pass over all points
 * would have met them: number[i] for key i. Unpacks the distinct ones; returns how many they are. */
static ptrdiff_t merge(const uint64_t *packed, ptrdiff_t n, int d, int32_t *number, int16_t *key)
{
    const int words = (d + 3) / 4;
    Parts parts;
    ptrdiff_t count = parts_fill(&parts, packed, n, words, number);
    if (!count)
        for (ptrdiff_t i = 0; i < n; i++) {
            if (number[i] == i)
                unpack_key(packed + i * words, d, key + count * d);
            number[i] = number[i] == i ? (int32_t)count++ : number[number[i]];
        }
    parts_free(&parts);
    return count;
}

/* Each piece of the points numbers its own vertices as it meets them; the pieces are then merged. */
ptrdiff_t lattice_embed(const float *feature, ptrdiff_t n, int d, int16_t *key, int32_t *vertex, float *weight)
{
    const int k = d + 1, words = (d + 3) / 4;
    const ptrdiff_t least = 2048;
    int pieces = omp_get_max_threads();
    if (pieces > n / least)
        pieces = n < least ? 1 : (int)(n / least);
    float factor[LATTICE_MAX_DIMENSION];
    const float deviation = (float)(sqrt(2.0 / 3.0) * k);
    for (int j = 0; j < d; j++)
        factor[j] = (float)(1.0 / sqrt((j + 2.0) * (j + 1.0)) * deviation);
    Table *table = calloc((size_t)pieces, sizeof(Table));
    ptrdiff_t *first = calloc((size_t)pieces + 1, sizeof(ptrdiff_t));
    uint64_t *met = NULL;
    int32_t *number = NULL;
    int failed = table && first ? 0 : LATTICE_NO_MEMORY;
    if (!failed) {
#pragma omp parallel for schedule(static, 1) num_threads(pieces) reduction(min : failed)
        for (int p = 0; p < pieces; p++) {
            const ptrdiff_t begin = n * p / pieces, end = n * (p + 1) / pieces;
            const int state =
                embed_piece(feature + begin * d, factor, end - begin, d, &table[p], vertex + begin * k, weight + begin * k);
            failed = state < failed ? state : failed;
        }
    }
    ptrdiff_t count = failed;
    if (!failed) {
        for (int p = 0; p < pieces; p++)
            first[p + 1] = first[p] + table[p].count;
        count = first[pieces];
        if (pieces > 1) {
            met = malloc((size_t)(count * words) * sizeof(uint64_t) + 1);
            number = malloc((size_t)count * sizeof(int32_t) + 1);
            failed = met && number ? 0 : LATTICE_NO_MEMORY;
        }
    }
    if (!failed && pieces > 1) {
#pragma omp parallel for schedule(static, 1) num_threads(pieces)
        for (int p = 0; p < pieces; p++)
            memcpy(met + first[p] * words, table[p].met, (size_t)(table[p].count * words) * sizeof(uint64_t));
        count = merge(met, first[pieces], d, number, key);
        failed = count < 0 ? (int)count : 0;
        if (!failed) {
#pragma omp parallel for schedule(static, 1) num_threads(pieces)
            for (int p = 1; p < pieces; p++)
                for (ptrdiff_t e = n * p / pieces * k; e < n * (p + 1) / pieces * k; e++)
                    vertex[e] = number[first[p] + vertex[e]];
        }
    } else if (!failed)
        for (ptrdiff_t v = 0; v < count; v++)
            unpack_key(table[0].met + v * words, d, key + v * d);
    for (int p = 0; p < pieces && table; p++)
        table_free(&table[p]);
    free(table);
    free(first);
    free(met);
    free(number);
    return failed ? failed : count;
}

/* Looks up the minus neighbours of vertices begin..end along one axis; each finds both directions of one edge. */
INLINE void link_axis(const Parts *parts, const uint64_t *packed, ptrdiff_t begin, ptrdiff_t end, int d, int axis,
                      const int words, int32_t *neighbour)
{
    enum { AHEAD = 16 };
    uint64_t key[AHEAD][MAX_WORDS], hash[AHEAD], step[MAX_WORDS] = {0};
    for (int j = 0; j < d; j++)
        step[j / 4] -= lane(j);
    if (axis < d)
        step[axis / 4] += (uint64_t)(d + 1) * lane(axis);
    for (ptrdiff_t v = begin - AHEAD; v < end; v++) {
        if (v >= begin) {
            const uint64_t h = hash[(v - begin) % AHEAD];
            const uint64_t *slot = table_slot(&parts->part[part_of(h)], key[(v - begin) % AHEAD], h, words);
            if (slot[words]) {
                const ptrdiff_t other = (ptrdiff_t)slot[words] - 1;
                neighbour[2 * v] = (int32_t)other;
                neighbour[2 * other + 1] = (int32_t)v;
            }
        }
        if (v + AHEAD < end) {
            const int at = (int)((v + AHEAD - begin) % AHEAD);
            for (int w = 0; w < words; w++)
                key[at][w] = packed[(v + AHEAD) * words + w] + step[w];
            hash[at] = hash_key(key[at], words);
            table_prefetch(&parts->part[part_of(hash[at])], hash[at], words);
        }
    }
}

int lattice_neighbours(const int16_t *key, ptrdiff_t m, int d, int32_t *neighbour)
{
    enum { PIECE = 4096 };
    const int words = (d + 3) / 4;
    uint64_t *packed = malloc((size_t)(m * words) * sizeof(uint64_t) + 1);
    if (!packed)
        return LATTICE_NO_MEMORY;
    FOR_PIECES(m, begin, end, for (ptrdiff_t v = begin; v < end; v++) pack_key(key + v * d, d, packed + v * words););
    Parts parts;
    const int state = parts_fill(&parts, packed, m, words, NULL);
    if (!state) {
        const ptrdiff_t pieces = (m + PIECE - 1) / PIECE, all = (d + 1) * m * 2;
        FOR_PIECES(all, begin, end, for (ptrdiff_t i = begin; i < end; i++) neighbour[i] = (int32_t)m;);
#pragma omp parallel for schedule(dynamic) if (pieces > 1)
        for (ptrdiff_t p = 0; p < pieces * (d + 1); p++) {
            const ptrdiff_t begin = p / (d + 1) * PIECE, end = begin + PIECE < m ? begin + PIECE : m;
            const int axis = (int)(p % (d + 1));
            int32_t *to = neighbour + axis * m * 2;
            if (words == 1)
                link_axis(&parts, packed, begin, end, d, axis, 1, to);
            else if (words == 2)
                link_axis(&parts, packed, begin, end, d, axis, 2, to);
            else
                link_axis(&parts, packed, begin, end, d, axis, words, to);
        }
    }
    parts_free(&parts);
    free(packed);
    return state;
}

/* A counting sort: each piece of the points counts its entries per vertex, then writes behind the earlier pieces. */
int lattice_transpose(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t n, int k, ptrdiff_t m,
                      int32_t *start, int32_t *point, float *share)
{
    int pieces = omp_get_max_threads();
    if (pieces > n / 2048)
        pieces = n < 2048 ? 1 : (int)(n / 2048);
    int32_t *next = calloc((size_t)pieces * (size_t)(m + 1), sizeof(int32_t));
    if (!next)
        return LATTICE_NO_MEMORY;
#pragma omp parallel for schedule(static, 1) num_threads(pieces)
    for (int p = 0; p < pieces; p++)
        for (ptrdiff_t e = n * p / pieces * k; e < n * (p + 1) / pieces * k; e++)
            next[p * m + vertex[e]]++;
    int32_t sum = 0;
    for (ptrdiff_t v = 0; v < m; v++) {
        start[v] = sum;
        for (int p = 0; p < pieces; p++) {
            const int32_t entries = next[p * m + v];
            next[p * m + v] = sum;
            sum += entries;
        }
    }
    start[m] = sum;
#pragma omp parallel for schedule(static, 1) num_threads(pieces)
    for (int p = 0; p < pieces; p++)
        for (ptrdiff_t i = n * p / pieces; i < n * (p + 1) / pieces; i++) {
            const float factor = scale ? scale[i] : 1.0f;
            for (int c = 0; c < k; c++) {
                const int32_t to = next[p * m + vertex[i * k + c]]++;
                point[to] = (int32_t)i;
                share[to] = weight[i * k + c] * factor;
            }
        }
    free(next);
    return 0;
}
