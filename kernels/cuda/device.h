/* What every .cu file starts from: CUDA, or in its place the stand-in of host/, so that the same sources run without a
 * GPU. Kernels whose threads wait for each other are started by launch_blocks, all others by launch or launch_each. */
#pragma once

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "host/cuda.h"
#endif

#include "api.h"

#ifdef __CUDACC__
constexpr int BLOCK = 256;
#else
constexpr int BLOCK = 64; /* threads are slow there */
#endif

constexpr int64_t MOST_BLOCKS = 1 << 16;

/* Statuses of our own, beside CUDA's. */
constexpr int BLAS_FAILED = 100000; /* cuBLAS's numbers are added to it */
constexpr int BAD_ARGUMENTS = 200000;
constexpr int BAD_VALUE = 200001; /* an array holds what it must not hold */

/* The work of one thread: i = first, first + step, ... below n. */
#define EACH(i, n)                                                                                                     \
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < (n); i += (int64_t)blockDim.x * gridDim.x)

cudaStream_t current_stream();

/* Device memory of at least so many bytes, the same for every kernel: only for what one entry point needs between its
 * own launches. What the primitives use by themselves lies in another piece. */
enum Scratch { OWN_SCRATCH, PRIMITIVE_SCRATCH, SCRATCHES };
int device_scratch(void **memory, size_t bytes, Scratch piece = OWN_SCRATCH);

#define RETURN_IF_FAILED(call)                                                                                         \
    if (int status_of_call = (call)) return status_of_call

/* a b, rounded before anything is added to it. */
static __device__ inline float round_product(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}

static __device__ inline double round_double_product(double a, double b) {
#ifdef __CUDA_ARCH__
    return __dmul_rn(a, b);
#else
    return a * b;
#endif
}

static inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T> struct Same {
    using type = T;
};

/* Start `kernel` on grid x block threads; the arguments are converted to its parameters' types. */
template <class... P>
int launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, typename Same<P>::type... arguments) {
    if (!grid.x || !grid.y || !grid.z) return cudaSuccess;
#ifdef __CUDACC__
    kernel<<<grid, block, shared, current_stream()>>>(arguments...);
    return cudaGetLastError();
#else
    return host::run(grid, block, shared, false, [=] { kernel(arguments...); });
#endif
}

/* launch, for kernels that call __syncthreads. */
template <class... P>
int launch_blocks(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, typename Same<P>::type... arguments) {
#ifdef __CUDACC__
    return launch(kernel, grid, block, shared, arguments...);
#else
    if (!grid.x || !grid.y || !grid.z) return cudaSuccess;
    return host::run(grid, block, shared, true, [=] { kernel(arguments...); });
#endif
}

/* launch, with as many threads as pay for n independent items. */
template <class... P> int launch_each(void (*kernel)(P...), int64_t n, typename Same<P>::type... arguments) {
    int64_t blocks = divide_up(n, BLOCK);
    return launch(kernel, dim3((unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS)), dim3(BLOCK), 0, arguments...);
}

/* launch_blocks, with one block per row, as many as the grid allows at a time; the kernel steps by gridDim.x. */
template <class... P> int launch_rows(void (*kernel)(P...), int64_t rows, typename Same<P>::type... arguments) {
    return launch_blocks(kernel, dim3((unsigned)(rows < MOST_BLOCKS ? rows : MOST_BLOCKS)), dim3(BLOCK), 0,
                         arguments...);
}
