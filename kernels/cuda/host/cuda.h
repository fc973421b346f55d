/* CUDA's words for g++: threads are called one after another, or as fibers where they wait for each other; device
 * memory is the host's own. For tests without a GPU: indices, bounds and interfaces are the real ones, times are not. */
#pragma once

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __shared__ static thread_local

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct float2 {
    float x, y;
};

struct alignas(16) float4 {
    float x, y, z, w;
};

static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace host {
extern thread_local dim3 thread_index, block_index, block_size, grid_size;
extern thread_local void *shared_memory;

/* Run `thread` for every thread of every block; `waits` says that the threads may call __syncthreads. */
int run(dim3 grid, dim3 block, size_t shared, bool waits, const std::function<void()> &thread);
void wait_for_block();
} // namespace host

#define threadIdx (host::thread_index)
#define blockIdx (host::block_index)
#define blockDim (host::block_size)
#define gridDim (host::grid_size)
#define __syncthreads() host::wait_for_block()

/* Shared memory whose size the launch says. */
#define DYNAMIC_SHARED(type, name) type *name = static_cast<type *>(host::shared_memory)

/* All threads of the block must take part. */
template <class T> static inline T __shfl_xor_sync(unsigned, T value, int mask, int = 32) {
    static thread_local T shown[1024];
    unsigned at = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    shown[at] = value;
    __syncthreads();
    T other = shown[at ^ (unsigned)mask];
    __syncthreads();
    return other;
}

template <class T> static inline T __ldg(const T *p) { return *p; }
static inline float rsqrtf(float x) { return 1 / __builtin_sqrtf(x); }
static inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
static inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }

template <class T> static inline T atomicAdd(T *p, T value) {
    T before;
#pragma omp critical(atomic_operation)
    {
        before = *p;
        *p = before + value;
    }
    return before;
}

template <class T> static inline T atomicCAS(T *p, T expected, T value) {
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

template <class T> static inline T atomicMin(T *p, T value) {
    T before = __atomic_load_n(p, __ATOMIC_SEQ_CST);
    while (value < before && !__atomic_compare_exchange_n(p, &before, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return before;
}

template <class T> static inline T atomicMax(T *p, T value) {
    T before = __atomic_load_n(p, __ATOMIC_SEQ_CST);
    while (value > before && !__atomic_compare_exchange_n(p, &before, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return before;
}

static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* The part of the runtime that runtime.cu calls. */
enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInvalidDevice = 101,
    cudaErrorNotSupported = 801,
    cudaErrorLaunchFailure = 719,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
typedef struct HostStream *cudaStream_t;
typedef struct HostEvent *cudaEvent_t;

struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem;
    int major, minor, multiProcessorCount;
};

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **pointer, size_t bytes);
cudaError_t cudaFree(void *pointer);
cudaError_t cudaMallocHost(void **pointer, size_t bytes);
cudaError_t cudaFreeHost(void *pointer);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *pointer, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreate(cudaStream_t *stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreate(cudaEvent_t *event);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t first, cudaEvent_t last);
cudaError_t cudaGetLastError();
const char *cudaGetErrorString(cudaError_t error);
