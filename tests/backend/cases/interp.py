"""Resizing: up and down by whole and odd factors, to and from one pixel, of windows, the plain copy, many rows."""

from tests.support.kernels import Case

# planes, height, width of the source; window top, left, height, width; height, width of the output
GEOMETRIES = {
    "zoom_8": (3, 5, 7, 0, 0, 5, 7, 33, 49),
    "zoom_8_large": (2, 41, 41, 0, 0, 41, 41, 321, 321),
    "shrink_2": (2, 13, 11, 0, 0, 13, 11, 7, 6),
    "shrink_8_label": (1, 321, 321, 0, 0, 321, 321, 41, 41),
    "odd": (4, 7, 9, 0, 0, 7, 9, 10, 4),
    "three_quarters": (3, 33, 29, 0, 0, 33, 29, 25, 22),
    "window": (2, 9, 10, 2, 3, 5, 4, 17, 9),
    "copy": (2, 6, 7, 0, 0, 6, 7, 6, 7),
    "copy_window": (2, 6, 7, 1, 2, 3, 4, 3, 4),
    "to_one": (2, 6, 5, 0, 0, 6, 5, 1, 1),
    "to_one_row": (2, 6, 5, 0, 0, 6, 5, 1, 8),
    "from_one": (2, 1, 1, 0, 0, 1, 1, 4, 5),
    "from_one_row": (1, 1, 4, 0, 0, 1, 4, 3, 9),
    "one_to_one": (2, 3, 3, 1, 1, 1, 1, 1, 1),
    "prime": (2, 37, 41, 0, 0, 37, 41, 101, 67),
    "no_planes": (0, 4, 4, 0, 0, 4, 4, 8, 8),
}


def forward(g):
    return lambda r: [r.real(*g[:3]), r.out(g[0], g[7], g[8]), *g[3:7]]


def nearest(g):
    return lambda r: [r.integers(0, 21, *g[:3]), r.out(g[0], g[7], g[8]), *g[3:7]]


def backward(g):
    return lambda r: [r.real(g[0], g[7], g[8]), r.out(*g[:3]), *g[3:7]]


CASES = [
    Case(kernel, make(g), label=name)
    for kernel, make in (
        ("interp_forward", forward),
        ("interp_backward", backward),
        ("interp_nearest_forward", nearest),
    )
    for name, g in GEOMETRIES.items()
]
