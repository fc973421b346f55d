/* Sorting and running sums: CUB's on a GPU, the standard library's on the host. Both keep the order of equal keys. */
#pragma once

#include "device.h"

/* Sort the n pairs by their keys, 0 <= key < 2^bits, into `sorted_keys` and `sorted_values`. */
int sort_pairs(const int32_t *keys, int32_t *sorted_keys, const int32_t *values, int32_t *sorted_values, int64_t n,
               int bits);

/* sums[i] = values[0] + ... + values[i - 1] */
int exclusive_sums(const int32_t *values, int32_t *sums, int64_t n);
