/* Rows of columns, read by each thread as one number or as four at once. */
#pragma once

#include "device.h"

static __device__ inline void clear(float &x) { x = 0; }

static __device__ inline void clear(float4 &x) { x = make_float4(0, 0, 0, 0); }

/* sum += factor x */
static __device__ inline void add_product(float &sum, float factor, float x) { sum += factor * x; }

static __device__ inline void add_product(float4 &sum, float factor, float4 x) {
    sum.x += factor * x.x;
    sum.y += factor * x.y;
    sum.z += factor * x.z;
    sum.w += factor * x.w;
}

/* Whether rows of so many columns can be read four at a time. */
template <class... Pointers> static inline bool whole_vectors(int64_t columns, const Pointers *...rows) {
    return columns % 4 == 0 && ((((uintptr_t)rows) % 16 == 0) && ...);
}
