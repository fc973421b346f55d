/* Convolution by columns and matrix products, as many images at a time as the columns have room for. */
#include "channel_sums.h"
#include "conv_window.h"
#include "matrix.h"

namespace {

struct Convolution {
    Window window;
    int64_t batch, channels, outputs, groups;

    int64_t rows() const { return channels / groups * window.taps; }
    int64_t image_size() const { return channels * window.pixels; }
    int64_t map_size() const { return outputs * window.positions; }
    /* Of one image. */
    int64_t columns_size() const { return window.single ? 0 : channels * window.taps * window.positions; }

    /* As many as their columns have room; one where its groups are the batch of the product. */
    int64_t images_at_once(int64_t scratch) const {
        if (groups > 1) return 1;
        return columns_size() ? scratch / columns_size() : batch;
    }

    /* The steps of a product of weights and images: over groups or over images. */
    void set_steps(Product *product, int64_t images) const {
        product->batch = groups > 1 ? groups : images;
        product->a_step = groups > 1 ? product->m * product->k : 0;
        product->b_step = product->k * product->n;
        product->c_step = product->m * product->n;
    }
};

__global__ void add_bias_kernel(float *y, const float *bias, int64_t channels, int64_t inner, int64_t n) {
    EACH(i, n) y[i] += bias[i / inner % channels];
}

struct AddBiasGradient {
    static constexpr int count = 1;
    const float *dy;
    __device__ void operator()(double *sum, int64_t i, int64_t) const { sum[0] += dy[i]; }
};

struct AddToBias {
    float *db;
    __device__ void operator()(const double *sum, int64_t c) const { db[c] += (float)sum[0]; }
};

int add_bias(float *y, const float *bias, int64_t items, int64_t channels, int64_t inner) {
    if (!bias) return cudaSuccess;
    return launch_each(add_bias_kernel, items * channels * inner, y, bias, channels, inner, items * channels * inner);
}

int finish(Convolution *c, int64_t weight_inputs, int64_t scratch) {
    RETURN_IF_FAILED(window_finish(&c->window));
    if (c->groups < 1 || c->channels % c->groups || c->outputs % c->groups) return BAD_ARGUMENTS;
    if (weight_inputs * c->groups != c->channels || scratch < c->columns_size()) return BAD_ARGUMENTS;
    return cudaSuccess;
}

/* The convolution of two axes; P and Q are the map's. */
int plane(Convolution *c, int64_t N, int64_t C, int64_t O, int64_t I, const int64_t (&axes)[6][2], int64_t group,
          int64_t scratch) {
    c->window.axes = 2;
    for (int a = 0; a < 2; a++) {
        c->window.image[a] = axes[0][a], c->window.out[a] = axes[1][a], c->window.kernel[a] = axes[2][a];
        c->window.stride[a] = axes[3][a], c->window.pad[a] = axes[4][a], c->window.dilation[a] = axes[5][a];
    }
    c->batch = N, c->channels = C, c->outputs = O, c->groups = group;
    return finish(c, I, scratch);
}

/* The convolution that a geometry describes: rows of image size, map size, kernel, stride, pad, dilation. */
int any_axes(Convolution *c, int64_t N, int64_t C, int64_t X, int64_t O, int64_t I, int64_t T, int64_t Y,
             const int32_t *geometry, int64_t A, int64_t G, int64_t group, int64_t scratch) {
    if (G != 6 || A > MAX_AXES) return BAD_ARGUMENTS;
    c->window.axes = (int)A;
    for (int64_t a = 0; a < A; a++) {
        const int32_t *row = geometry + a * G;
        c->window.image[a] = row[0], c->window.out[a] = row[1], c->window.kernel[a] = row[2];
        c->window.stride[a] = row[3], c->window.pad[a] = row[4], c->window.dilation[a] = row[5];
    }
    c->batch = N, c->channels = C, c->outputs = O, c->groups = group;
    RETURN_IF_FAILED(finish(c, I, scratch));
    bool fits = c->window.pixels == X && c->window.positions == Y && c->window.taps == T;
    return fits ? (int)cudaSuccess : BAD_ARGUMENTS;
}

int forward(const Convolution &c, const float *x, const float *w, const float *bias, float *y, float *columns,
            int64_t scratch) {
    const Window &window = c.window;
    const int64_t at_once = c.images_at_once(scratch);
    for (int64_t n = 0, images; n < c.batch; n += images) {
        images = at_once < c.batch - n ? at_once : c.batch - n;
        const float *image = x + n * c.image_size(), *factor = window.single ? image : columns;
        if (!window.single) RETURN_IF_FAILED(image_to_columns(window, images, c.channels, image, columns));
        Product product{false, false, c.outputs / c.groups, window.positions, c.rows(), 0, 0, 0, 0};
        c.set_steps(&product, images);
        RETURN_IF_FAILED(matrix_product(product, 1, w, factor, 0, y + n * c.map_size()));
    }
    return add_bias(y, bias, c.batch, c.outputs, window.positions);
}

int backward_data(const Convolution &c, const float *dy, const float *w, const float *bias, float *dx, float *columns,
                  int64_t scratch) {
    const Window &window = c.window;
    const int64_t at_once = c.images_at_once(scratch);
    for (int64_t n = 0, images; n < c.batch; n += images) {
        images = at_once < c.batch - n ? at_once : c.batch - n;
        float *image = dx + n * c.image_size();
        Product product{true, false, c.rows(), window.positions, c.outputs / c.groups, 0, 0, 0, 0};
        c.set_steps(&product, images);
        RETURN_IF_FAILED(matrix_product(product, 1, w, dy + n * c.map_size(), 0, window.single ? image : columns));
        if (!window.single) RETURN_IF_FAILED(columns_to_image(window, images, c.channels, columns, image));
    }
    return add_bias(dx, bias, c.batch, c.channels, window.pixels);
}

int backward_weights(const Convolution &c, const float *x, const float *dy, float *dw, float *columns) {
    const Window &window = c.window;
    Product product{false, true, c.outputs / c.groups, c.rows(), window.positions, c.groups, 0, 0, 0};
    product.a_step = product.m * product.k;
    product.b_step = product.k * product.n;
    product.c_step = product.m * product.n;
    for (int64_t n = 0; n < c.batch; n++) {
        const float *image = x + n * c.image_size(), *factor = window.single ? image : columns;
        if (!window.single) RETURN_IF_FAILED(image_to_columns(window, 1, c.channels, image, columns));
        RETURN_IF_FAILED(matrix_product(product, 1, dy + n * c.map_size(), factor, 1, dw));
    }
    return cudaSuccess;
}

} // namespace

#define PLANE_AXES                                                                                                     \
    { {H, W}, {P, Q}, {R, S}, {stride_h, stride_w}, {pad_h, pad_w}, {dilation_h, dilation_w} }

int conv_forward(const float *x, const float *w, const float *bias, float *y, float *columns, int64_t stride_h,
                 int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t group,
                 int64_t N, int64_t C, int64_t H, int64_t W, int64_t O, int64_t I, int64_t R, int64_t S, int64_t P,
                 int64_t Q, int64_t columns_size) {
    Convolution c;
    RETURN_IF_FAILED(plane(&c, N, C, O, I, PLANE_AXES, group, columns_size));
    return forward(c, x, w, bias, y, columns, columns_size);
}

int conv_backward_data(const float *dy, const float *w, const float *bias, float *dx, float *columns, int64_t stride_h,
                       int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                       int64_t group, int64_t N, int64_t O, int64_t P, int64_t Q, int64_t I, int64_t R, int64_t S,
                       int64_t C, int64_t H, int64_t W, int64_t columns_size) {
    Convolution c;
    RETURN_IF_FAILED(plane(&c, N, C, O, I, PLANE_AXES, group, columns_size));
    return backward_data(c, dy, w, bias, dx, columns, columns_size);
}

int conv_backward_weights(const float *x, const float *dy, float *dw, float *columns, int64_t stride_h,
                          int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                          int64_t group, int64_t N, int64_t C, int64_t H, int64_t W, int64_t O, int64_t P, int64_t Q,
                          int64_t I, int64_t R, int64_t S, int64_t columns_size) {
    Convolution c;
    RETURN_IF_FAILED(plane(&c, N, C, O, I, PLANE_AXES, group, columns_size));
    return backward_weights(c, x, dy, dw, columns);
}

int conv_backward_bias(const float *dy, float *db, int64_t N, int64_t O, int64_t Y) {
    return channel_sums(AddBiasGradient{dy}, AddToBias{db}, {N, O, Y});
}

int conv_nd_forward(const float *x, const float *w, const float *bias, float *y, float *columns,
                    const int32_t *geometry, int64_t group, int64_t N, int64_t C, int64_t X, int64_t O, int64_t I,
                    int64_t T, int64_t Y, int64_t columns_size, int64_t A, int64_t G) {
    Convolution c;
    RETURN_IF_FAILED(any_axes(&c, N, C, X, O, I, T, Y, geometry, A, G, group, columns_size));
    return forward(c, x, w, bias, y, columns, columns_size);
}

int conv_nd_backward_data(const float *dy, const float *w, const float *bias, float *dx, float *columns,
                          const int32_t *geometry, int64_t group, int64_t N, int64_t O, int64_t Y, int64_t I,
                          int64_t T, int64_t C, int64_t X, int64_t columns_size, int64_t A, int64_t G) {
    Convolution c;
    RETURN_IF_FAILED(any_axes(&c, N, C, X, O, I, T, Y, geometry, A, G, group, columns_size));
    return backward_data(c, dy, w, bias, dx, columns, columns_size);
}

int conv_nd_backward_weights(const float *x, const float *dy, float *dw, float *columns, const int32_t *geometry,
                             int64_t group, int64_t N, int64_t C, int64_t X, int64_t O, int64_t Y, int64_t I,
                             int64_t T, int64_t columns_size, int64_t A, int64_t G) {
    Convolution c;
    RETURN_IF_FAILED(any_axes(&c, N, C, X, O, I, T, Y, geometry, A, G, group, columns_size));
    return backward_weights(c, x, dy, dw, columns);
}

int im2col(const float *x, float *columns, int64_t kernel_h, int64_t kernel_w, int64_t stride_h, int64_t stride_w,
           int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t C, int64_t H,
           int64_t W, int64_t K, int64_t P, int64_t Q) {
    const int64_t R = kernel_h, S = kernel_w;
    Convolution c;
    RETURN_IF_FAILED(plane(&c, N, C, 1, C, PLANE_AXES, 1, INT64_MAX));
    if (K != C * c.window.taps) return BAD_ARGUMENTS;
    return image_to_columns(c.window, N, C, x, columns);
}

int col2im(const float *columns, float *x, int64_t kernel_h, int64_t kernel_w, int64_t stride_h, int64_t stride_w,
           int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t K, int64_t P,
           int64_t Q, int64_t C, int64_t H, int64_t W) {
    const int64_t R = kernel_h, S = kernel_w;
    Convolution c;
    RETURN_IF_FAILED(plane(&c, N, C, 1, C, PLANE_AXES, 1, INT64_MAX));
    if (K != C * c.window.taps) return BAD_ARGUMENTS;
    return columns_to_image(c.window, N, C, columns, x);
}

int im2col_nd(const float *x, float *columns, const int32_t *geometry, int64_t N, int64_t C, int64_t X, int64_t K,
              int64_t Y, int64_t A, int64_t G) {
    Convolution c;
    RETURN_IF_FAILED(any_axes(&c, N, C, X, 1, C, C ? K / C : 0, Y, geometry, A, G, 1, INT64_MAX));
    return image_to_columns(c.window, N, C, x, columns);
}

int col2im_nd(const float *columns, float *x, const int32_t *geometry, int64_t N, int64_t K, int64_t Y, int64_t C,
              int64_t X, int64_t A, int64_t G) {
    Convolution c;
    RETURN_IF_FAILED(any_axes(&c, N, C, X, 1, C, C ? K / C : 0, Y, geometry, A, G, 1, INT64_MAX));
    return columns_to_image(c.window, N, C, columns, x);
}
