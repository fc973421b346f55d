/* Sums and maxima over the threads of a block, in an order that depends on the block's size alone. */
#pragma once

#include "device.h"

struct Add {
    template <class T> __device__ T operator()(T a, T b) const { return a + b; }
};

struct Larger {
    template <class T> __device__ T operator()(T a, T b) const { return a > b ? a : b; }
};

/* All BLOCK threads of a one-dimensional block must call it; all get the result. */
template <class Operation, class T> static __device__ inline T block_reduce(T value, Operation combine) {
    __shared__ T partial[BLOCK];
    __syncthreads(); /* an earlier result may still be being read */
    partial[threadIdx.x] = value;
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) partial[threadIdx.x] = combine(partial[threadIdx.x], partial[threadIdx.x + half]);
    }
    __syncthreads();
    return partial[0];
}

template <class T> static __device__ inline T block_sum(T value) { return block_reduce(value, Add()); }

template <class T> static __device__ inline T block_max(T value) { return block_reduce(value, Larger()); }
