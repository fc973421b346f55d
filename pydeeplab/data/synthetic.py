"""A procedural data set: shapes on clutter, drawn from a seed, with exact labels.

The class of an object is its shape, never its colour: discs, squares, triangles and stars of many sizes and turns, and
thin bars, each in colours and with a faint texture of its own, over a background of gradients, irregular blobs and
scribbles that belong to no class. A pixel alone says nothing; its wide surroundings do. Object borders carry the ignore
label, as in PASCAL VOC.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["CLASSES", "IGNORE", "scene"]

CLASSES = ("background", "disc", "square", "triangle", "star", "bar")
"""Class names by label."""

IGNORE = 255
"""Label of the pixels around object borders."""

_SUPERSAMPLING = 3

Points = list[tuple[float, float]]


def _polygon(corners: int, inner: float, radius: float, turn: float) -> Points:
    """A regular polygon, or a star if the radius of every other corner is ``inner`` times smaller."""
    count = corners * (2 if inner < 1 else 1)
    radii = [radius * (inner if inner < 1 and i % 2 else 1) for i in range(count)]
    angles = [turn + 2 * np.pi * i / count for i in range(count)]
    return [(r * np.cos(a), r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]


def _bar(length: float, width: float, turn: float) -> Points:
    corners = np.array([[-length, -width], [length, -width], [length, width], [-length, width]])
    cosine, sine = np.cos(turn), np.sin(turn)
    return [(x * cosine - y * sine, x * sine + y * cosine) for x, y in corners]


def _blob(random: np.random.Generator, radius: float) -> Points:
    """An irregular outline that is none of the classes."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    wobble = sum(random.uniform(0.1, 0.3) * np.sin(k * angles + random.uniform(0, 2 * np.pi)) for k in (2, 3, 5))
    return [
        (radius * w * np.cos(a), radius * w * np.sin(a)) for a, w in zip(angles, 1 + np.asarray(wobble), strict=True)
    ]


_OUTLINES: dict[int, Callable[[np.random.Generator, float], Points]] = {
    1: lambda r, size: _polygon(48, 1, size, 0),
    2: lambda r, size: _polygon(4, 1, size * 1.2, r.uniform(0, np.pi)),
    3: lambda r, size: _polygon(3, 1, size * 1.3, r.uniform(0, 2 * np.pi)),
    4: lambda r, size: _polygon(5, 0.45, size * 1.35, r.uniform(0, 2 * np.pi)),
    5: lambda r, size: _bar(size * 1.9, max(2.0, size * 0.16), r.uniform(0, np.pi)),
}


Window = tuple[slice, slice]


def _mask(
    points: Points, centre: tuple[float, float], size: tuple[int, int]
) -> tuple[Window, NDArray[np.float32]] | None:
    """The part of an H x W grid that a polygon touches, and its coverage there in [0, 1]; None if it lies outside."""
    s = _SUPERSAMPLING
    moved = np.array(points)[:, ::-1] + centre
    low = np.clip(np.floor(moved.min(axis=0)).astype(int) - 1, 0, size)
    high = np.clip(np.ceil(moved.max(axis=0)).astype(int) + 2, 0, size)
    height, width = (high - low).tolist()
    if height <= 0 or width <= 0:
        return None
    canvas = Image.new("L", (width * s, height * s))
    ImageDraw.Draw(canvas).polygon([tuple(p) for p in ((moved - low) * s)[:, ::-1].tolist()], fill=255)
    coverage = np.asarray(canvas.resize((width, height), Image.Resampling.BOX), np.float32) / np.float32(255)
    return (slice(low[0], high[0]), slice(low[1], high[1])), coverage


def _gradient(random: np.random.Generator, size: tuple[int, int], contrast: float) -> NDArray[np.float32]:
    """A colour that drifts over the picture, H x W x 3."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    base = random.uniform(30, 225, 3)
    slopes = random.uniform(-contrast, contrast, (2, 3))
    return (base + rows[..., None] / size[0] * slopes[0] + columns[..., None] / size[1] * slopes[1]).astype(np.float32)


def _texture(random: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """A faint grain or stripes, H x W x 1."""
    if random.random() < 0.5:
        grain = Image.fromarray(random.integers(0, 256, size, dtype=np.uint8)).filter(ImageFilter.GaussianBlur(1))
        return (np.asarray(grain, np.float32)[..., None] - 128) * random.uniform(0.1, 0.4)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    turn, wave = random.uniform(0, np.pi), random.uniform(0.5, 1.5)
    stripes = np.sin((rows * np.sin(turn) + columns * np.cos(turn)) * wave)
    return stripes[..., None] * np.float32(random.uniform(3, 10))


def _paint(
    random: np.random.Generator,
    picture: NDArray[np.float32],
    mask: tuple[Window, NDArray[np.float32]] | None,
    contrast: float,
) -> None:
    """Cover what the mask covers with a colour and a texture."""
    if mask is None:
        return
    window, coverage = mask
    shape = (coverage.shape[0], coverage.shape[1])
    colour = _gradient(random, shape, contrast) + _texture(random, shape)
    picture[window] += coverage[..., None] * (colour - picture[window])


def _draw_clutter(random: np.random.Generator, picture: NDArray[np.float32], size: tuple[int, int]) -> None:
    area = size[0] * size[1]
    for _ in range(int(random.integers(4, 8) * max(1, area // 25000))):
        centre = (random.uniform(0, size[0]), random.uniform(0, size[1]))
        _paint(random, picture, _mask(_blob(random, random.uniform(4, 22)), centre, size), 40)
    canvas = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(random.integers(3, 7))):
        steps = np.cumsum(random.normal(0, 14, (7, 2)), axis=0) + random.uniform(0, 1, 2) * (size[1], size[0])
        draw.line([tuple(p) for p in steps.tolist()], fill=tuple(random.integers(20, 236, 3).tolist()), width=1)
    picture[...] = np.asarray(canvas, np.float32)


def scene(
    seed: int, height: int = 161, width: int = 161, objects: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one scene.

    Parameters
    ----------
    seed
        Determines everything.
    height, width
        Size in pixels.
    objects
        Number of objects; by default 2 to 5 per 161 x 161 pixels.

    Returns
    -------
    image : (height, width, 3) uint8
        RGB.
    labels : (height, width) uint8
        Indices into `CLASSES`, `IGNORE` around borders.
    """
    random = np.random.default_rng(seed)
    size = (height, width)
    picture = _gradient(random, size, 80)
    _draw_clutter(random, picture, size)
    labels = np.zeros(size, np.uint8)
    count = objects if objects is not None else int(random.integers(2, 6) * max(1.0, height * width / 161**2))
    for _ in range(count):
        kind = int(random.integers(1, len(CLASSES)))
        radius = float(np.exp(random.uniform(np.log(11), np.log(32))))
        centre = (random.uniform(0.1, 0.9) * height, random.uniform(0.1, 0.9) * width)
        mask = _mask(_OUTLINES[kind](random, radius), centre, size)
        _paint(random, picture, mask, 50)
        if mask is not None:
            window, coverage = mask
            labels[window][coverage > 0.98] = kind
            labels[window][(coverage > 0.02) & (coverage <= 0.98)] = IGNORE
    picture += random.normal(0, random.uniform(1, 6), (*size, 3))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), labels
