"""The domain transform: a recursive edge-aware smoothing, and its gradient."""

import numpy as np

RIGHT, LEFT, DOWN, UP = range(4)
PASSES = (RIGHT, LEFT, DOWN, UP)


def sigma(i, iterations, spatial_sigma):
    return spatial_sigma * np.sqrt(3) * 2.0 ** (iterations - 1 - i) / np.sqrt(4.0**iterations - 1)


def slope(i, iterations, spatial_sigma):
    return -np.sqrt(2) / sigma(i, iterations, spatial_sigma)


def weight(g, i, iterations, spatial_sigma, range_sigma, min_weight, clamp):
    w = np.exp(slope(i, iterations, spatial_sigma) * (1 + g * (spatial_sigma / range_sigma)))
    return (np.clip(w, min_weight, 1) if clamp else w).astype(g.dtype)


def steps(direction, height, width):
    """For each step of a pass: the line written, the line that it takes from, and the line of its weights."""

    def line(i):
        return (..., i, slice(None)) if direction in (DOWN, UP) else (..., slice(None), i)

    extent = height if direction in (DOWN, UP) else width
    if direction in (RIGHT, DOWN):
        return [(line(i), line(i - 1), line(i)) for i in range(1, extent)]
    return [(line(i), line(i + 1), line(i + 1)) for i in range(extent - 2, -1, -1)]


def domain_transform_forward(x, g, size, y, iterations, spatial_sigma, range_sigma, min_weight, clamp):
    y[...] = x
    for n, (height, width) in enumerate(size.astype(int)):
        inside = y[n, :, :height, :width]
        for i in range(iterations):
            w = weight(g[n, :height, :width], i, iterations, spatial_sigma, range_sigma, min_weight, clamp)
            for direction in PASSES:
                for here, before, edge in steps(direction, height, width):
                    inside[here] += w[edge] * (inside[before] - inside[here])


def domain_transform_backward(x, g, size, dy, dx, dg, iterations, spatial_sigma, range_sigma, min_weight):
    dx[...] = dy
    dg[...] = 0
    for n, (height, width) in enumerate(size.astype(int)):
        inside, gradient = x[n, :, :height, :width].copy(), dx[n, :, :height, :width]
        trace = []
        for i in range(iterations):
            w = weight(g[n, :height, :width], i, iterations, spatial_sigma, range_sigma, min_weight, True)
            for direction in PASSES:
                for here, before, edge in steps(direction, height, width):
                    difference = inside[before] - inside[here]
                    inside[here] += w[edge] * difference
                    trace.append((i, w, here, before, edge, difference))
        for i, w, here, before, edge, difference in reversed(trace):
            flow = gradient[here]
            factor = slope(i, iterations, spatial_sigma) * spatial_sigma / range_sigma
            dg[n, :height, :width][edge] += factor * w[edge] * (flow * difference).sum(axis=0)
            gradient[before] += w[edge] * flow
            gradient[here] = (1 - w[edge]) * flow
