/* exp of numbers that are not positive, as a softmax needs it, in a form that compilers vectorise. */
#ifndef PYDEEPLAB_EXPONENTIAL_H
#define PYDEEPLAB_EXPONENTIAL_H

#include <stdint.h>
#include <string.h>

/* exp(x) for x <= 0, to 1.5 units in the last place; 0 where the result would be denormal; NaN for NaN.
 * x = n ln 2 + r with |r| <= ln 2 / 2; e^r by the minimax polynomial of the Cephes library. */
static inline __attribute__((always_inline)) float exp_nonpositive(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
    const float clamped = x < -87.33f ? -87.33f : x;
    const float shifted = clamped * 1.44269504f + magic;
    const float n = shifted - magic;
    const float r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000u;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return x < -87.33f ? 0.0f : p * scale;
}

#endif
