"""The permutohedral lattice and the mean-field update of the fully connected CRF."""

import numpy as np


def lattice_features(image, band_std, feature, height, width, xy_std):
    pixels = height * width
    feature[...] = 0
    y, x = np.divmod(np.arange(pixels), width)
    feature[:pixels, 0] = x.astype(feature.dtype) / feature.dtype.type(xy_std)
    feature[:pixels, 1] = y.astype(feature.dtype) / feature.dtype.type(xy_std)
    if image is not None:
        bands = image[:, :height, :width].reshape(len(image), pixels)
        feature[:pixels, 2:] = (bands / band_std[:, None]).T


def _elevate(feature):
    """Rows of the hyperplane sum(e) = 0 in d + 1 dimensions, scaled so that the blur has unit variance."""
    points, d = feature.shape
    real = feature.dtype.type
    deviation = np.float64(real(np.sqrt(2 / 3) * (d + 1)))
    e = np.empty((points, d + 1), feature.dtype)
    total = np.zeros(points, feature.dtype)
    for j in range(d, 0, -1):
        scaled = feature[:, j - 1] * real(1 / np.sqrt((j + 1) * j) * deviation)
        e[:, j] = total - real(j) * scaled
        total = total + scaled
    e[:, 0] = total
    return e


def _nearest_remainder_zero(e):
    """The nearest point whose coordinates are multiples of d + 1, and the rank of each coordinate's difference."""
    k = e.shape[1]
    rounded = np.rint(e * e.dtype.type(1 / np.float64(k)))
    origin = rounded * e.dtype.type(k)
    excess = rounded.sum(axis=1).astype(np.int64)
    difference = e - origin
    rank = np.zeros(e.shape, np.int64)
    for i in range(k):
        for j in range(i + 1, k):
            smaller = difference[:, i] < difference[:, j]
            rank[:, i] += smaller
            rank[:, j] += ~smaller
    rank += excess[:, None]
    wrap = (rank < 0) * k - (rank >= k) * k
    return origin + wrap, rank + wrap


def lattice_embed(feature, key, vertex, weight, count):
    points, d = feature.shape
    k = d + 1
    e = _elevate(feature)
    origin, rank = _nearest_remainder_zero(e)
    if points and not np.abs(origin).max() < 32767 - 2 * k:
        raise OverflowError("features reach beyond the 16-bit coordinates of the lattice")
    excess = (e - origin) * e.dtype.type(1 / np.float64(k))
    weights = np.zeros((points, k + 1), feature.dtype)
    rows = np.arange(points)
    for i in range(k):
        weights[rows, d - rank[:, i]] += excess[:, i]
        weights[rows, k - rank[:, i]] -= excess[:, i]
    weights[:, 0] += 1 + weights[:, k]
    weight[...] = weights[:, :k]
    corner = np.arange(k)[None, :, None]
    step = np.where(rank[:, None, :d] <= d - corner, corner, corner - k)
    corners = (origin[:, None, :d] + step).astype(np.int16).reshape(-1, d)
    unique, first, inverse = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    met = np.argsort(first)
    number = np.empty(len(met), np.int32)
    number[met] = np.arange(len(met))
    vertex[...] = number[inverse.reshape(points, k)]
    key[: len(met)] = unique[met]
    count[0] = len(met)


def lattice_neighbours(key, neighbour):
    vertices, d = key.shape
    index = {row.tobytes(): v for v, row in enumerate(key)}
    for axis in range(d + 1):
        step = np.full(d, -1, np.int16)
        if axis < d:
            step[axis] = d
        for side, sign in enumerate((1, -1)):
            moved = key + np.int16(sign) * step
            neighbour[axis, :, side] = [index.get(row.tobytes(), vertices) for row in moved]


def lattice_transpose(vertex, weight, scale, start, point, share):
    k = vertex.shape[1]
    order = np.argsort(vertex.ravel(), kind="stable")
    start[...] = np.searchsorted(vertex.ravel()[order], np.arange(len(start)))
    point[...] = order // k
    share[...] = weight.ravel()[order]
    if scale is not None:
        share *= scale[point]


def lattice_gather(x, start, point, share, neighbour, values, other):
    values[...] = 0
    np.add.at(values, np.repeat(np.arange(len(start) - 1), np.diff(start)), share[:, None] * x[point])
    for minus_plus in neighbour:
        values[:-1] += values.dtype.type(0.5) * (values[minus_plus[:, 0]] + values[minus_plus[:, 1]])


def lattice_slice(values, vertex, weight, y):
    y[...] = (weight[:, :, None] * values[vertex]).sum(axis=1)


def lattice_scale(sum, scale, factor, root):
    real = sum.dtype.type
    scale[...] = 1 / (sum * real(factor) + real(1e-20))
    if root:
        scale[...] = np.sqrt(scale)


def crf_join(vertex, weight, scale, all_vertex, all_weight, column, base, factor):
    columns = slice(column, column + vertex.shape[1])
    all_vertex[:, columns] = vertex + base
    all_weight[:, columns] = weight * weight.dtype.type(factor)
    if scale is not None:
        all_weight[:, columns] *= scale[:, None]


def crf_mix(matrix, values):
    classes = len(matrix)
    values[:, :classes] = values[:, :classes] @ matrix.T
    values[:, classes:] = 0


def crf_update(score, vertex, weight, values, q):
    total = score.copy()
    for corner in range(vertex.shape[1]):
        total += weight[:, corner, None] * values[vertex[:, corner]]
    if q.size:
        exponential = np.exp(total - total.max(axis=1, keepdims=True))
        q[...] = exponential / exponential.sum(axis=1, keepdims=True)


def crf_pack(score, packed, height, width):
    packed[...] = -1e30
    packed[:, : len(score)] = score[:, :height, :width].reshape(len(score), height * width).T


def crf_unpack(packed, score, height, width, log):
    score[...] = 0
    values = packed[:, : len(score)].T.reshape(len(score), height, width)
    if log:
        values = np.log(np.maximum(values, np.finfo(np.float32).tiny))
    score[:, :height, :width] = values


def _strips(points, first):
    """The points of each strip."""
    count = len(first) - 1
    return [slice(points * s // count, points * (s + 1) // count) for s in range(count)]


def crf_strips(vertex, row, first, start, member):
    first[0], vertex_of = 0, []
    for s, points in enumerate(_strips(len(vertex), first)):
        unique, met, inverse = np.unique(vertex[points].ravel(), return_index=True, return_inverse=True)
        order = np.argsort(met)
        number = np.empty(len(order), np.int32)
        number[order] = np.arange(len(order)) + first[s]
        row[points] = number[inverse].reshape(row[points].shape)
        first[s + 1] = first[s] + len(order)
        vertex_of.append(unique[order])
    owner = np.concatenate(vertex_of)
    member[: len(owner)] = np.argsort(owner, kind="stable")
    start[...] = np.searchsorted(np.sort(owner), np.arange(len(start)))


def lattice_chains(neighbour, base, chain, place):
    vertices, zones = neighbour.shape[1], place.shape[1] - 1
    for axis, (minus, plus) in enumerate(neighbour.transpose(0, 2, 1)):
        found = [[] for _ in range(zones)]
        for head in np.flatnonzero((minus == vertices) & (plus != vertices)):
            members = [head]
            while plus[members[-1]] != vertices:
                members.append(plus[members[-1]])
            found[members[len(members) // 2] * zones // vertices] += [v + base for v in members[:-1]]
            found[members[len(members) // 2] * zones // vertices].append(~(members[-1] + base))
        place[axis] = np.cumsum([0, *map(len, found)])
        chain[axis, : place[axis, -1]] = [entry for zone in found for entry in zone]


def crf_sweep(score, vertex, weight, values, row, share, first, sum):
    q = np.empty_like(score)
    corners = vertex.shape[1] if values is not None else 0
    crf_update(score, vertex[:, :corners], weight[:, :corners], values, q)
    sum[: first[-1]] = 0
    np.add.at(sum, row, share[:, :, None] * q[:, None])


def crf_blur(sum, start, member, chain, place, first, values):
    values[...] = 0
    rows = start[-1]
    np.add.at(values, np.repeat(np.arange(len(start) - 1), np.diff(start)), sum[member[:rows]])
    for zones in place:
        before = values.copy()
        for begin, *_, end in zones:
            entries = chain[begin:end]
            joined = np.flatnonzero(entries[:-1] >= 0)
            one, other = entries[joined], entries[joined + 1]
            other = np.where(other < 0, ~other, other)
            values[one] += values.dtype.type(0.5) * before[other]
            values[other] += values.dtype.type(0.5) * before[one]
