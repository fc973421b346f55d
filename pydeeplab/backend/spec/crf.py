"""The permutohedral lattice and the mean-field update of the fully connected CRF.

A lattice over N points of d features has k = d + 1 corners per point and M vertices; arrays over vertices have
R = M + 1 rows, of which the last is zero and stands for every missing neighbour. Arrays over points and vertices are
rows of P values; P is the number of classes, rounded up so that rows are whole vectors.
"""

from pydeeplab.backend.spec import kernel

_ADAMS = "Adams, Baek, Davis 2010, Fast high-dimensional filtering using the permutohedral lattice"
_KRAHENBUHL = "Krähenbühl, Koltun 2011, Efficient inference in fully connected CRFs with Gaussian edge potentials"

KERNELS = [
    kernel(
        "lattice_features",
        "in? image[B,H,W], in? band_std[B], out feature[N,d], int height, int width, float xy_std",
        source="Caffe DenseCRF: x / xy_std, y / xy_std and every band over its deviation, for the top left "
        "height x width pixels row by row; zero in the rows after them",
        tolerance=1e-6,
    ),
    kernel(
        "lattice_embed",
        "in feature[N,d], inout key[K,d]:int16, out vertex[N,k]:int32, out weight[N,k], out count[one]:int32",
        source=f"{_ADAMS}: enclosing simplex and barycentric weights. Vertices are numbered as met, point by point; "
        "the first count[0] rows of key hold their coordinates (all but the last, which is minus their sum)",
        tolerance=1e-6,
    ),
    kernel(
        "lattice_neighbours",
        "in key[M,d]:int16, out neighbour[k,M,two]:int32",
        source=f"{_ADAMS}: the vertices one step along each axis, minus and plus; M where there is none",
        tolerance=0,
    ),
    kernel(
        "lattice_transpose",
        "in vertex[N,k]:int32, in weight[N,k], in? scale[N], out start[R]:int32, out point[E]:int32, out share[E]",
        source="compressed rows: the points of vertex v, in order, are point[start[v]:start[v + 1]], "
        "their weights share (times scale[point])",
        tolerance=1e-6,
    ),
    kernel(
        "lattice_gather",
        "in x[N,P], in start[R]:int32, in point[E]:int32, in share[E], in neighbour[k,M,two]:int32, "
        "out values[R,P], scratch other[R,P]",
        source=f"{_ADAMS}: splat, then blur every axis with (1/2, 1, 1/2)",
    ),
    kernel(
        "lattice_slice",
        "in values[R,P], in vertex[N,k]:int32, in weight[N,k], out y[N,P]",
        source=f"{_ADAMS}: slice, without the factor 1/(1 + 2^-d)",
    ),
    kernel(
        "lattice_scale",
        "in sum[N], out scale[N], float factor, bool root",
        source="Caffe DenseCRF: scale = 1 / (factor sum + 1e-20), or with root the square root of it",
        tolerance=1e-6,
    ),
    kernel(
        "crf_join",
        "in vertex[N,k]:int32, in weight[N,k], in? scale[N], inout all_vertex[N,T]:int32, inout all_weight[N,T], "
        "int column, int base, float factor",
        source="writes one lattice into columns column..column+k of the table of all lattices: "
        "vertex + base and factor scale weight",
        tolerance=1e-6,
    ),
    kernel(
        "crf_mix",
        "in matrix[C,C], inout values[R,P]",
        source=f"{_KRAHENBUHL}: the compatibility transform, values <- values matrix^T on the first C columns, "
        "zero in the others",
    ),
    kernel(
        "crf_update",
        "in score[N,P], in vertex[N,T]:int32, in weight[N,T], in values[R,P], out q[N,P]",
        source=f"{_KRAHENBUHL}: q = softmax(score + sum_t weight_t values[vertex_t])",
    ),
    kernel(
        "crf_pack",
        "in score[C,H,W], out packed[N,P], int height, int width",
        source="packed[y width + x, c] = score[c, y, x] in the top left height x width region; -1e30 for c >= C, "
        "which has probability 0",
        tolerance=0,
    ),
    kernel(
        "crf_unpack",
        "in packed[N,P], out score[C,H,W], int height, int width, bool log",
        source="Caffe DenseCRF: the inverse of crf_pack, or of its log(max(q, FLT_MIN)); zero outside the region",
    ),
    kernel(
        "crf_strips",
        "in vertex[N,T]:int32, out row[N,T]:int32, out first[F]:int32, out start[S]:int32, inout member[E]:int32",
        source="divides the points into F - 1 strips, N / (F - 1) points each. A strip has one row for each of its "
        "vertices, as met: strip s has rows first[s]:first[s + 1]; vertex v has rows member[start[v]:start[v + 1]]",
        tolerance=0,
        only="cpu",
    ),
    kernel(
        "lattice_chains",
        "in neighbour[k,M,two]:int32, int base, inout chain[k,M]:int32, out place[k,Z]:int32",
        source="along every axis the vertices (plus base) with neighbours, chain after chain; the last of a chain as "
        "its complement. Chains of zone z (of Z - 1) are chain[axis, place[axis, z]:place[axis, z + 1]], in the order "
        "of their first vertices: those whose middle one is one of vertices M z / (Z - 1) to M (z + 1) / (Z - 1)",
        tolerance=0,
        only="cpu",
    ),
    kernel(
        "crf_sweep",
        "in score[N,P], in vertex[N,T]:int32, in weight[N,T], in? values[V,P], in row[N,T]:int32, in share[N,T], "
        "in first[F]:int32, out sum[R,P]",
        source="q = softmax(score + sum_t weight_t values[vertex_t]), of the scores alone without values; "
        "sum[r] = sum of share_t q over all points and t with row_t = r",
        only="cpu",
    ),
    kernel(
        "crf_blur",
        "in sum[R,P], in start[S]:int32, in member[E]:int32, in chain[C]:int32, in place[axes,L,Z]:int32, "
        "in first[F]:int32, out values[V,P]",
        source=f"{_ADAMS}: values[v] = the sum of v's rows, then blurred with (1/2, 1, 1/2) along every axis; the "
        "chains of lattice l are chain[place[axis, l, 0]:place[axis, l, Z - 1]], its vertices first[l]:first[l + 1]",
        only="cpu",
    ),
]
