/* Labels that come as floats: cut toward zero, with all that no int32 can hold made INT32_MIN. */
#pragma once

#include "device.h"

constexpr int LABEL_IGNORED = -1, LABEL_BAD = -2;

/* The class 0..channels-1 of a label, or LABEL_IGNORED, or LABEL_BAD. */
static __device__ inline int64_t label_class(float value, int64_t channels, const int32_t *ignore, int64_t ignored) {
    int32_t label = value > -2147483648.0f && value < 2147483648.0f ? (int32_t)value : INT32_MIN;
    for (int64_t i = 0; i < ignored; i++)
        if (label == ignore[i]) return LABEL_IGNORED;
    return label >= 0 && label < channels ? label : LABEL_BAD;
}

/* The first of several places: what nothing has been noted in is NOWHERE. */
constexpr unsigned long long NOWHERE = ~0ull;

static __device__ inline void note_place(unsigned long long *first, int64_t place) {
    atomicMin(first, (unsigned long long)place);
}
