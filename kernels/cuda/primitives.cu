#include "primitives.h"

#ifdef __CUDACC__
#include <cub/cub.cuh>

int sort_pairs(const int32_t *keys, int32_t *sorted_keys, const int32_t *values, int32_t *sorted_values, int64_t n,
               int bits) {
    size_t bytes = 0;
    void *memory;
    RETURN_IF_FAILED(cub::DeviceRadixSort::SortPairs(nullptr, bytes, keys, sorted_keys, values, sorted_values, n, 0,
                                                     bits, current_stream()));
    RETURN_IF_FAILED(device_scratch(&memory, bytes, PRIMITIVE_SCRATCH));
    return cub::DeviceRadixSort::SortPairs(memory, bytes, keys, sorted_keys, values, sorted_values, n, 0, bits,
                                           current_stream());
}

int exclusive_sums(const int32_t *values, int32_t *sums, int64_t n) {
    size_t bytes = 0;
    void *memory;
    RETURN_IF_FAILED(cub::DeviceScan::ExclusiveSum(nullptr, bytes, values, sums, n, current_stream()));
    RETURN_IF_FAILED(device_scratch(&memory, bytes, PRIMITIVE_SCRATCH));
    return cub::DeviceScan::ExclusiveSum(memory, bytes, values, sums, n, current_stream());
}
#else
#include <algorithm>
#include <numeric>
#include <vector>

int sort_pairs(const int32_t *keys, int32_t *sorted_keys, const int32_t *values, int32_t *sorted_values, int64_t n,
               int) {
    std::vector<int64_t> order((size_t)n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [=](int64_t a, int64_t b) { return keys[a] < keys[b]; });
    for (int64_t i = 0; i < n; i++) {
        sorted_keys[i] = keys[order[(size_t)i]];
        sorted_values[i] = values[order[(size_t)i]];
    }
    return cudaSuccess;
}

int exclusive_sums(const int32_t *values, int32_t *sums, int64_t n) {
    std::exclusive_scan(values, values + n, sums, 0);
    return cudaSuccess;
}
#endif
