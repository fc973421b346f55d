#include "conv_window.h"

namespace {

/* AXES is 2, whose loops unroll, or 0: as many as the window has. */
template <int AXES>
__global__ void image_to_columns_kernel(Window w, int64_t planes, const float *image, float *columns) {
    const int axes = AXES ? AXES : w.axes;
    EACH(i, planes * w.taps * w.positions) {
        int64_t position = i % w.positions, tap = i / w.positions % w.taps, plane = i / (w.positions * w.taps);
        int64_t pixel = 0, step = 1;
        bool inside = true;
        for (int a = axes - 1; a >= 0; a--) {
            int64_t at =
                position % w.out[a] * w.stride[a] - w.pad[a] + tap % w.kernel[a] * w.dilation[a];
            position /= w.out[a], tap /= w.kernel[a];
            inside = inside && at >= 0 && at < w.image[a];
            pixel += at * step, step *= w.image[a];
        }
        columns[i] = inside ? image[plane * w.pixels + pixel] : 0;
    }
}

/* What a pixel was copied to, tap by tap. */
template <int AXES>
__global__ void columns_to_image_kernel(Window w, int64_t planes, const float *columns, float *image) {
    const int axes = AXES ? AXES : w.axes;
    EACH(i, planes * w.pixels) {
        int64_t plane = i / w.pixels;
        float sum = 0;
        for (int64_t tap = 0; tap < w.taps; tap++) {
            int64_t rest = tap, pixel = i % w.pixels, position = 0, step = 1;
            bool inside = true;
            for (int a = axes - 1; a >= 0; a--) {
                int64_t at = pixel % w.image[a] + w.pad[a] - rest % w.kernel[a] * w.dilation[a];
                rest /= w.kernel[a], pixel /= w.image[a];
                int64_t to = at / w.stride[a];
                inside = inside && at >= 0 && to * w.stride[a] == at && to < w.out[a];
                position += to * step, step *= w.out[a];
            }
            if (inside) sum += columns[(plane * w.taps + tap) * w.positions + position];
        }
        image[i] = sum;
    }
}

} // namespace

int window_finish(Window *w) {
    w->pixels = w->positions = w->taps = 1;
    w->single = true;
    if (w->axes < 0 || w->axes > MAX_AXES) return BAD_ARGUMENTS;
    for (int a = 0; a < w->axes; a++) {
        if (w->kernel[a] < 1 || w->stride[a] < 1 || w->dilation[a] < 1 || w->pad[a] < 0) return BAD_ARGUMENTS;
        int64_t room = w->image[a] + 2 * w->pad[a] - (w->dilation[a] * (w->kernel[a] - 1) + 1);
        if (room < 0 || w->out[a] != room / w->stride[a] + 1) return BAD_ARGUMENTS;
        w->pixels *= w->image[a], w->positions *= w->out[a], w->taps *= w->kernel[a];
        w->single = w->single && w->kernel[a] == 1 && w->stride[a] == 1 && w->pad[a] == 0;
    }
    return cudaSuccess;
}

int image_to_columns(const Window &w, int64_t images, int64_t channels, const float *image, float *columns) {
    int64_t planes = images * channels;
    return launch_each(w.axes == 2 ? image_to_columns_kernel<2> : image_to_columns_kernel<0>,
                       planes * w.taps * w.positions, w, planes, image, columns);
}

int columns_to_image(const Window &w, int64_t images, int64_t channels, const float *columns, float *image) {
    int64_t planes = images * channels;
    return launch_each(w.axes == 2 ? columns_to_image_kernel<2> : columns_to_image_kernel<0>, planes * w.pixels, w,
                       planes, columns, image);
}
