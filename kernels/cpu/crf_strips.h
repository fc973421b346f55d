/* The mean field in strips: the points' probabilities go straight to the vertices, and are never written down.
 *
 * Consecutive points form strips, whose number does not depend on that of threads. Each strip sums what its points give
 * to a vertex in a row of its own; the rows of all strips are then added up in the strips' order. */
#ifndef PYDEEPLAB_CRF_STRIPS_H
#define PYDEEPLAB_CRF_STRIPS_H

#include <stddef.h>
#include <stdint.h>

/* row[n * t]: where a point's shares go; first[strips + 1]: the rows of each strip; the rows of vertex v are
 * member[start[v]..start[v + 1]). 0, or -1 without memory. */
int crf_strips(const int32_t *vertex, ptrdiff_t n, int t, ptrdiff_t vertices, int32_t *row, ptrdiff_t strips,
               int32_t *first, int32_t *start, int32_t *member);

/* The vertices that have neighbours along an axis, chain by chain; the last of a chain as its complement. Chains are in
 * the order of the zones of their middle vertices, which equal parts of all vertices are: those of zone z are
 * chain[axis][place[axis][z]..place[axis][z + 1]). 0, or -1 without memory. */
int lattice_chains(const int32_t *neighbour, int k, ptrdiff_t m, int base, int32_t *chain, int32_t *place, ptrdiff_t zones);

/* values may be NULL: no messages yet. 0, or -1 without memory. */
int crf_sweep(const float *score, const int32_t *vertex, const float *weight, const float *values, const int32_t *row,
              const float *share, const int32_t *first, float *sum, ptrdiff_t n, ptrdiff_t p, int t, ptrdiff_t strips);

/* place[axes][lattices][zones + 1]: the chains' places; first[lattices + 1]: the vertices of each lattice. 0, or -1
 * without memory. */
int crf_blur(const float *sum, const int32_t *start, const int32_t *member, const int32_t *chain, const int32_t *place,
             const int32_t *first, int axes, int lattices, ptrdiff_t zones, float *values, ptrdiff_t p);

#endif
