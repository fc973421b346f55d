/* Every kernel, as derived from the kernel table by `python -m pydeeplab.backend.cuda.build api`. */
#pragma once

#include <stdint.h>

extern "C" {
#pragma GCC visibility push(default)

/* activation */
int relu_forward(const float *x, float *y, float slope, int64_t n);
int relu_backward(const float *x, const float *dy, float *dx, float slope, int64_t n);
int sigmoid_forward(const float *x, float *y, float beta, int64_t n);
int sigmoid_backward(const float *y, const float *dy, float *dx, int64_t n);
int tanh_forward(const float *x, float *y, int64_t n);
int tanh_backward(const float *y, const float *dy, float *dx, int64_t n);
int elu_forward(const float *x, float *y, float alpha, int64_t n);
int elu_backward(const float *x, const float *y, const float *dy, float *dx, float alpha, int64_t n);
int clip_forward(const float *x, float *y, float low, float high, int64_t n);
int clip_backward(const float *x, const float *dy, float *dx, float low, float high, int64_t n);

/* channel */
int channel_affine_forward(const float *x, float *y, const float *scale, const float *shift, float slope, bool relu,
                           int64_t N, int64_t C, int64_t n);
int channel_scale_gradient(const float *x, const float *dy, float *dscale, int64_t N, int64_t C, int64_t n);
int channel_bias_gradient(const float *dy, float *dshift, int64_t N, int64_t C, int64_t n);
int channel_statistics(const float *x, float *mean, float *variance, int64_t N, int64_t C, int64_t n);
int channel_normalize_forward(const float *x, const float *mean, const float *variance, const float *scale,
                              const float *shift, float *y, float eps, int64_t N, int64_t C, int64_t n);
int channel_normalize_backward(const float *x, const float *dy, const float *mean, const float *variance,
                               const float *scale, float *dx, float *dscale, float *dshift, float eps, bool batch,
                               int64_t N, int64_t C, int64_t n);
int prelu_forward(const float *x, const float *slope, float *y, int64_t N, int64_t C, int64_t n);
int prelu_backward(const float *x, const float *dy, const float *slope, float *dx, int64_t N, int64_t C, int64_t n);
int prelu_slope_gradient(const float *x, const float *dy, float *dslope, int64_t N, int64_t C, int64_t n);

/* conv */
int im2col(const float *x, float *columns, int64_t kernel_h, int64_t kernel_w, int64_t stride_h, int64_t stride_w,
           int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t C, int64_t H,
           int64_t W, int64_t K, int64_t P, int64_t Q);
int col2im(const float *columns, float *x, int64_t kernel_h, int64_t kernel_w, int64_t stride_h, int64_t stride_w,
           int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t K, int64_t P,
           int64_t Q, int64_t C, int64_t H, int64_t W);
int im2col_nd(const float *x, float *columns, const int32_t *geometry, int64_t N, int64_t C, int64_t X, int64_t K,
              int64_t Y, int64_t A, int64_t G);
int col2im_nd(const float *columns, float *x, const int32_t *geometry, int64_t N, int64_t K, int64_t Y, int64_t C,
              int64_t X, int64_t A, int64_t G);
int conv_forward(const float *x, const float *w, const float *bias, float *y, float *columns, int64_t stride_h,
                 int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t group,
                 int64_t N, int64_t C, int64_t H, int64_t W, int64_t O, int64_t I, int64_t R, int64_t S, int64_t P,
                 int64_t Q, int64_t columns_size);
int conv_backward_data(const float *dy, const float *w, const float *bias, float *dx, float *columns, int64_t stride_h,
                       int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                       int64_t group, int64_t N, int64_t O, int64_t P, int64_t Q, int64_t I, int64_t R, int64_t S,
                       int64_t C, int64_t H, int64_t W, int64_t columns_size);
int conv_backward_weights(const float *x, const float *dy, float *dw, float *columns, int64_t stride_h,
                          int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                          int64_t group, int64_t N, int64_t C, int64_t H, int64_t W, int64_t O, int64_t P, int64_t Q,
                          int64_t I, int64_t R, int64_t S, int64_t columns_size);
int conv_backward_bias(const float *dy, float *db, int64_t N, int64_t O, int64_t Y);
int conv_forward_packed(const float *x, const float *w, const float *scale, const float *bias, const float *other,
                        float *y, float *work, int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w,
                        int64_t dilation_h, int64_t dilation_w, int64_t group, bool relu, float slope, int64_t N,
                        int64_t C, int64_t H, int64_t W, int64_t O, int64_t I, int64_t R, int64_t S, int64_t P,
                        int64_t Q, int64_t work_size);
int conv_backward_data_implicit(const float *dy, const float *w, const float *bias, float *dx, float *columns,
                                int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h,
                                int64_t dilation_w, int64_t group, int64_t N, int64_t O, int64_t P, int64_t Q,
                                int64_t I, int64_t R, int64_t S, int64_t C, int64_t H, int64_t W, int64_t columns_size);
int conv_backward_weights_implicit(const float *x, const float *dy, float *dw, float *columns, int64_t stride_h,
                                   int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h,
                                   int64_t dilation_w, int64_t group, int64_t N, int64_t C, int64_t H, int64_t W,
                                   int64_t O, int64_t P, int64_t Q, int64_t I, int64_t R, int64_t S,
                                   int64_t columns_size);
int conv_nd_forward(const float *x, const float *w, const float *bias, float *y, float *columns,
                    const int32_t *geometry, int64_t group, int64_t N, int64_t C, int64_t X, int64_t O, int64_t I,
                    int64_t T, int64_t Y, int64_t columns_size, int64_t A, int64_t G);
int conv_nd_backward_data(const float *dy, const float *w, const float *bias, float *dx, float *columns,
                          const int32_t *geometry, int64_t group, int64_t N, int64_t O, int64_t Y, int64_t I,
                          int64_t T, int64_t C, int64_t X, int64_t columns_size, int64_t A, int64_t G);
int conv_nd_backward_weights(const float *x, const float *dy, float *dw, float *columns, const int32_t *geometry,
                             int64_t group, int64_t N, int64_t C, int64_t X, int64_t O, int64_t Y, int64_t I,
                             int64_t T, int64_t columns_size, int64_t A, int64_t G);
int depthwise_forward(const float *x, const float *w, const float *bias, float *y, int64_t stride_h, int64_t stride_w,
                      int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t C,
                      int64_t H, int64_t W, int64_t O, int64_t I, int64_t R, int64_t S, int64_t P, int64_t Q);
int depthwise_backward_data(const float *dy, const float *w, const float *bias, float *dx, int64_t stride_h,
                            int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                            int64_t N, int64_t O, int64_t P, int64_t Q, int64_t I, int64_t R, int64_t S, int64_t C,
                            int64_t H, int64_t W);
int depthwise_backward_weights(const float *x, const float *dy, float *dw, int64_t stride_h, int64_t stride_w,
                               int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N,
                               int64_t C, int64_t H, int64_t W, int64_t O, int64_t P, int64_t Q, int64_t I, int64_t R,
                               int64_t S);

/* crf */
int lattice_features(const float *image, const float *band_std, float *feature, int64_t height, int64_t width,
                     float xy_std, int64_t B, int64_t H, int64_t W, int64_t N, int64_t d);
int lattice_embed(const float *feature, int16_t *key, int32_t *vertex, float *weight, int32_t *count, int64_t N,
                  int64_t d, int64_t K, int64_t k, int64_t one);
int lattice_neighbours(const int16_t *key, int32_t *neighbour, int64_t M, int64_t d, int64_t k, int64_t two);
int lattice_transpose(const int32_t *vertex, const float *weight, const float *scale, int32_t *start, int32_t *point,
                      float *share, int64_t N, int64_t k, int64_t R, int64_t E);
int lattice_gather(const float *x, const int32_t *start, const int32_t *point, const float *share,
                   const int32_t *neighbour, float *values, float *other, int64_t N, int64_t P, int64_t R, int64_t E,
                   int64_t k, int64_t M, int64_t two);
int lattice_slice(const float *values, const int32_t *vertex, const float *weight, float *y, int64_t R, int64_t P,
                  int64_t N, int64_t k);
int lattice_scale(const float *sum, float *scale, float factor, bool root, int64_t N);
int crf_join(const int32_t *vertex, const float *weight, const float *scale, int32_t *all_vertex, float *all_weight,
             int64_t column, int64_t base, float factor, int64_t N, int64_t k, int64_t T);
int crf_mix(const float *matrix, float *values, int64_t C, int64_t R, int64_t P);
int crf_update(const float *score, const int32_t *vertex, const float *weight, const float *values, float *q,
               int64_t N, int64_t P, int64_t T, int64_t R);
int crf_pack(const float *score, float *packed, int64_t height, int64_t width, int64_t C, int64_t H, int64_t W,
             int64_t N, int64_t P);
int crf_unpack(const float *packed, float *score, int64_t height, int64_t width, bool log, int64_t N, int64_t P,
               int64_t C, int64_t H, int64_t W);

/* domain_transform */
int domain_transform_forward(const float *x, const float *g, const float *size, float *y, int64_t iterations,
                             float spatial_sigma, float range_sigma, float min_weight, bool clamp, int64_t N,
                             int64_t C, int64_t H, int64_t W, int64_t two);
int domain_transform_backward(const float *x, const float *g, const float *size, const float *dy, float *dx, float *dg,
                              int64_t iterations, float spatial_sigma, float range_sigma, float min_weight, int64_t N,
                              int64_t C, int64_t H, int64_t W, int64_t two);

/* dropout */
int dropout_forward(const float *x, float *y, int64_t seed, int64_t offset, float ratio, int64_t n);

/* eltwise */
int eltwise_add_forward(const float *a, const float *b, float *y, float alpha, float beta, bool relu, int64_t n);
int eltwise_multiply_forward(const float *a, const float *b, float *y, int64_t n);
int eltwise_ratio_backward(const float *y, const float *x, const float *dy, float *dx, int64_t n);
int eltwise_max_forward(const float *a, const float *b, float *y, int32_t *winner, int64_t index, int64_t n);
int eltwise_max_backward(const int32_t *winner, const float *dy, float *dx, int64_t index, int64_t n);
int axpby(const float *x, float *y, float alpha, float beta, int64_t n);

/* gemm */
int inner_product_forward(const float *x, const float *w, const float *bias, float *y, bool transpose, int64_t M,
                          int64_t K, int64_t A, int64_t B, int64_t N);
int inner_product_backward_data(const float *dy, const float *w, float *dx, bool transpose, int64_t M, int64_t N,
                                int64_t A, int64_t B, int64_t K);
int inner_product_backward_weights(const float *x, const float *dy, float *dw, bool transpose, int64_t M, int64_t K,
                                   int64_t N, int64_t A, int64_t B);

/* image */
int image_resize_bilinear(const uint8_t *x, uint8_t *y, int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q);
int image_resize_bilinear_real(const float *x, float *y, int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q);
int image_to_blob(const uint8_t *image, const double *mean, float *blob, int64_t row, int64_t column, bool mirror,
                  bool reverse, float scale, int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q);
int image_subtract_mean(const float *mean, float *blob, int64_t row, int64_t column, bool mirror, float scale,
                        int64_t C, int64_t H, int64_t W, int64_t P, int64_t Q);

/* interp */
int interp_forward(const float *x, float *y, int64_t top, int64_t left, int64_t height, int64_t width, int64_t P,
                   int64_t H, int64_t W, int64_t Q, int64_t R);
int interp_backward(const float *dy, float *dx, int64_t top, int64_t left, int64_t height, int64_t width, int64_t P,
                    int64_t Q, int64_t R, int64_t H, int64_t W);
int interp_nearest_forward(const float *x, float *y, int64_t top, int64_t left, int64_t height, int64_t width,
                           int64_t P, int64_t H, int64_t W, int64_t Q, int64_t R);

/* labels */
int argmax_channels(const float *x, float *y, bool value, int64_t N, int64_t C, int64_t S);
int confusion_matrix(const float *score, const float *label, const int32_t *ignore, int64_t *confusion, int64_t *bad,
                     int64_t N, int64_t C, int64_t S, int64_t K, int64_t one);

/* layout */
int copy_window(const float *x, float *y, int64_t x_top, int64_t x_left, int64_t y_top, int64_t y_left, int64_t height,
                int64_t width, int64_t N, int64_t H, int64_t W, int64_t P, int64_t Q);
int permute_forward(const float *x, float *y, int64_t axis0, int64_t axis1, int64_t axis2, int64_t axis3, int64_t A,
                    int64_t B, int64_t C, int64_t D, int64_t n);
int fill(float *y, float value, int64_t n);

/* normalization */
int lrn_across_forward(const float *x, float *y, float *s, int64_t size, float alpha, float beta, float k, int64_t N,
                       int64_t C, int64_t n);
int lrn_across_backward(const float *x, const float *y, const float *s, const float *dy, float *dx, int64_t size,
                        float alpha, float beta, int64_t N, int64_t C, int64_t n);
int lrn_within_forward(const float *x, float *y, float *s, int64_t size, float alpha, float beta, float k, int64_t N,
                       int64_t H, int64_t W);
int lrn_within_backward(const float *x, const float *y, const float *s, const float *dy, float *dx, int64_t size,
                        float alpha, float beta, int64_t N, int64_t H, int64_t W);
int l2_normalize_forward(const float *x, float *y, float *norm, float eps, int64_t N, int64_t C, int64_t n);
int l2_normalize_backward(const float *x, const float *norm, const float *dy, float *dx, int64_t N, int64_t C,
                          int64_t n);

/* pooling */
int max_pool_forward(const float *x, float *y, int32_t *index, int64_t kernel_h, int64_t kernel_w, int64_t stride_h,
                     int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N,
                     int64_t C, int64_t H, int64_t W, int64_t P, int64_t Q);
int max_pool_backward(const float *dy, const int32_t *index, float *dx, int64_t kernel_h, int64_t kernel_w,
                      int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h,
                      int64_t dilation_w, int64_t N, int64_t C, int64_t P, int64_t Q, int64_t H, int64_t W);
int ave_pool_forward(const float *x, float *y, int64_t kernel_h, int64_t kernel_w, int64_t stride_h, int64_t stride_w,
                     int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t C,
                     int64_t H, int64_t W, int64_t P, int64_t Q);
int ave_pool_backward(const float *dy, float *dx, int64_t kernel_h, int64_t kernel_w, int64_t stride_h,
                      int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                      int64_t N, int64_t C, int64_t P, int64_t Q, int64_t H, int64_t W);
int stochastic_pool_forward(const float *x, const float *u, float *y, int32_t *index, int64_t kernel_h,
                            int64_t kernel_w, int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w,
                            int64_t dilation_h, int64_t dilation_w, int64_t N, int64_t C, int64_t H, int64_t W,
                            int64_t P, int64_t Q);
int stochastic_pool_average(const float *x, float *y, int64_t kernel_h, int64_t kernel_w, int64_t stride_h,
                            int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h, int64_t dilation_w,
                            int64_t N, int64_t C, int64_t H, int64_t W, int64_t P, int64_t Q);

/* scoring */
int count_pairs(const int32_t *truth, const int32_t *predicted, const int32_t *bin, const int32_t *ignore,
                int64_t *counts, int64_t *bad, int64_t S, int64_t K, int64_t B, int64_t C, int64_t one);

/* softmax */
int softmax_forward(const float *x, float *y, int64_t N, int64_t C, int64_t S);
int softmax_backward(const float *y, const float *dy, float *dx, int64_t N, int64_t C, int64_t S);
int softmax_loss_forward(const float *x, const float *label, const float *weight, const int32_t *ignore, float *p,
                         double *sums, int64_t N, int64_t C, int64_t S, int64_t K, int64_t four);
int softmax_loss_backward(const float *p, const float *label, const float *weight, const int32_t *ignore, float *dx,
                          float scale, int64_t N, int64_t C, int64_t S, int64_t K);

/* unpool */
int pool_mask(const int32_t *index, float *mask, int64_t n);
int unpool_forward(const float *x, const float *mask, float *y, int64_t N, int64_t C, int64_t P, int64_t Q, int64_t H,
                   int64_t W);
int unpool_backward(const float *dy, const float *mask, float *dx, int64_t N, int64_t C, int64_t H, int64_t W,
                    int64_t P, int64_t Q);

/* update */
int update_sgd(float *w, float *g, float *h, float scale, float l2, float l1, float rate, float momentum, int64_t n);
int update_nesterov(float *w, float *g, float *h, float scale, float l2, float l1, float rate, float momentum,
                    int64_t n);
int update_adagrad(float *w, float *g, float *h, float scale, float l2, float l1, float rate, float delta, int64_t n);
int update_rmsprop(float *w, float *g, float *h, float scale, float l2, float l1, float rate, float decay, float delta,
                   int64_t n);
int update_adadelta(float *w, float *g, float *h, float *v, float scale, float l2, float l1, float rate, float decay,
                    float delta, int64_t n);
int update_adam(float *w, float *g, float *h, float *v, float scale, float l2, float l1, float rate, float beta1,
                float beta2, float delta, int64_t n);
int sum_squares(const float *x, double *total, int64_t n, int64_t one);

#pragma GCC visibility pop
}
