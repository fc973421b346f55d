/* Building a permutohedral lattice: simplices, barycentric weights, vertex numbers, neighbours, transposed table. */
#ifndef PYDEEPLAB_CRF_LATTICE_H
#define PYDEEPLAB_CRF_LATTICE_H

#include <stddef.h>
#include <stdint.h>

enum { LATTICE_MAX_DIMENSION = 31, LATTICE_NO_MEMORY = -1, LATTICE_OUT_OF_RANGE = -2 };

/* Rows of column / xy_std, row / xy_std, then the value of every band / band_std; zero rows from height * width to n. */
void lattice_features(const float *image, ptrdiff_t bands, ptrdiff_t plane, ptrdiff_t full_width, const float *band_std,
                      float *feature, ptrdiff_t n, ptrdiff_t height, ptrdiff_t width, float xy_std);

/* Returns the number of vertices, or one of the negative values above. key has room for n * (d + 1) rows of d. */
ptrdiff_t lattice_embed(const float *feature, ptrdiff_t n, int d, int16_t *key, int32_t *vertex, float *weight);

/* neighbour[d + 1][m][2]: one step minus, one step plus; m where there is no such vertex. 0 or a negative value. */
int lattice_neighbours(const int16_t *key, ptrdiff_t m, int d, int32_t *neighbour);

/* start[m + 1], point[n * k], share[n * k]; scale[n] may be NULL. 0 or LATTICE_NO_MEMORY. */
int lattice_transpose(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t n, int k, ptrdiff_t m,
                      int32_t *start, int32_t *point, float *share);

#endif
