/* A convolution's window over an image of any number of axes, and the transforms between image and columns. */
#pragma once

#include "device.h"

constexpr int MAX_AXES = 8;

struct Window {
    int axes;
    int64_t image[MAX_AXES], out[MAX_AXES], kernel[MAX_AXES], stride[MAX_AXES], pad[MAX_AXES], dilation[MAX_AXES];
    int64_t pixels, positions, taps;
    bool single; /* one tap, stride 1, no padding: the image is its own columns */
};

/* Fill in what follows from the axes; BAD_ARGUMENTS if they do not fit each other. */
int window_finish(Window *window);

/* For `images` images of `channels` channels. */
int image_to_columns(const Window &window, int64_t images, int64_t channels, const float *image, float *columns);
int columns_to_image(const Window &window, int64_t images, int64_t channels, const float *columns, float *image);
