"""The lattice in 1 to 9 dimensions, with and without scales, and the mean-field update on rows of all widths."""

import numpy as np

from pydeeplab.backend.reference import crf
from tests.support.kernels import Case


def lattice(r, points, dimension, spread=3.0):
    """A built lattice: vertex, weight, neighbour, start, point, share."""
    features = r.uniform(0, spread, points, dimension)
    corners = dimension + 1
    key, count = np.zeros((points * corners, dimension), np.int16), np.zeros(1, np.int32)
    vertex, weight = np.empty((points, corners), np.int32), np.empty((points, corners), features.dtype)
    crf.lattice_embed(features, key, vertex, weight, count)
    neighbour = np.empty((corners, count[0], 2), np.int32)
    crf.lattice_neighbours(key[: count[0]], neighbour)
    start, point = np.empty(count[0] + 1, np.int32), np.empty(points * corners, np.int32)
    share = np.empty(points * corners, features.dtype)
    crf.lattice_transpose(vertex, weight, None, start, point, share)
    return vertex, weight, neighbour, start, point, share


def features(r, bands, height, width, rows):
    image = r.uniform(0, 255, bands, 9, 11) if bands else None
    deviations = r.uniform(3, 20, bands) if bands else None
    return [image, deviations, r.out(rows, 2 + bands), height, width, 3.0]


def embed(r, points, dimension, spread):
    rows = points * (dimension + 1)
    return [
        r.uniform(-spread, spread, points, dimension),
        np.zeros((rows, dimension), np.int16),
        r.out_int32(points, dimension + 1),
        r.out(points, dimension + 1),
        r.out_int32(1),
    ]


def neighbours(r, points, dimension):
    key, vertex = np.zeros((points * (dimension + 1), dimension), np.int16), np.empty((points, dimension + 1), np.int32)
    count = np.zeros(1, np.int32)
    crf.lattice_embed(r.uniform(-3, 3, points, dimension), key, vertex, r.out(points, dimension + 1), count)
    return [key[: count[0]], r.out_int32(dimension + 1, count[0], 2)]


def transpose(r, points, corners, vertices, scaled):
    scale = r.uniform(0.1, 2, points) if scaled else None
    size = points * corners
    return [
        r.int32(0, vertices, points, corners),
        r.real(points, corners),
        scale,
        r.out_int32(vertices + 1),
        r.out_int32(size),
        r.out(size),
    ]


def gather(r, points, dimension, columns):
    _, _, neighbour, start, point, share = lattice(r, points, dimension)
    rows = len(start)
    scratch = r.out(rows, columns)
    return [r.real(points, columns), start, point, share, neighbour, r.out(rows, columns), scratch]


def slice_(r, points, dimension, columns):
    vertex, weight, _, start, _, _ = lattice(r, points, dimension)
    return [r.real(len(start), columns), vertex, weight, r.out(points, columns)]


def join(r, scaled):
    scale = r.uniform(0.1, 2, 9) if scaled else None
    return [r.int32(0, 50, 9, 3), r.real(9, 3), scale, r.int32(0, 9, 9, 10), r.accumulate(9, 10), 4, 1000, 0.8]


def update(r, points, columns, corners, padding=0):
    score = r.real(points, columns) * 5
    score[:, columns - padding :] = -1e30
    values = r.uniform(0, 3, 40, columns)
    values[:, columns - padding :] = 0
    return [score, r.int32(0, 40, points, corners), r.uniform(0, 1, points, corners), values, r.out(points, columns)]


def unpack(r, classes, columns, height, width, log):
    packed = r.uniform(0, 1, height * width, columns)
    packed.ravel()[::7] = 0
    return [packed, r.out(classes, 12, 13), height, width, log]


def joined(r, points, dimensions, zones=5):
    """The vertices of several lattices in one table, where each begins, and the chains along the lattices' axes."""
    vertex, weight, chains, places, first = [], [], [], [], [0]
    for corners, share, neighbour, *_ in (lattice(r, points, d) for d in dimensions):
        axes, vertices, _ = neighbour.shape
        chain, place = np.zeros((axes, vertices), np.int32), np.empty((axes, zones + 1), np.int32)
        crf.lattice_chains(neighbour, first[-1], chain, place)
        place += (sum(c.size for c in chains) + vertices * np.arange(axes))[:, None].astype(np.int32)
        places.append(np.pad(place, ((0, max(dimensions) + 1 - axes), (0, 0))))
        chains.append(chain)
        vertex.append(corners + first[-1])
        weight.append(share)
        first.append(first[-1] + vertices + 1)
    table = np.ascontiguousarray(np.concatenate(vertex, 1), np.int32)
    found = np.concatenate(chains, None), np.ascontiguousarray(np.stack(places, 1)), np.array(first, np.int32)
    return table, r.value(np.concatenate(weight, 1)), *found


def strips(r, points, corners, vertices, count):
    capacity = points * corners
    out = r.out_int32(points, corners), r.out_int32(count + 1), r.out_int32(vertices + 1), np.zeros(capacity, np.int32)
    return [r.int32(0, vertices, points, corners), *out]


def chains(r, points, dimension, base, zones):
    neighbour = lattice(r, points, dimension, 5.0)[2]
    axes, vertices, _ = neighbour.shape
    return [neighbour, base, np.zeros((axes, vertices), np.int32), r.out_int32(axes, zones + 1)]


def laid(r, points, dimensions, count):
    """A table of vertices with its weights and chains, and what `crf_strips` makes of it."""
    vertex, weight, *found = joined(r, points, dimensions)
    rows = found[-1][-1]
    row, first, start = np.empty_like(vertex), np.empty(count + 1, np.int32), np.empty(rows + 1, np.int32)
    member = np.zeros(vertex.size, np.int32)
    crf.crf_strips(vertex, row, first, start, member)
    return vertex, weight, found, row, first, start, member


def sweep(r, points, dimensions, columns, count, messages=True):
    vertex, share, _, row, first, start, _ = laid(r, points, dimensions, count)
    score, weight = r.real(points, columns) * 5, r.uniform(0, 1, *vertex.shape)
    values = r.uniform(0, 3, len(start) - 1, columns) if messages else None
    return [score, vertex, weight, values, row, share, first, r.out(first[-1], columns)]


def blur(r, points, dimensions, columns, count):
    _, _, found, _, first, start, member = laid(r, points, dimensions, count)
    return [r.real(first[-1], columns), start, member, *found, r.out(len(start) - 1, columns)]


CASES = [
    Case("lattice_features", lambda r: features(r, 3, 7, 10, 72), "bilateral"),
    Case("lattice_features", lambda r: features(r, 0, 9, 11, 99), "positional"),
    Case("lattice_features", lambda r: features(r, 1, 0, 0, 4), "no_pixels"),
    *(
        Case("lattice_embed", lambda r, n=n, d=d: embed(r, n, d, 4.0), f"{n}x{d}")
        for n, d in [(1, 2), (130, 1), (5000, 2), (300, 3), (200, 4), (9000, 5), (65, 6), (40, 9), (0, 5)]
    ),
    Case("lattice_embed", lambda r: embed(r, 500, 5, 300.0), "far_apart"),
    *(Case("lattice_neighbours", lambda r, d=d: neighbours(r, 300, d), f"{d}") for d in (1, 2, 3, 5, 9)),
    Case("lattice_transpose", lambda r: transpose(r, 7000, 6, 500, False)),
    Case("lattice_transpose", lambda r: transpose(r, 100, 3, 7, True), "scaled"),
    Case("lattice_transpose", lambda r: transpose(r, 0, 3, 0, False), "empty"),
    *(
        Case("lattice_gather", lambda r, n=n, d=d, p=p: gather(r, n, d, p), f"{n}x{d}x{p}", ignore=("other",))
        for n, d, p in [(3000, 5, 24), (3000, 2, 24), (100, 5, 1), (100, 3, 4), (64, 2, 8), (50, 5, 45), (50, 1, 63)]
    ),
    Case("lattice_slice", lambda r: slice_(r, 3000, 5, 24)),
    Case("lattice_slice", lambda r: slice_(r, 99, 2, 1), "one_column"),
    Case("lattice_slice", lambda r: slice_(r, 99, 2, 39), "odd"),
    Case("lattice_scale", lambda r: [r.uniform(0.5, 90, 2100), r.out(2100), 0.97, False]),
    Case("lattice_scale", lambda r: [np.array([0, 3, 1e-3], r.dtype), r.out(3), 0.8, True], "root"),
    Case("crf_join", lambda r: join(r, False)),
    Case("crf_join", lambda r: join(r, True), "scaled"),
    Case("crf_mix", lambda r: [r.real(5, 5), r.real(2100, 8)]),
    Case("crf_mix", lambda r: [r.real(21, 21), r.real(70, 24)], "21"),
    Case("crf_mix", lambda r: [r.real(3, 3), r.real(11, 3)], "unpadded"),
    *(
        Case("crf_update", lambda r, p=p, t=t, pad=pad: update(r, 2200, p, t, pad), f"{p}x{t}")
        for p, t, pad in [(8, 9, 3), (16, 3, 0), (24, 9, 3), (32, 6, 1), (40, 9, 5), (4, 3, 2), (13, 3, 0), (1, 3, 0)]
    ),
    Case("crf_update", lambda r: update(r, 50, 24, 0, 3), "no_kernels"),
    Case("crf_pack", lambda r: [r.real(5, 12, 13), r.out(156, 8), 12, 13]),
    Case("crf_pack", lambda r: [r.real(5, 12, 13), r.out(77, 8), 7, 11], "region"),
    Case("crf_pack", lambda r: [r.real(2, 50, 40), r.out(2000, 4), 50, 40], "many"),
    Case("crf_unpack", lambda r: unpack(r, 5, 8, 12, 13, False)),
    Case("crf_unpack", lambda r: unpack(r, 5, 8, 7, 11, False), "region"),
    Case("crf_unpack", lambda r: unpack(r, 5, 8, 7, 11, True), "log"),
    Case("crf_strips", lambda r: strips(r, 5000, 9, 700, 7)),
    Case("crf_strips", lambda r: strips(r, 20000, 3, 900, 24), "many"),
    Case("crf_strips", lambda r: strips(r, 9, 3, 40, 1), "one"),
    Case("crf_strips", lambda r: strips(r, 3, 3, 4, 5), "more_than_points"),
    Case("crf_strips", lambda r: strips(r, 0, 3, 4, 2), "no_points"),
    *(
        Case("lattice_chains", lambda r, n=n, d=d, z=z: chains(r, n, d, 70, z), f"{n}x{d}x{z}")
        for n, d, z in [(900, 5, 7), (6000, 2, 1), (9, 1, 40)]
    ),
    *(
        Case("crf_sweep", lambda r, d=d, p=p, s=s: sweep(r, 2000, d, p, s), f"{len(d)}x{p}x{s}")
        for d, p, s in [
            ((2, 5), 24, 5),
            ((2,), 24, 1),
            ((5,), 8, 3),
            ((2, 5), 16, 2),
            ((3,), 32, 4),
            ((2,), 45, 3),
            ((2,), 4, 2),
        ]
    ),
    Case("crf_sweep", lambda r: sweep(r, 500, (2, 5), 24, 3, messages=False), "scores_alone"),
    Case("crf_sweep", lambda r: sweep(r, 500, (2, 5), 1, 3, messages=False), "one_column"),
    *(
        Case("crf_blur", lambda r, n=n, d=d, p=p: blur(r, n, d, p, 4), f"{n}x{len(d)}x{p}")
        for n, d, p in [(3000, (2, 5), 24), (20000, (2,), 8), (3000, (5,), 1), (400, (3, 2), 45), (50, (2, 3), 4)]
    ),
]
