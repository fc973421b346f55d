/* The device, its memory and the one stream that everything runs on, in order. */
#include "runtime.h"

#include <string.h>

#include "device.h"

namespace {

/* What the host wants copied passes through two pinned halves: one fills while the other travels. */
constexpr size_t HALF = 8 << 20;

struct Stage {
    char *memory = nullptr;
    cudaEvent_t sent = nullptr;
};

cudaStream_t stream;
bool started;
Stage stages[2];
int next_stage;
void *scratch[SCRATCHES];
size_t scratch_bytes[SCRATCHES];
int64_t growths;
bool recording; /* kernels for a graph; what must wait or lasts for one run only cannot be among them */

int start() {
    if (started) return cudaSuccess;
    RETURN_IF_FAILED(cudaStreamCreate(&stream));
    for (Stage &stage : stages) {
        RETURN_IF_FAILED(cudaMallocHost((void **)&stage.memory, HALF));
        RETURN_IF_FAILED(cudaEventCreate(&stage.sent));
    }
    started = true;
    return cudaSuccess;
}

} // namespace

cudaStream_t current_stream() { return stream; }

int device_scratch(void **memory, size_t bytes, Scratch piece) {
    if (bytes > scratch_bytes[piece]) {
        if (recording) return cudaErrorNotSupported;
        growths++;
        RETURN_IF_FAILED(cudaStreamSynchronize(stream));
        RETURN_IF_FAILED(cudaFree(scratch[piece]));
        scratch[piece] = nullptr, scratch_bytes[piece] = 0;
        RETURN_IF_FAILED(memory_allocate(&scratch[piece], (int64_t)bytes));
        scratch_bytes[piece] = bytes;
    }
    *memory = scratch[piece];
    return cudaSuccess;
}

EXPORT int scratch_growths(int64_t *count) {
    *count = growths;
    return cudaSuccess;
}

EXPORT const char *status_text(int status) { return cudaGetErrorString((cudaError_t)status); }

EXPORT int device_count(int *count) { return cudaGetDeviceCount(count); }

EXPORT int device_select(int device) {
    int current = -1;
    if (started) {
        RETURN_IF_FAILED(cudaGetDevice(&current));
        return current == device ? cudaSuccess : cudaErrorInvalidDevice;
    }
    RETURN_IF_FAILED(cudaSetDevice(device));
    return start();
}

EXPORT int device_describe(int device, DeviceDescription *description) {
    cudaDeviceProp properties;
    RETURN_IF_FAILED(cudaGetDeviceProperties(&properties, device));
    memset(description, 0, sizeof *description);
    memcpy(description->name, properties.name, sizeof description->name - 1);
    description->memory = (int64_t)properties.totalGlobalMem;
    description->major = properties.major;
    description->minor = properties.minor;
    description->multiprocessors = properties.multiProcessorCount;
    RETURN_IF_FAILED(cudaDriverGetVersion(&description->driver));
    return cudaRuntimeGetVersion(&description->runtime);
}

EXPORT int memory_allocate(void **pointer, int64_t bytes) {
    int status = cudaMalloc(pointer, (size_t)bytes);
    if (status) cudaGetLastError(); /* so that the next launch does not report it again */
    return status;
}

EXPORT int memory_free(void *pointer) { return cudaFree(pointer); }

EXPORT int memory_info(int64_t *free, int64_t *total) {
    size_t available, all;
    RETURN_IF_FAILED(cudaMemGetInfo(&available, &all));
    *free = (int64_t)available;
    *total = (int64_t)all;
    return cudaSuccess;
}

EXPORT int memory_clear(void *pointer, int64_t bytes) {
    return bytes ? cudaMemsetAsync(pointer, 0, (size_t)bytes, stream) : cudaSuccess;
}

EXPORT int copy_to_device(void *to, const void *from, int64_t bytes) {
    if (recording) return cudaErrorNotSupported;
    for (int64_t done = 0; done < bytes;) {
        Stage &stage = stages[next_stage];
        next_stage ^= 1;
        size_t piece = (size_t)(bytes - done) < HALF ? (size_t)(bytes - done) : HALF;
        RETURN_IF_FAILED(cudaEventSynchronize(stage.sent));
        memcpy(stage.memory, (const char *)from + done, piece);
        RETURN_IF_FAILED(cudaMemcpyAsync((char *)to + done, stage.memory, piece, cudaMemcpyHostToDevice, stream));
        RETURN_IF_FAILED(cudaEventRecord(stage.sent, stream));
        done += (int64_t)piece;
    }
    return cudaSuccess;
}

EXPORT int copy_to_host(void *to, const void *from, int64_t bytes) {
    if (recording) return cudaErrorNotSupported;
    if (bytes) RETURN_IF_FAILED(cudaMemcpyAsync(to, from, (size_t)bytes, cudaMemcpyDeviceToHost, stream));
    return cudaStreamSynchronize(stream);
}

EXPORT int copy_on_device(void *to, const void *from, int64_t bytes) {
    return bytes ? cudaMemcpyAsync(to, from, (size_t)bytes, cudaMemcpyDeviceToDevice, stream) : cudaSuccess;
}

EXPORT int stream_get(void **result) {
    *result = stream;
    return cudaSuccess;
}

EXPORT int synchronize() { return recording ? cudaErrorNotSupported : cudaStreamSynchronize(stream); }

EXPORT int event_create(void **event) { return cudaEventCreate((cudaEvent_t *)event); }

EXPORT int event_destroy(void *event) { return cudaEventDestroy((cudaEvent_t)event); }

EXPORT int event_record(void *event) { return cudaEventRecord((cudaEvent_t)event, stream); }

EXPORT int event_elapsed(float *milliseconds, void *first, void *last) {
    RETURN_IF_FAILED(cudaEventSynchronize((cudaEvent_t)last));
    return cudaEventElapsedTime(milliseconds, (cudaEvent_t)first, (cudaEvent_t)last);
}

#ifdef __CUDACC__
EXPORT int graph_begin() {
    RETURN_IF_FAILED(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    recording = true;
    return cudaSuccess;
}

EXPORT int graph_end(void **graph) {
    cudaGraph_t recorded;
    recording = false;
    if (int failed = cudaStreamEndCapture(stream, &recorded)) {
        cudaGetLastError(); /* so that the next launch does not report it again */
        return failed;
    }
    int status = cudaGraphInstantiate((cudaGraphExec_t *)graph, recorded, 0);
    cudaGraphDestroy(recorded);
    return status;
}

EXPORT int graph_launch(void *graph) { return cudaGraphLaunch((cudaGraphExec_t)graph, stream); }

EXPORT int graph_destroy(void *graph) { return cudaGraphExecDestroy((cudaGraphExec_t)graph); }
#else
EXPORT int graph_begin() { return cudaErrorNotSupported; }

EXPORT int graph_end(void **) { return cudaErrorNotSupported; }

EXPORT int graph_launch(void *) { return cudaErrorNotSupported; }

EXPORT int graph_destroy(void *) { return cudaErrorNotSupported; }
#endif
