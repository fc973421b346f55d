/* Convolution as a matrix product whose columns are never stored: tiles of them are read from the image.
 *
 *   forward   y[o, position] = sum over k = (c, tap) of w[o, k] x[c, pixel that the position reads through the tap]
 *   data      dx[c, pixel] = sum over k = (o, tap) of w[o, c, tap] dy[o, position that reads the pixel through the tap]
 *   weights   dw[o, (c, tap)] += sum over k = (image, position) of dy[o, k] x[c, pixel read]
 *
 * With a stride, the pixels of a gradient of data fall into phases, each of which meets some of the taps only. A table
 * says where a term's plane begins and how far its tap is from the thread's own pixel. Where there are few tiles, their
 * sums are cut into slices, which are added in order: the result depends on the shapes alone. */
#include <limits.h>

#include "conv_window.h"
#include "matrix.h"
#include "tile.h"

namespace {

/* Counts are those of one group. */
struct Sizes {
    int images, channels, outputs, groups, taps, pixels, positions;
    int image[2], out[2], kernel[2], stride[2], pad[2], dilation[2];
};

/* A term of a sum: the plane it reads, how far from the thread's own pixel, and its weight. */
struct alignas(16) Term {
    int plane, row, column, weight;
};

/* What becomes of a sum: act(scale sum + bias + other), or added to what is there. */
struct Result {
    float *values;
    const float *scale, *bias, *other;
    bool relu, add;
    float slope;

    __device__ __forceinline__ void put(int64_t i, int channel, float sum) const {
        float value = scale ? scale[channel] * sum : sum;
        if (bias) value += bias[channel];
        if (other) value += other[i];
        if (relu && value < 0) value *= slope;
        values[i] = add ? values[i] + value : value;
    }
};

/* Tiles of all blocks: down, across, and slices of `span` terms, whose sums lie `slice` elements apart. */
struct Tiling {
    int down, across, slices, span;
    int64_t slice;
};

/* Maps of all images, whose positions are the terms. */
template <class Product> struct Maps {
    const float *first;
    int64_t image_step;
    int positions, count;

    __device__ __forceinline__ void load(float *tile, int k, int end) const {
        constexpr int PITCH = Product::ROWS + Product::PAD, AT_ONCE = TILE_THREADS / 8;
#pragma unroll
        for (int half = 0; half < DEPTH; half += 8) {
            int term = half + (int)threadIdx.x % 8, row = (int)threadIdx.x / 8, at = k + term;
            const float *from = first + at / positions * image_step + at % positions + (int64_t)row * positions;
#pragma unroll
            for (int i = 0; i < Product::ROWS; i += AT_ONCE, from += AT_ONCE * (int64_t)positions)
                copy_or_zero(tile + term * PITCH + row + i, from, at < end && row + i < count);
        }
    }
};

/* The weights that multiply the maps in a gradient of data: one per term and channel. */
template <class Product> struct Filters {
    const float *first;
    const Term *terms;
    int step, count;

    __device__ __forceinline__ void load(float *tile, int k, int end) const {
        constexpr int PITCH = Product::ROWS + Product::PAD, AT_ONCE = TILE_THREADS / Product::ROWS;
        int row = (int)threadIdx.x % Product::ROWS;
#pragma unroll 2 /* registers are scarce here */
        for (int i = 0; i < DEPTH; i += AT_ONCE) {
            int term = i + (int)threadIdx.x / Product::ROWS, at = k + term;
            bool inside = at < end && row < count;
            copy_or_zero(tile + term * PITCH + row, first + (inside ? terms[at].weight + row * step : 0), inside);
        }
    }
};

/* What one pixel per thread, at (row, column) of planes of rows x columns, reads through the taps. */
template <class Product> struct Windows {
    const float *image;
    const Term *terms;
    int row, column, rows, columns;

    __device__ __forceinline__ void load(float *tile, int k, int end) const {
        constexpr int PITCH = Product::COLUMNS + Product::PAD, AT_ONCE = TILE_THREADS / Product::COLUMNS;
        int place = (int)threadIdx.x % Product::COLUMNS;
#pragma unroll
        for (int i = 0; i < DEPTH; i += AT_ONCE) {
            int number = i + (int)threadIdx.x / Product::COLUMNS, at = k + number;
            Term term = terms[at < end ? at : end - 1];
            int y = row + term.row, x = column + term.column;
            bool inside = at < end && (unsigned)y < (unsigned)rows && (unsigned)x < (unsigned)columns;
            copy_or_zero(tile + number * PITCH + place, image + (inside ? term.plane + y * columns + x : 0), inside);
        }
    }
};

/* The columns of a gradient of weights: their terms are images and positions. */
template <class Product> struct Taps {
    const float *x;
    const Term *terms; /* of the tile's columns: planes and taps */
    int last;
    const Sizes &s;

    __device__ __forceinline__ void load(float *tile, int k, int end) const {
        constexpr int PITCH = Product::COLUMNS + Product::PAD, AT_ONCE = TILE_THREADS / 8;
#pragma unroll 1 /* registers are scarce here */
        for (int half = 0; half < DEPTH; half += 8) {
            int number = half + (int)threadIdx.x % 8, at = k + number;
            int image = at / s.positions, position = at % s.positions;
            int row = position / s.out[1] * s.stride[0] - s.pad[0];
            int column = position % s.out[1] * s.stride[1] - s.pad[1];
            const float *from = x + (int64_t)image * s.groups * s.channels * s.pixels;
#pragma unroll
            for (int i = 0; i < Product::COLUMNS; i += AT_ONCE) {
                int place = i + (int)threadIdx.x / 8;
                Term term = terms[place < last ? place : last]; /* sums beyond the last are thrown away */
                int v = row + term.row, h = column + term.column;
                bool inside = at < end && (unsigned)v < (unsigned)s.image[0] && (unsigned)h < (unsigned)s.image[1];
                copy_or_zero(tile + number * PITCH + place, from + (inside ? term.plane + v * s.image[1] + h : 0),
                             inside);
            }
        }
    }
};

/* Each pass has `rows` and `columns` of sums of at most `terms` terms, for each of `problems`; a sum goes to
 * place(problem, column) + channel * plane, or nowhere if place is negative. */
struct Forward {
    Sizes s;
    const float *x, *w;
    const Term *table;

    __host__ __device__ int rows() const { return s.outputs; }
    __host__ __device__ int64_t columns() const { return (int64_t)s.images * s.positions; }
    __host__ __device__ int64_t terms() const { return (int64_t)s.channels * s.taps; }
    __host__ __device__ int problems() const { return s.groups; }
    __device__ int terms_of(int) const { return (int)terms(); }
    __device__ int group(int problem) const { return problem; }
    __device__ int64_t plane() const { return s.positions; }

    __device__ int64_t place(int, int column) const {
        if (column >= columns()) return -1;
        return (int64_t)(column / s.positions) * s.groups * s.outputs * s.positions + column % s.positions;
    }

    template <class Product> __device__ AlongTerms<Product::ROWS, Product::PAD> left(int problem, int row) const {
        return {w + ((int64_t)problem * s.outputs + row) * terms(), terms(), s.outputs - row};
    }

    template <class Product> __device__ Windows<Product> right(int problem, int column) const {
        column += (int)threadIdx.x % Product::COLUMNS;
        bool there = column < columns();
        int image = there ? column / s.positions : 0, position = there ? column % s.positions : 0;
        return {x + ((int64_t)image * s.groups + problem) * s.channels * s.pixels,
                table,
                position / s.out[1] * s.stride[0] - s.pad[0],
                position % s.out[1] * s.stride[1] - s.pad[1],
                there ? s.image[0] : 0,
                s.image[1]};
    }
};

/* Along an axis: the pixels first, first + stride, ... below size, and the taps that read some of them. */
struct Phase {
    int first, pixels, tap, taps;
};

struct Data {
    Sizes s;
    const float *dy, *w;
    const Term *table;
    int tap_step[2], most_taps[2];

    __host__ __device__ int phases() const { return s.stride[0] * s.stride[1]; }
    __host__ __device__ int rows() const { return s.channels; }
    __host__ __device__ int64_t columns() const {
        return (int64_t)s.images * ((s.image[0] - 1) / s.stride[0] + 1) * ((s.image[1] - 1) / s.stride[1] + 1);
    }
    __host__ __device__ int64_t terms() const { return (int64_t)s.outputs * most_taps[0] * most_taps[1]; }
    __host__ __device__ int problems() const { return s.groups * phases(); }
    __device__ int group(int problem) const { return problem / phases(); }
    __device__ int64_t plane() const { return s.pixels; }

    __device__ Phase phase(int problem, int axis) const {
        int number = problem % phases(), first = axis ? number % s.stride[1] : number / s.stride[1], tap = 0;
        while (tap < s.kernel[axis] && (first + s.pad[axis] - tap * s.dilation[axis]) % s.stride[axis]) tap++;
        int pixels = first < s.image[axis] ? (s.image[axis] - 1 - first) / s.stride[axis] + 1 : 0;
        return {first, pixels, tap, (s.kernel[axis] - tap + tap_step[axis] - 1) / tap_step[axis]};
    }

    __device__ int terms_of(int problem) const {
        return s.outputs * phase(problem, 0).taps * phase(problem, 1).taps;
    }

    __device__ Term term(int problem, int k) const {
        Phase down = phase(problem, 0), across = phase(problem, 1);
        int taps = down.taps * across.taps, o = k / taps;
        int r = down.tap + k % taps / across.taps * tap_step[0], c = across.tap + k % across.taps * tap_step[1];
        return {o * s.positions, (down.first + s.pad[0] - r * s.dilation[0]) / s.stride[0],
                (across.first + s.pad[1] - c * s.dilation[1]) / s.stride[1],
                o * s.channels * s.taps + r * s.kernel[1] + c};
    }

    __device__ int64_t place(int problem, int column) const {
        Phase down = phase(problem, 0), across = phase(problem, 1);
        int pixels = down.pixels * across.pixels;
        if (column >= (int64_t)s.images * pixels) return -1;
        int i = column % pixels / across.pixels, j = column % across.pixels;
        return (int64_t)(column / pixels) * s.groups * s.channels * s.pixels +
               (int64_t)(down.first + i * s.stride[0]) * s.image[1] + across.first + j * s.stride[1];
    }

    template <class Product> __device__ Filters<Product> left(int problem, int row) const {
        return {w + ((int64_t)group(problem) * s.outputs * s.channels + row) * s.taps,
                table + problem % phases() * terms(), s.taps, s.channels - row};
    }

    template <class Product> __device__ Windows<Product> right(int problem, int column) const {
        Phase down = phase(problem, 0), across = phase(problem, 1);
        int pixels = down.pixels * across.pixels;
        column += (int)threadIdx.x % Product::COLUMNS;
        bool there = column < (int64_t)s.images * pixels;
        int image = there ? column / pixels : 0, i = there ? column % pixels / across.pixels : 0;
        return {dy + ((int64_t)image * s.groups + group(problem)) * s.outputs * s.positions,
                table + problem % phases() * terms(),
                i,
                there ? column % across.pixels : 0,
                there ? s.out[0] : 0,
                s.out[1]};
    }
};

struct Weights {
    Sizes s;
    const float *x, *dy;
    const Term *table;

    __host__ __device__ int rows() const { return s.outputs; }
    __host__ __device__ int64_t columns() const { return (int64_t)s.channels * s.taps; }
    __host__ __device__ int64_t terms() const { return (int64_t)s.images * s.positions; }
    __host__ __device__ int problems() const { return s.groups; }
    __device__ int terms_of(int) const { return (int)terms(); }
    __device__ int group(int problem) const { return problem; }
    __device__ int64_t plane() const { return columns(); }
    __device__ int64_t place(int, int column) const { return column < columns() ? column : -1; }

    template <class Product> __device__ Maps<Product> left(int problem, int row) const {
        return {dy + ((int64_t)problem * s.outputs + row) * s.positions,
                (int64_t)s.groups * s.outputs * s.positions, s.positions, s.outputs - row};
    }

    template <class Product> __device__ Taps<Product> right(int problem, int column) const {
        return {x + (int64_t)problem * s.channels * s.pixels, table + column, (int)columns() - 1 - column, s};
    }
};

__global__ void window_terms_kernel(Sizes s, Term *table, int64_t n) {
    EACH(k, n) {
        int channel = (int)k / s.taps, tap = (int)k % s.taps;
        table[k] = {channel * s.pixels, tap / s.kernel[1] * s.dilation[0], tap % s.kernel[1] * s.dilation[1], 0};
    }
}

__global__ void data_terms_kernel(Data pass, Term *table, int64_t n) {
    EACH(i, n) {
        int problem = (int)(i / pass.terms()), k = (int)(i % pass.terms());
        if (k < pass.terms_of(problem)) table[i] = pass.term(problem, k);
    }
}

template <class Pass, class Product>
__global__ void __launch_bounds__(TILE_THREADS, 2) tiles_kernel(Pass pass, Tiling tiling, Result result) {
    int number = (int)blockIdx.x, row = number % tiling.down * Product::ROWS;
    number /= tiling.down;
    int column = number % tiling.across * Product::COLUMNS;
    number /= tiling.across;
    int slice = number % tiling.slices, problem = number / tiling.slices;
    if (pass.place(problem, column) < 0) return;
    int terms = pass.terms_of(problem), begin = slice * tiling.span;
    int end = terms - begin < tiling.span ? terms : begin + tiling.span;
    auto rows = pass.template left<Product>(problem, row);
    auto columns = pass.template right<Product>(problem, column);
    Product product;
    multiply_tiles(product, rows, columns, begin, end);
    const Result to = tiling.slices == 1
                          ? result
                          : Result{result.values + slice * tiling.slice, nullptr, nullptr, nullptr, false, false, 0};
    int64_t plane = pass.plane();
    int first = pass.group(problem) * pass.rows();
    product.each([&](int at) { return pass.place(problem, column + at); },
                 [&](int64_t place, int at, float sum) {
                     int channel = first + row + at;
                     if (place >= 0 && row + at < pass.rows()) to.put(place + channel * plane, channel, sum);
                 });
}

__global__ void add_slices_kernel(const float *sums, int slices, Result result, int channels, int64_t plane,
                                  int64_t n) {
    EACH(i, n) {
        float sum = 0;
        for (int slice = 0; slice < slices; slice++) sum += sums[slice * n + i];
        result.put(i, (int)(i / plane % channels), sum);
    }
}

/* Blocks below which sums are cut into slices of at least SHORTEST terms: two for each multiprocessor of large GPUs. */
constexpr int64_t ENOUGH_BLOCKS = 264, SHORTEST = 8 * DEPTH;

template <class Product, class Pass> int64_t count_tiles(const Pass &pass) {
    return divide_up(pass.rows(), Product::ROWS) * divide_up(pass.columns(), Product::COLUMNS) * pass.problems();
}

int64_t count_slices(int64_t tiles, int64_t terms) {
    int64_t wanted = ENOUGH_BLOCKS / (tiles ? tiles : 1), most = terms / SHORTEST;
    int64_t slices = wanted < most ? wanted : most;
    return slices > 1 ? slices : 1;
}

/* Memory for a table of so many terms and, behind it, the sums of slices. */
int reserve(int64_t terms, int64_t sums, Term **table, float **partial) {
    void *memory;
    size_t head = (size_t)terms * sizeof(Term);
    RETURN_IF_FAILED(device_scratch(&memory, head + (size_t)sums * sizeof(float) + sizeof(Term)));
    *table = (Term *)memory;
    *partial = (float *)((char *)memory + head);
    return cudaSuccess;
}

/* `fill` makes the table of `entries` terms; a result has `size` elements. */
template <class Product, class Pass, class Fill>
int run_tiles(Pass pass, const Result &result, int64_t entries, int64_t size, int channels, int64_t plane, Fill fill) {
    int64_t tiles = count_tiles<Product>(pass), slices = count_slices(tiles, pass.terms());
    if (tiles * slices > INT_MAX) return BAD_ARGUMENTS;
    Term *table;
    float *partial;
    RETURN_IF_FAILED(reserve(entries, slices > 1 ? slices * size : 0, &table, &partial));
    RETURN_IF_FAILED(fill(table));
    pass.table = table;
    Tiling tiling{(int)divide_up(pass.rows(), Product::ROWS), (int)divide_up(pass.columns(), Product::COLUMNS),
                  (int)slices, (int)(divide_up(divide_up(pass.terms(), slices), DEPTH) * DEPTH), size};
    Result first = result;
    if (slices > 1) first.values = partial;
    RETURN_IF_FAILED(launch_blocks(tiles_kernel<Pass, Product>, dim3((unsigned)(tiles * slices)), dim3(TILE_THREADS),
                                   0, pass, tiling, first));
    if (slices == 1) return cudaSuccess;
    return launch_each(add_slices_kernel, size, partial, (int)slices, result, channels, plane, size);
}

/* Tiles as large as still give the GPU enough of them. */
template <template <int, int> class Product, class Pass, class... Rest>
int choose_tiles(const Pass &pass, Rest... rest) {
    if (pass.rows() <= 32) return run_tiles<Product<32, 128>>(pass, rest...);
    if (count_tiles<Product<128, 128>>(pass) < ENOUGH_BLOCKS / 2) return run_tiles<Product<64, 64>>(pass, rest...);
    return run_tiles<Product<128, 128>>(pass, rest...);
}

template <class Pass, class Fill>
int run(const Pass &pass, const Result &result, int64_t entries, int64_t size, int channels, int64_t plane, Fill fill) {
    if (pass.terms() > INT_MAX - 2 * DEPTH || pass.columns() > INT_MAX - 2 * TILE_THREADS) return BAD_ARGUMENTS;
    if (!size) return cudaSuccess;
    if (tensor_products()) return choose_tiles<TensorProduct>(pass, result, entries, size, channels, plane, fill);
    return choose_tiles<PlainProduct>(pass, result, entries, size, channels, plane, fill);
}

int read_sizes(Sizes *s, const int64_t (&axes)[6][2], int64_t images, int64_t channels, int64_t outputs,
               int64_t inputs, int64_t groups) {
    constexpr int64_t LARGEST = INT_MAX / 4;
    Window window;
    window.axes = 2;
    for (int a = 0; a < 2; a++) {
        window.image[a] = axes[0][a], window.out[a] = axes[1][a], window.kernel[a] = axes[2][a];
        window.stride[a] = axes[3][a], window.pad[a] = axes[4][a], window.dilation[a] = axes[5][a];
        if (axes[4][a] > LARGEST || axes[0][a] + 2 * axes[4][a] > LARGEST) return BAD_ARGUMENTS;
    }
    RETURN_IF_FAILED(window_finish(&window));
    if (groups < 1 || channels % groups || outputs % groups || inputs * groups != channels) return BAD_ARGUMENTS;
    if (images > LARGEST || channels * window.pixels > INT_MAX || outputs * window.positions > INT_MAX ||
        outputs * inputs * window.taps > INT_MAX)
        return BAD_ARGUMENTS;
    *s = {(int)images, (int)inputs,        (int)(outputs / groups), (int)groups, (int)window.taps, (int)window.pixels,
          (int)window.positions, {}, {}, {}, {}, {}, {}};
    for (int a = 0; a < 2; a++) {
        s->image[a] = (int)axes[0][a], s->out[a] = (int)axes[1][a], s->kernel[a] = (int)axes[2][a];
        s->pad[a] = (int)axes[4][a];
        /* one beyond everything is as far as any other */
        int64_t beyond = axes[0][a] + 2 * axes[4][a] + 1;
        s->stride[a] = (int)(axes[3][a] < beyond ? axes[3][a] : beyond);
        s->dilation[a] = (int)(axes[5][a] < beyond ? axes[5][a] : beyond);
    }
    return cudaSuccess;
}

int greatest_divisor(int a, int b) { return b ? greatest_divisor(b, a % b) : a; }

} // namespace

#define SIZES(s)                                                                                                       \
    Sizes s;                                                                                                           \
    RETURN_IF_FAILED(read_sizes(&s,                                                                                    \
                                {{H, W}, {P, Q}, {R, S}, {stride_h, stride_w}, {pad_h, pad_w}, {dilation_h, dilation_w}}, \
                                N, C, O, I, group))

int conv_forward_packed(const float *x, const float *w, const float *scale, const float *bias, const float *other,
                        float *y, float *, int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w,
                        int64_t dilation_h, int64_t dilation_w, int64_t group, bool relu, float slope, int64_t N,
                        int64_t C, int64_t H, int64_t W, int64_t O, int64_t I, int64_t R, int64_t S, int64_t P,
                        int64_t Q, int64_t) {
    SIZES(s);
    Forward pass{s, x, w, nullptr};
    return run(pass, Result{y, scale, bias, other, relu, false, slope}, pass.terms(), N * O * P * Q, (int)O, P * Q,
               [&](Term *table) { return launch_each(window_terms_kernel, pass.terms(), s, table, pass.terms()); });
}

int conv_backward_data_implicit(const float *dy, const float *w, const float *bias, float *dx, float *,
                                int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h,
                                int64_t dilation_w, int64_t group, int64_t N, int64_t O, int64_t P, int64_t Q,
                                int64_t I, int64_t R, int64_t S, int64_t C, int64_t H, int64_t W, int64_t) {
    SIZES(s);
    Data pass{s, dy, w, nullptr, {}, {}};
    for (int a = 0; a < 2; a++) {
        pass.tap_step[a] = s.stride[a] / greatest_divisor(s.stride[a], s.dilation[a]);
        pass.most_taps[a] = (s.kernel[a] - 1) / pass.tap_step[a] + 1;
    }
    int64_t entries = pass.phases() * pass.terms();
    return run(pass, Result{dx, nullptr, bias, nullptr, false, false, 0}, entries, N * C * H * W, (int)C, H * W,
               [&](Term *table) { return launch_each(data_terms_kernel, entries, pass, table, entries); });
}

int conv_backward_weights_implicit(const float *x, const float *dy, float *dw, float *, int64_t stride_h,
                                   int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h,
                                   int64_t dilation_w, int64_t group, int64_t N, int64_t C, int64_t H, int64_t W,
                                   int64_t O, int64_t P, int64_t Q, int64_t I, int64_t R, int64_t S, int64_t) {
    SIZES(s);
    Weights pass{s, x, dy, nullptr};
    return run(pass, Result{dw, nullptr, nullptr, nullptr, false, true, 0}, pass.columns(), O * I * R * S, (int)O, I * R * S,
               [&](Term *table) { return launch_each(window_terms_kernel, pass.columns(), s, table, pass.columns()); });
}
