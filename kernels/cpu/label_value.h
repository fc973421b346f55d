/* Labels that come as floats: a C cast toward zero, with all that no int32 can hold made INT32_MIN. */
#ifndef PYDEEPLAB_LABEL_VALUE_H
#define PYDEEPLAB_LABEL_VALUE_H

#include <stddef.h>
#include <stdint.h>

enum { LABEL_IGNORED = -1, LABEL_BAD = -2 };

/* The class 0..channels-1 of a label, or LABEL_IGNORED, or LABEL_BAD. */
static inline ptrdiff_t label_class(float value, ptrdiff_t channels, const int32_t *ignore, ptrdiff_t ignored)
{
    const int32_t label = value > -2147483648.0f && value < 2147483648.0f ? (int32_t)value : INT32_MIN;
    for (ptrdiff_t i = 0; i < ignored; i++)
        if (label == ignore[i])
            return LABEL_IGNORED;
    return label >= 0 && label < channels ? label : LABEL_BAD;
}

#endif
