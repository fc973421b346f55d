/* Building the permutohedral lattice: where points lie in it, its vertices' neighbours and the points of a vertex. */
#include <limits.h>

#include "primitives.h"
#include "runtime.h"

namespace {

constexpr int MAX_DIMENSION = 31, MAX_CORNERS = MAX_DIMENSION + 1;
constexpr int32_t FREE = INT32_MAX;

__global__ void features_kernel(const float *image, const float *band_std, float *feature, int64_t height,
                                int64_t width, float xy_std, int64_t plane, int64_t full_width, int64_t d, int64_t n) {
    EACH(i, n) {
        int64_t point = i / d, j = i % d, x = point % width, y = point / width;
        float value = 0;
        if (y < height)
            value = j == 0   ? (float)x / xy_std
                    : j == 1 ? (float)y / xy_std
                             : image[(j - 2) * plane + y * full_width + x] / band_std[j - 2];
        feature[i] = value;
    }
}

struct Factors {
    float value[MAX_DIMENSION];
};

/* The corners of the simplex around each point, and the point's barycentric weights. Nothing is fused: the same
 * roundings as on every other backend decide which simplex it is. */
template <int D>
__global__ void simplex_kernel(const float *feature, Factors factors, int16_t *corner_key, float *weight,
                               int32_t *outside, int64_t points, int dimension) {
    const int d = D ? D : dimension, k = d + 1;
    const float down = (float)(1.0 / k), limit = (float)(32767 - 2 * k);
    EACH(i, points) {
        float e[D ? D + 1 : MAX_CORNERS], origin[D ? D + 1 : MAX_CORNERS], excess[D ? D + 1 : MAX_CORNERS];
        int rank[D ? D + 1 : MAX_CORNERS], by_rank[D ? D + 1 : MAX_CORNERS];
        float total = 0, sum = 0;
        for (int j = d; j > 0; j--) {
            float scaled = round_product(feature[i * d + j - 1], factors.value[j - 1]);
            e[j] = total - round_product((float)j, scaled);
            total += scaled;
        }
        e[0] = total;
        bool inside = true;
        for (int j = 0; j < k; j++) {
            float rounded = rintf(round_product(e[j], down));
            origin[j] = round_product(rounded, (float)k);
            sum += rounded;
            inside = inside && fabsf(origin[j]) < limit;
        }
        if (!inside) {
            atomicAdd(outside, 1);
            continue;
        }
        for (int j = 0; j < k; j++) rank[j] = (int)sum;
        for (int a = 0; a < k; a++)
            for (int b = a + 1; b < k; b++) {
                int smaller = e[a] - origin[a] < e[b] - origin[b];
                rank[a] += smaller;
                rank[b] += 1 - smaller;
            }
        for (int j = 0; j < k; j++) {
            int wrap = (rank[j] < 0 ? k : 0) - (rank[j] >= k ? k : 0);
            rank[j] += wrap;
            origin[j] += (float)wrap;
            by_rank[rank[j]] = j;
            excess[rank[j]] = round_product(e[j] - origin[j], down);
        }
        weight[i * k] = excess[d] + (1 - excess[0]);
        for (int c = 1; c < k; c++) weight[i * k + c] = excess[d - c] - excess[d - c + 1];
        int16_t *key = corner_key + i * k * d;
        for (int j = 0; j < d; j++) key[j] = (int16_t)origin[j];
        for (int c = 1; c < k; c++) {
            for (int j = 0; j < d; j++) key[c * d + j] = (int16_t)(key[(c - 1) * d + j] + 1);
            int wrapped = by_rank[k - c];
            if (wrapped < d) key[c * d + wrapped] = (int16_t)(key[c * d + wrapped] - k);
        }
    }
}

/* An open-addressing table of keys, which are rows of `keys`: a slot holds the number of such a row. */
struct Table {
    int32_t *slot;
    uint32_t mask;
    const int16_t *keys;
    int d;

    __device__ uint32_t start(const int16_t *key) const {
        uint32_t h = 0;
        for (int j = 0; j < d; j++) {
            h = (h ^ (uint16_t)key[j]) * 0x9E3779B1u;
            h ^= h >> 15;
        }
        return h & mask;
    }
    __device__ bool same(int32_t row, const int16_t *key) const {
        for (int j = 0; j < d; j++)
            if (keys[(int64_t)row * d + j] != key[j]) return false;
        return true;
    }
    /* The slot of row `row`'s key, taken if nobody had it. */
    __device__ uint32_t insert(int32_t row) const {
        const int16_t *key = keys + (int64_t)row * d;
        for (uint32_t at = start(key);; at = (at + 1) & mask) {
            int32_t there = *(volatile int32_t *)(slot + at); /* in smooth pictures most corners find theirs taken */
            if (there == FREE) there = atomicCAS(slot + at, FREE, row);
            if (there == FREE || same(there, key)) return at;
        }
    }
    /* The number of a row with this key, or `none`. */
    __device__ int32_t find(const int16_t *key, int32_t none) const {
        for (uint32_t at = start(key);; at = (at + 1) & mask) {
            if (slot[at] == FREE) return none;
            if (same(slot[at], key)) return slot[at];
        }
    }
};

__global__ void fill_kernel(int32_t *x, int32_t value, int64_t n) {
    EACH(i, n) x[i] = value;
}

/* Every corner's slot, and the first corner of each slot. */
__global__ void insert_kernel(Table table, uint32_t *slot_of, int32_t *first, int64_t n) {
    EACH(i, n) {
        uint32_t at = slot_of[i] = table.insert((int32_t)i);
        if (*(volatile int32_t *)(first + at) > (int32_t)i) atomicMin(first + at, (int32_t)i);
    }
}

__global__ void mark_kernel(const uint32_t *slot_of, const int32_t *first, int32_t *is_first, int64_t n) {
    EACH(i, n) is_first[i] = first[slot_of[i]] == (int32_t)i;
}

__global__ void number_kernel(const uint32_t *slot_of, const int32_t *first, const int32_t *number,
                              const int16_t *corner_key, int16_t *key, int32_t *vertex, int32_t *count, int d,
                              int64_t n) {
    EACH(i, n) {
        int32_t from = first[slot_of[i]];
        vertex[i] = number[from];
        if (from == (int32_t)i)
            for (int j = 0; j < d; j++) key[(int64_t)number[i] * d + j] = corner_key[i * d + j];
        if (i == n - 1) *count = number[i] + (from == (int32_t)i);
    }
}

uint32_t slots_for(int64_t keys) {
    uint32_t slots = 64;
    while ((int64_t)slots < 2 * keys) slots *= 2;
    return slots;
}

/* Pieces of one stretch of memory, each aligned. */
struct Pieces {
    char *at;
    template <class T> T *take(int64_t count) {
        T *piece = (T *)at;
        at += divide_up(count * (int64_t)sizeof(T), 256) * 256;
        return piece;
    }
};

__global__ void enter_kernel(Table table, int64_t n) {
    EACH(i, n) table.insert((int32_t)i);
}

/* neighbour[axis, v, 0]: one step along the axis; [axis, v, 1]: one step back. */
__global__ void neighbours_kernel(Table table, int32_t *neighbour, int64_t vertices, int64_t n) {
    EACH(i, n) {
        int64_t axis = i / (2 * vertices), v = i / 2 % vertices;
        int sign = i % 2 ? -1 : 1;
        int16_t moved[MAX_DIMENSION];
        for (int j = 0; j < table.d; j++)
            moved[j] = (int16_t)(table.keys[v * table.d + j] + sign * (j == axis ? table.d : -1));
        neighbour[i] = table.find(moved, (int32_t)vertices);
    }
}

__global__ void count_kernel(int32_t *x, int64_t n) {
    EACH(i, n) x[i] = (int32_t)i;
}

__global__ void starts_kernel(const int32_t *sorted, int32_t *start, int64_t entries, int64_t rows) {
    EACH(v, rows) {
        int64_t low = 0, high = entries;
        while (low < high) {
            int64_t middle = (low + high) / 2;
            if (sorted[middle] < v)
                low = middle + 1;
            else
                high = middle;
        }
        start[v] = (int32_t)low;
    }
}

__global__ void shares_kernel(const int32_t *order, const float *weight, const float *scale, int32_t *point,
                              float *share, int64_t k, int64_t n) {
    EACH(i, n) {
        point[i] = (int32_t)(order[i] / k);
        share[i] = weight[order[i]] * (scale ? scale[point[i]] : 1);
    }
}

} // namespace

int lattice_features(const float *image, const float *band_std, float *feature, int64_t height, int64_t width,
                     float xy_std, int64_t B, int64_t H, int64_t W, int64_t N, int64_t d) {
    bool fits = height >= 0 && width >= 0 && height * width <= N && d == B + 2 &&
                (!B || (height <= H && width <= W && image && band_std));
    if (!fits) return BAD_ARGUMENTS;
    return launch_each(features_kernel, N * d, image, band_std, feature, height, width ? width : 1, xy_std, H * W, W, d,
                       N * d);
}

int lattice_embed(const float *feature, int16_t *key, int32_t *vertex, float *weight, int32_t *count, int64_t N,
                  int64_t d, int64_t K, int64_t k, int64_t) {
    int64_t corners = N * k;
    if (d < 1 || d > MAX_DIMENSION || k != d + 1 || K < corners || corners > INT32_MAX / 2) return BAD_ARGUMENTS;
    if (!N) return memory_clear(count, sizeof *count);
    Factors factors;
    double deviation = (double)(float)(sqrt(2.0 / 3.0) * (double)k);
    for (int64_t j = 1; j <= d; j++) factors.value[j - 1] = (float)(1 / sqrt((double)((j + 1) * j)) * deviation);

    uint32_t slots = slots_for(corners);
    size_t bytes = (size_t)(corners * (2 * d + 12) + (int64_t)slots * 8 + 4) + 8 * 256;
    void *memory;
    RETURN_IF_FAILED(device_scratch(&memory, bytes));
    Pieces pieces{(char *)memory};
    int32_t *outside = pieces.take<int32_t>(1);
    auto corner_key = pieces.take<int16_t>(corners * d);
    auto slot_of = pieces.take<uint32_t>(corners);
    int32_t *is_first = pieces.take<int32_t>(corners), *number = pieces.take<int32_t>(corners);
    int32_t *slot = pieces.take<int32_t>(slots), *first = pieces.take<int32_t>(slots);

    RETURN_IF_FAILED(memory_clear(outside, sizeof *outside));
    auto simplex = d == 2 ? simplex_kernel<2> : d == 5 ? simplex_kernel<5> : simplex_kernel<0>;
    RETURN_IF_FAILED(launch_each(simplex, N, feature, factors, corner_key, weight, outside, N, (int)d));
    int32_t bad;
    RETURN_IF_FAILED(copy_to_host(&bad, outside, sizeof bad));
    if (bad) return BAD_VALUE;
    RETURN_IF_FAILED(launch_each(fill_kernel, slots, slot, FREE, slots));
    RETURN_IF_FAILED(launch_each(fill_kernel, slots, first, FREE, slots));
    Table table{slot, slots - 1, corner_key, (int)d};
    RETURN_IF_FAILED(launch_each(insert_kernel, corners, table, slot_of, first, corners));
    RETURN_IF_FAILED(launch_each(mark_kernel, corners, slot_of, first, is_first, corners));
    RETURN_IF_FAILED(exclusive_sums(is_first, number, corners));
    return launch_each(number_kernel, corners, slot_of, first, number, corner_key, key, vertex, count, (int)d, corners);
}

int lattice_neighbours(const int16_t *key, int32_t *neighbour, int64_t M, int64_t d, int64_t k, int64_t) {
    if (d < 1 || d > MAX_DIMENSION || k != d + 1 || M > INT32_MAX / 2) return BAD_ARGUMENTS;
    uint32_t slots = slots_for(M);
    void *memory;
    RETURN_IF_FAILED(device_scratch(&memory, slots * sizeof(int32_t)));
    Table table{(int32_t *)memory, slots - 1, key, (int)d};
    RETURN_IF_FAILED(launch_each(fill_kernel, slots, table.slot, FREE, slots));
    RETURN_IF_FAILED(launch_each(enter_kernel, M, table, M));
    return launch_each(neighbours_kernel, k * M * 2, table, neighbour, M, k * M * 2);
}

int lattice_transpose(const int32_t *vertex, const float *weight, const float *scale, int32_t *start, int32_t *point,
                      float *share, int64_t N, int64_t k, int64_t R, int64_t E) {
    if (E != N * k || E > INT32_MAX) return BAD_ARGUMENTS;
    void *memory;
    RETURN_IF_FAILED(device_scratch(&memory, (size_t)(3 * E) * sizeof(int32_t) + 4 * 256));
    Pieces pieces{(char *)memory};
    int32_t *numbers = pieces.take<int32_t>(E), *sorted = pieces.take<int32_t>(E), *order = pieces.take<int32_t>(E);
    int bits = 1;
    while (bits < 31 && ((int64_t)1 << bits) < R) bits++;
    RETURN_IF_FAILED(launch_each(count_kernel, E, numbers, E));
    if (E) RETURN_IF_FAILED(sort_pairs(vertex, sorted, numbers, order, E, bits));
    RETURN_IF_FAILED(launch_each(starts_kernel, R, sorted, start, E, R));
    return launch_each(shares_kernel, E, order, weight, scale, point, share, k, E);
}
