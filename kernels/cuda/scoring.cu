/* Counting pairs of labels. */
#include "label_value.h"

namespace {

struct Pairs {
    const int32_t *truth, *predicted, *bin, *ignore;
    int64_t ignored, bins, classes;
};

__global__ void count_kernel(Pairs p, unsigned long long *counts, unsigned long long *bad, int64_t n) {
    EACH(i, n) {
        int32_t truth = p.truth[i], predicted = p.predicted[i], bin = p.bin ? p.bin[i] : 0;
        bool used = bin >= 0 && bin < p.bins;
        for (int64_t k = 0; k < p.ignored; k++) used = used && truth != p.ignore[k];
        if (!used) continue;
        if (truth >= 0 && truth < p.classes && predicted >= 0 && predicted < p.classes)
            atomicAdd(counts + (bin * p.classes + truth) * p.classes + predicted, 1ull);
        else
            note_place(bad, i);
    }
}

__global__ void start_kernel(unsigned long long *bad) { *bad = NOWHERE; }

} // namespace

int count_pairs(const int32_t *truth, const int32_t *predicted, const int32_t *bin, const int32_t *ignore,
                int64_t *counts, int64_t *bad, int64_t S, int64_t K, int64_t B, int64_t C, int64_t) {
    auto place = (unsigned long long *)bad;
    RETURN_IF_FAILED(launch(start_kernel, dim3(1), dim3(1), 0, place));
    return launch_each(count_kernel, S, Pairs{truth, predicted, bin, ignore, K, B, C}, (unsigned long long *)counts,
                       place, S);
}
