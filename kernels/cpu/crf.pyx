"""The permutohedral lattice and the mean-field update of the fully connected CRF."""

from libc.stdint cimport int16_t, int32_t

cdef extern from "crf_lattice.h" nogil:
    int LATTICE_MAX_DIMENSION
    int LATTICE_NO_MEMORY
    void c_features "lattice_features"(const float *image, ptrdiff_t bands, ptrdiff_t plane, ptrdiff_t full_width,
                                       const float *band_std, float *feature, ptrdiff_t n, ptrdiff_t height,
                                       ptrdiff_t width, float xy_std)
    ptrdiff_t c_embed "lattice_embed"(const float *feature, ptrdiff_t n, int d, int16_t *key, int32_t *vertex, float *weight)
    int c_neighbours "lattice_neighbours"(const int16_t *key, ptrdiff_t m, int d, int32_t *neighbour)
    int c_transpose "lattice_transpose"(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t n, int k,
                                        ptrdiff_t m, int32_t *start, int32_t *point, float *share)

cdef extern from "crf_filter.h" nogil:
    void c_gather "lattice_gather"(const float *x, ptrdiff_t p, const int32_t *start, const int32_t *point, const float *share,
                                   const int32_t *neighbour, int k, ptrdiff_t m, float *values, float *other)
    void c_slice "lattice_slice"(const float *values, ptrdiff_t p, const int32_t *vertex, const float *weight, ptrdiff_t n,
                                 int k, float *y)
    void c_scale "lattice_scale"(const float *sum, ptrdiff_t n, float factor, int root, float *scale)

cdef extern from "crf_mean_field.h" nogil:
    void c_join "crf_join"(const int32_t *vertex, const float *weight, const float *scale, ptrdiff_t n, int k,
                           int32_t *all_vertex, float *all_weight, int t, int column, int base, float factor)
    int c_mix "crf_mix"(const float *matrix, int c, float *values, ptrdiff_t r, ptrdiff_t p)
    void c_update "crf_update"(const float *score, const int32_t *vertex, const float *weight, const float *values, float *q,
                               ptrdiff_t n, ptrdiff_t p, int t)
    void c_pack "crf_pack"(const float *score, ptrdiff_t c, ptrdiff_t plane, ptrdiff_t full_width, float *packed,
                           ptrdiff_t n, ptrdiff_t p, ptrdiff_t width)
    void c_unpack "crf_unpack"(const float *packed, ptrdiff_t n, ptrdiff_t p, float *score, ptrdiff_t c, ptrdiff_t plane,
                               ptrdiff_t full_width, ptrdiff_t width, int log)

cdef extern from "crf_strips.h" nogil:
    int c_strips "crf_strips"(const int32_t *vertex, ptrdiff_t n, int t, ptrdiff_t vertices, int32_t *row, ptrdiff_t strips,
                              int32_t *first, int32_t *start, int32_t *member)
    int c_chains "lattice_chains"(const int32_t *neighbour, int k, ptrdiff_t m, int base, int32_t *chain, int32_t *place,
                                  ptrdiff_t zones)
    int c_sweep "crf_sweep"(const float *score, const int32_t *vertex, const float *weight, const float *values,
                             const int32_t *row, const float *share, const int32_t *first, float *sum, ptrdiff_t n,
                             ptrdiff_t p, int t, ptrdiff_t strips)
    int c_blur "crf_blur"(const float *sum, const int32_t *start, const int32_t *member, const int32_t *chain,
                          const int32_t *place, const int32_t *first, int axes, int lattices, ptrdiff_t zones, float *values,
                          ptrdiff_t p)


cdef int _check_region(ptrdiff_t pixels, int height, int width, ptrdiff_t full_height, ptrdiff_t full_width) except -1:
    if not (0 <= height <= full_height and 0 <= width <= full_width and pixels >= <ptrdiff_t>height * width):
        raise ValueError(
            f"a region of {height} x {width} does not fit {pixels} rows and an array of {full_height} x {full_width}"
        )
    return 0


def lattice_features(image, band_std, float[:, ::1] feature, int height, int width, float xy_std):
    cdef ptrdiff_t bands = feature.shape[1] - 2, plane = 0, full_width = width
    cdef const float[:, :, ::1] planes
    cdef const float[::1] deviations
    cdef const float *values = NULL
    cdef const float *deviation = NULL
    if (image is None) != (band_std is None):
        raise ValueError("lattice_features: image and band_std come together")
    if image is not None:
        planes, deviations = image, band_std
        if planes.shape[0] != bands:
            raise ValueError(f"lattice_features: {planes.shape[0]} bands make {planes.shape[0] + 2} features, got {bands + 2}")
        _check_region(feature.shape[0], height, width, planes.shape[1], planes.shape[2])
        plane, full_width = planes.shape[1] * planes.shape[2], planes.shape[2]
        if plane and bands:
            values, deviation = &planes[0, 0, 0], &deviations[0]
    elif bands:
        raise ValueError(f"lattice_features: without an image there are 2 features, got {bands + 2}")
    _check_region(feature.shape[0], height, width, height, width)
    if feature.shape[0]:
        with nogil:
            c_features(values, bands, plane, full_width, deviation, &feature[0, 0], feature.shape[0], height, width, xy_std)


def lattice_embed(const float[:, ::1] feature, int16_t[:, ::1] key, int32_t[:, ::1] vertex, float[:, ::1] weight,
                  int32_t[::1] count):
    cdef ptrdiff_t n = feature.shape[0], d = feature.shape[1], found = 0
    if not 0 < d <= LATTICE_MAX_DIMENSION:
        raise ValueError(f"a lattice has 1 to {LATTICE_MAX_DIMENSION} feature dimensions, got {d}")
    if vertex.shape[1] != d + 1 or key.shape[0] < n * (d + 1) or count.shape[0] != 1:
        raise ValueError("lattice_embed: vertex and weight have d + 1 columns, key N (d + 1) rows, count one element")
    if n:
        with nogil:
            found = c_embed(&feature[0, 0], n, <int>d, &key[0, 0], &vertex[0, 0], &weight[0, 0])
    if found == LATTICE_NO_MEMORY:
        raise MemoryError("no memory for the hash table of a lattice")
    if found < 0:
        raise OverflowError("features reach beyond the 16-bit coordinates of the lattice")
    count[0] = <int32_t>found


def lattice_neighbours(const int16_t[:, ::1] key, int32_t[:, :, ::1] neighbour):
    cdef ptrdiff_t m = key.shape[0], d = key.shape[1]
    cdef int state
    if neighbour.shape[0] != d + 1 or neighbour.shape[2] != 2 or not 0 < d <= LATTICE_MAX_DIMENSION:
        raise ValueError("lattice_neighbours: neighbour has shape (d + 1, M, 2)")
    if m == 0:
        return
    with nogil:
        state = c_neighbours(&key[0, 0], m, <int>d, &neighbour[0, 0, 0])
    if state:
        raise MemoryError("no memory for the hash table of a lattice")


def lattice_transpose(const int32_t[:, ::1] vertex, const float[:, ::1] weight, scale, int32_t[::1] start,
                      int32_t[::1] point, float[::1] share):
    cdef ptrdiff_t n = vertex.shape[0], m = start.shape[0] - 1
    cdef const float[::1] view
    cdef const float *factor = NULL
    cdef int state
    if point.shape[0] != n * vertex.shape[1] or share.shape[0] != point.shape[0] or m < 0:
        raise ValueError("lattice_transpose: point and share have N k elements, start M + 1")
    if n == 0:
        start[:] = 0
        return
    if scale is not None:
        view = scale
        factor = &view[0]
    with nogil:
        state = c_transpose(&vertex[0, 0], &weight[0, 0], factor, n, <int>vertex.shape[1], m, &start[0], &point[0], &share[0])
    if state:
        raise MemoryError("no memory to sort the points of a lattice")


def lattice_gather(const float[:, ::1] x, const int32_t[::1] start, const int32_t[::1] point, const float[::1] share,
                   const int32_t[:, :, ::1] neighbour, float[:, ::1] values, float[:, ::1] other):
    cdef ptrdiff_t m = start.shape[0] - 1
    if neighbour.shape[1] != m or neighbour.shape[2] != 2:
        raise ValueError("lattice_gather: neighbour has shape (k, M, 2), values M + 1 rows")
    if m == 0 or x.shape[1] == 0:
        values[:, :] = 0
        return
    with nogil:
        c_gather(&x[0, 0], x.shape[1], &start[0], &point[0], &share[0], &neighbour[0, 0, 0], <int>neighbour.shape[0], m,
                 &values[0, 0], &other[0, 0])


def lattice_slice(const float[:, ::1] values, const int32_t[:, ::1] vertex, const float[:, ::1] weight, float[:, ::1] y):
    if y.shape[0] == 0 or y.shape[1] == 0:
        return
    with nogil:
        c_slice(&values[0, 0], values.shape[1], &vertex[0, 0], &weight[0, 0], vertex.shape[0], <int>vertex.shape[1], &y[0, 0])


def lattice_scale(const float[::1] sum, float[::1] scale, float factor, bint root):
    if scale.shape[0]:
        with nogil:
            c_scale(&sum[0], scale.shape[0], factor, root, &scale[0])


def crf_join(const int32_t[:, ::1] vertex, const float[:, ::1] weight, scale, int32_t[:, ::1] all_vertex,
             float[:, ::1] all_weight, int column, int base, float factor):
    cdef ptrdiff_t n = vertex.shape[0]
    cdef const float[::1] view
    cdef const float *scales = NULL
    if not 0 <= column <= all_vertex.shape[1] - vertex.shape[1]:
        raise ValueError(f"crf_join: columns {column}..{column + vertex.shape[1]} are not in 0..{all_vertex.shape[1]}")
    if n == 0:
        return
    if scale is not None:
        view = scale
        scales = &view[0]
    with nogil:
        c_join(&vertex[0, 0], &weight[0, 0], scales, n, <int>vertex.shape[1], &all_vertex[0, 0], &all_weight[0, 0],
               <int>all_vertex.shape[1], column, base, factor)


def crf_mix(const float[:, ::1] matrix, float[:, ::1] values):
    cdef int state
    if matrix.shape[0] != matrix.shape[1] or matrix.shape[0] > values.shape[1]:
        raise ValueError("crf_mix: the matrix is square and no larger than a row of values")
    if values.shape[0] == 0 or matrix.shape[0] == 0:
        return
    with nogil:
        state = c_mix(&matrix[0, 0], <int>matrix.shape[0], &values[0, 0], values.shape[0], values.shape[1])
    if state:
        raise MemoryError("no memory for the compatibility matrix")


def crf_update(const float[:, ::1] score, const int32_t[:, ::1] vertex, const float[:, ::1] weight,
               const float[:, ::1] values, float[:, ::1] q):
    cdef ptrdiff_t n = score.shape[0], t = vertex.shape[1]
    cdef const int32_t *corner = NULL
    cdef const float *share = NULL
    cdef const float *value = NULL
    if n == 0 or score.shape[1] == 0:
        return
    if t:
        corner = &vertex[0, 0]
        share = &weight[0, 0]
        value = &values[0, 0]
    with nogil:
        c_update(&score[0, 0], corner, share, value, &q[0, 0], n, score.shape[1], <int>t)


def crf_pack(const float[:, :, ::1] score, float[:, ::1] packed, int height, int width):
    cdef ptrdiff_t pixels = packed.shape[0]
    _check_region(pixels, height, width, score.shape[1], score.shape[2])
    if pixels != <ptrdiff_t>height * width:
        raise ValueError(f"crf_pack: {pixels} rows for a region of {height} x {width}")
    if pixels == 0 or packed.shape[1] == 0:
        return
    cdef const float *source = &score[0, 0, 0] if score.shape[0] else NULL
    with nogil:
        c_pack(source, score.shape[0], score.shape[1] * score.shape[2], score.shape[2], &packed[0, 0], pixels,
               packed.shape[1], width)


def crf_unpack(const float[:, ::1] packed, float[:, :, ::1] score, int height, int width, bint log):
    cdef ptrdiff_t pixels = packed.shape[0]
    _check_region(pixels, height, width, score.shape[1], score.shape[2])
    if pixels != <ptrdiff_t>height * width or score.shape[0] > packed.shape[1]:
        raise ValueError(f"crf_unpack: rows of shape {pixels, packed.shape[1]} for {score.shape[0]} planes of {height} x {width}")
    if pixels == 0 or score.shape[0] == 0:
        score[:, :, :] = 0
        return
    with nogil:
        c_unpack(&packed[0, 0], pixels, packed.shape[1], &score[0, 0, 0], score.shape[0], score.shape[1] * score.shape[2],
                 score.shape[2], width, log)


def crf_strips(const int32_t[:, ::1] vertex, int32_t[:, ::1] row, int32_t[::1] first, int32_t[::1] start,
               int32_t[::1] member):
    cdef ptrdiff_t n = vertex.shape[0], strips = first.shape[0] - 1
    cdef int state
    if strips < 1 or member.shape[0] < n * vertex.shape[1] or start.shape[0] < 1:
        raise ValueError("crf_strips: first has one element more than there are strips, member N T elements")
    if n == 0 or vertex.shape[1] == 0:
        first[:] = 0
        start[:] = 0
        return
    with nogil:
        state = c_strips(&vertex[0, 0], n, <int>vertex.shape[1], start.shape[0] - 1, &row[0, 0], strips, &first[0], &start[0],
                         &member[0])
    if state:
        raise MemoryError("no memory to divide the points of a lattice into strips")


def lattice_chains(const int32_t[:, :, ::1] neighbour, int base, int32_t[:, ::1] chain, int32_t[:, ::1] place):
    cdef ptrdiff_t zones = place.shape[1] - 1
    cdef int state
    if zones < 1:
        raise ValueError("lattice_chains: place has one column more than there are zones")
    if neighbour.shape[1] == 0:
        place[:, :] = 0
        return
    with nogil:
        state = c_chains(&neighbour[0, 0, 0], <int>neighbour.shape[0], neighbour.shape[1], base, &chain[0, 0], &place[0, 0],
                         zones)
    if state:
        raise MemoryError("no memory to sort the chains of a lattice")


def crf_sweep(const float[:, ::1] score, const int32_t[:, ::1] vertex, const float[:, ::1] weight, values,
              const int32_t[:, ::1] row, const float[:, ::1] share, const int32_t[::1] first, float[:, ::1] sum):
    cdef const float[:, ::1] view
    cdef const float *value = NULL
    cdef int state
    if score.shape[0] == 0 or score.shape[1] == 0 or vertex.shape[1] == 0:
        return
    if values is not None:
        view = values
        value = &view[0, 0]
    with nogil:
        state = c_sweep(&score[0, 0], &vertex[0, 0], &weight[0, 0], value, &row[0, 0], &share[0, 0], &first[0], &sum[0, 0],
                        score.shape[0], score.shape[1], <int>vertex.shape[1], first.shape[0] - 1)
    if state:
        raise MemoryError("no memory for the probabilities of a few points")


def crf_blur(const float[:, ::1] sum, const int32_t[::1] start, const int32_t[::1] member, const int32_t[::1] chain,
             const int32_t[:, :, ::1] place, const int32_t[::1] first, float[:, ::1] values):
    cdef int state
    if values.shape[0] == 0 or values.shape[1] == 0 or place.shape[0] == 0:
        return
    if place.shape[2] < 2 or first.shape[0] != place.shape[1] + 1 or first[place.shape[1]] != values.shape[0]:
        raise ValueError("crf_blur: place has shape (axes, L, zones + 1), first ends with the number of vertices")
    with nogil:
        state = c_blur(&sum[0, 0], &start[0], &member[0], &chain[0], &place[0, 0, 0], &first[0], <int>place.shape[0],
                       <int>place.shape[1], place.shape[2] - 1, &values[0, 0], values.shape[1])
    if state:
        raise MemoryError("no memory to share the vertices out")
