/* What is done to an output's values before they are stored. */
#ifndef PYDEEPLAB_EPILOGUE_H
#define PYDEEPLAB_EPILOGUE_H

/* act(scale[o] value + bias[o]), act(v) = max(v, 0) + slope min(v, 0) if relu, else v; NULL: 1 and 0. */
typedef struct {
    const float *scale, *bias;
    int relu;
    float slope;
} Epilogue;

static inline float rectified(float value, float slope) { return (value < 0 ? 0 : value) + slope * (value > 0 ? 0 : value); }

#endif
