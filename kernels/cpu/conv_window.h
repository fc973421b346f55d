/* The geometry of a convolution with any number of spatial axes, and the copies between image and columns. */
#ifndef PYDEEPLAB_CONV_WINDOW_H
#define PYDEEPLAB_CONV_WINDOW_H

#include <stddef.h>

#define MAX_AXES 8

/* Per spatial axis, outermost first; `image` and `out` are the sizes on the image and on the column side. */
typedef struct {
    int axes;
    ptrdiff_t image[MAX_AXES], out[MAX_AXES], kernel[MAX_AXES], stride[MAX_AXES], pad[MAX_AXES], dilation[MAX_AXES];
    ptrdiff_t pixels, positions, taps; /* products of image, out and kernel */
    int single;                        /* every tap is one pixel at stride 1 without pad: columns are the image */
} Window;

/* Compute the products once the axes are filled in. */
void window_finish(Window *window);

/* A part of the columns of one image: rows (channel and tap) row_begin..row_end, positions begin..end. */
typedef struct {
    ptrdiff_t row_begin, row_end, begin, end;
} Part;

/* Copy what the part's windows see from the image; row r of the part starts at columns + r * ld. */
void im2col_part(const Window *window, const float *image, float *columns, ptrdiff_t ld, Part part);

/* Add the part's columns to the pixels that they came from. */
void col2im_part(const Window *window, const float *columns, ptrdiff_t ld, float *image, Part part);

/* All rows and positions, split over threads. */
void im2col_threads(const Window *window, ptrdiff_t channels, const float *image, float *columns);
void col2im_threads(const Window *window, ptrdiff_t channels, const float *columns, float *image);

#endif
