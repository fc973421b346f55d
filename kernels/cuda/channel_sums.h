/* Sums over all items and pixels of a channel: pieces by blocks, then the pieces in order, so that the result depends on
 * the shape alone. */
#pragma once

#include "reduce.h"

struct ChannelShape {
    int64_t items, channels, inner;
};

constexpr int64_t PIECE = 1 << 14;
constexpr int64_t THIN = 32; /* channels of fewer pixels are summed by one thread each */

/* `Term` has a constant `count` and adds to count sums: term(sums, index into the array, channel). */
template <class Term> __global__ void channel_pieces_kernel(Term term, ChannelShape s, int64_t pieces, double *sums) {
    for (int64_t row = blockIdx.x; row < s.channels * s.items * pieces; row += gridDim.x) {
        int64_t c = row / (s.items * pieces), item = row / pieces % s.items, piece = row % pieces;
        int64_t first = (item * s.channels + c) * s.inner;
        int64_t end = (piece + 1) * PIECE < s.inner ? (piece + 1) * PIECE : s.inner;
        double sum[Term::count] = {};
        for (int64_t i = piece * PIECE + threadIdx.x; i < end; i += BLOCK) term(sum, first + i, c);
        for (int k = 0; k < Term::count; k++) {
            double total = block_sum(sum[k]);
            if (threadIdx.x == 0) sums[row * Term::count + k] = total;
        }
    }
}

template <class Term, class Finish>
__global__ void channel_pieces_finish_kernel(Finish finish, ChannelShape s, int64_t pieces, const double *sums) {
    EACH(c, s.channels) {
        double sum[Term::count] = {};
        for (int64_t i = 0; i < s.items * pieces; i++)
            for (int k = 0; k < Term::count; k++) sum[k] += sums[(c * s.items * pieces + i) * Term::count + k];
        finish(sum, c);
    }
}

template <class Term, class Finish> __global__ void channel_thin_kernel(Term term, Finish finish, ChannelShape s) {
    EACH(c, s.channels) {
        double sum[Term::count] = {};
        for (int64_t item = 0; item < s.items; item++)
            for (int64_t i = 0; i < s.inner; i++) term(sum, (item * s.channels + c) * s.inner + i, c);
        finish(sum, c);
    }
}

/* Bytes of scratch that channel_sums uses. */
template <class Term> size_t channel_sums_scratch(ChannelShape s) {
    return (size_t)(s.channels * s.items * divide_up(s.inner, PIECE) * Term::count) * sizeof(double);
}

/* Sum the terms of every channel and hand the sums on: finish(sums, channel). */
template <class Term, class Finish> int channel_sums(Term term, Finish finish, ChannelShape s) {
    if (s.inner < THIN) return launch_each(channel_thin_kernel<Term, Finish>, s.channels, term, finish, s);
    int64_t pieces = divide_up(s.inner, PIECE), rows = s.channels * s.items * pieces;
    void *sums;
    RETURN_IF_FAILED(device_scratch(&sums, channel_sums_scratch<Term>(s)));
    RETURN_IF_FAILED(launch_rows(channel_pieces_kernel<Term>, rows, term, s, pieces, (double *)sums));
    return launch_each(channel_pieces_finish_kernel<Term, Finish>, s.channels, finish, s, pieces, (double *)sums);
}
