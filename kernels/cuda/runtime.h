/* What Python calls beside the kernels. Every function returns 0 or one of CUDA's error numbers. */
#pragma once

#include <stdint.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

struct DeviceDescription {
    char name[256];
    int64_t memory;
    int32_t major, minor, multiprocessors, driver, runtime;
};

EXPORT const char *status_text(int status);
EXPORT int device_count(int *count);
EXPORT int device_select(int device);
EXPORT int device_describe(int device, DeviceDescription *description);
EXPORT int memory_allocate(void **pointer, int64_t bytes);
EXPORT int memory_free(void *pointer);
EXPORT int memory_info(int64_t *free, int64_t *total);
EXPORT int memory_clear(void *pointer, int64_t bytes);
EXPORT int copy_to_device(void *to, const void *from, int64_t bytes);
EXPORT int copy_to_host(void *to, const void *from, int64_t bytes);
EXPORT int copy_on_device(void *to, const void *from, int64_t bytes);
EXPORT int stream_get(void **stream);
EXPORT int synchronize();
EXPORT int event_create(void **event);
EXPORT int event_destroy(void *event);
EXPORT int event_record(void *event);
EXPORT int event_elapsed(float *milliseconds, void *first, void *last);
/* How often scratch memory has grown, and thereby moved. */
EXPORT int scratch_growths(int64_t *count);
EXPORT int graph_begin();
EXPORT int graph_end(void **graph);
EXPORT int graph_launch(void *graph);
EXPORT int graph_destroy(void *graph);
EXPORT int blas_use(void *handle, void *sgemm_strided_batched);
EXPORT int math_use(int tf32);
