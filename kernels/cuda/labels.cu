/* From scores to labels: the winning channel and the confusion matrix. Scores are [items, channels, positions]. */
#include "label_value.h"

namespace {

struct Scores {
    int64_t items, channels, positions;
};

/* The largest channel of one position, the last of those that tie; NaN never wins. */
__device__ int64_t winner(const float *score, const Scores &s) {
    int64_t best = 0;
    float value = -INFINITY;
    for (int64_t c = 0; c < s.channels; c++) {
        float v = score[c * s.positions];
        if (v >= value) value = v, best = c;
    }
    return best;
}

__device__ const float *column(const float *x, const Scores &s, int64_t i) {
    return x + i / s.positions * s.channels * s.positions + i % s.positions;
}

__global__ void argmax_kernel(const float *x, float *y, bool value, Scores s) {
    EACH(i, s.items * s.positions) {
        const float *score = column(x, s, i);
        int64_t best = winner(score, s);
        y[i] = value ? score[best * s.positions] : (float)best;
    }
}

__global__ void confusion_kernel(const float *score, const float *label, const int32_t *ignore, int64_t ignored,
                                 unsigned long long *confusion, unsigned long long *bad, Scores s) {
    EACH(i, s.items * s.positions) {
        int64_t truth = label_class(label[i], s.channels, ignore, ignored);
        if (truth == LABEL_BAD) note_place(bad, i);
        if (truth >= 0) atomicAdd(confusion + truth * s.channels + winner(column(score, s, i), s), 1ull);
    }
}

__global__ void start_kernel(unsigned long long *bad) { *bad = NOWHERE; }

} // namespace

int argmax_channels(const float *x, float *y, bool value, int64_t N, int64_t C, int64_t S) {
    return launch_each(argmax_kernel, N * S, x, y, value, Scores{N, C, S});
}

/* NOWHERE is -1. */
int confusion_matrix(const float *score, const float *label, const int32_t *ignore, int64_t *confusion, int64_t *bad,
                     int64_t N, int64_t C, int64_t S, int64_t K, int64_t) {
    auto place = (unsigned long long *)bad;
    RETURN_IF_FAILED(launch(start_kernel, dim3(1), dim3(1), 0, place));
    return launch_each(confusion_kernel, N * S, score, label, ignore, K, (unsigned long long *)confusion, place,
                       Scores{N, C, S});
}
