"""A procedural data set: textured shapes on clutter, drawn from a seed, with exact labels.

Discs, squares, triangles and stars of many sizes and turns, and thin bars, lie over each other on clouds, irregular
blobs and scribbles that belong to no class. Colours say nothing. Each class has a typical texture, but some objects
wear another, and the blobs wear them too: what a pixel is shows in its wide surroundings only. Object borders carry the
ignore label, as in PASCAL VOC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["CLASSES", "IGNORE", "scene"]

CLASSES = ("background", "disc", "square", "triangle", "star", "bar")
"""Class names by label."""

IGNORE = 255
"""Label of the pixels around object borders."""

_SUPERSAMPLING = 3
_TYPICAL = 0.8
"""Share of the objects that wear the texture of their class; the others, and all clutter, wear that of any."""

Points = list[tuple[float, float]]
Field = NDArray[np.float32]


def _any_class(random: np.random.Generator) -> int:
    """A class other than the background."""
    return int(random.integers(1, len(CLASSES)))


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


def _colour(random: np.random.Generator, chroma: float) -> NDArray[np.float64]:
    """A grey, tinted: saturated colours are rare, as in photographs."""
    tint = random.normal(0, chroma, 3)
    return random.uniform(55, 200) + tint - tint.mean()


def _gradient(random: np.random.Generator, size: tuple[int, int], chroma: float, contrast: float) -> Field:
    """A colour that drifts over the picture, H x W x 3."""
    down, right = np.linspace(-0.5, 0.5, size[0]), np.linspace(-0.5, 0.5, size[1])
    slopes = random.uniform(-contrast, contrast, 2)
    light = down[:, None] * slopes[0] + right * slopes[1]
    return (_colour(random, chroma) + light[..., None]).astype(np.float32)


def _clouds(random: np.random.Generator, size: tuple[int, int], spacing: float) -> Field:
    """Smooth noise of -1..1 whose hills lie ``spacing`` pixels apart, H x W."""
    grid = [max(2, round(s / spacing) + 1) for s in size]
    coarse = Image.fromarray(random.uniform(-1, 1, grid).astype(np.float32))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC), np.float32)


def _waves(random: np.random.Generator, size: tuple[int, int], turn: float) -> Field:
    """Stripes of -1..1 across a direction, H x W."""
    wave, phase = random.uniform(0.7, 1.3), random.uniform(0, 2 * np.pi)
    rows, columns = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)
    distance = rows[:, None] * np.float32(wave * np.sin(turn)) + columns * np.float32(wave * np.cos(turn))
    return np.sin(distance + np.float32(phase))


def _texture(random: np.random.Generator, size: tuple[int, int], kind: int) -> Field:
    """The texture of a class, H x W x 1: grain, checks, stripes, dots, or almost none."""
    turn, strength = random.uniform(0, np.pi), np.float32(random.uniform(8, 24))
    pattern: NDArray[Any]
    if kind == 1:
        pattern = _clouds(random, size, random.uniform(1.5, 3))
    elif kind == 3:
        pattern = _waves(random, size, turn)
    elif kind == 5:
        pattern = _clouds(random, size, 12) / 2
    else:
        product = _waves(random, size, turn) * _waves(random, size, turn + np.pi / 2)
        low, threshold = (-0.8, 0.0) if kind == 2 else (-0.3, 0.4)
        pattern = (product > threshold).astype(np.float32) * np.float32(1.6) + np.float32(low)
    return (pattern * strength).astype(np.float32)[..., None]


def _paint(
    random: np.random.Generator,
    picture: NDArray[np.float32],
    mask: tuple[Window, NDArray[np.float32]] | None,
    chroma: float,
    texture: int,
) -> None:
    """Cover what the mask covers with some colour and the texture of a class."""
    if mask is None:
        return
    window, coverage = mask
    shape = (coverage.shape[0], coverage.shape[1])
    colour = _gradient(random, shape, chroma, 60) + _texture(random, shape, texture)
    picture[window] += coverage[..., None] * (colour - picture[window])


def _draw_clutter(random: np.random.Generator, picture: NDArray[np.float32], size: tuple[int, int]) -> None:
    area = size[0] * size[1]
    for _ in range(round(random.uniform(4, 8) * max(1.0, area / 25000))):
        centre = (random.uniform(0, size[0]), random.uniform(0, size[1]))
        _paint(random, picture, _mask(_blob(random, random.uniform(4, 22)), centre, size), 25, _any_class(random))
    canvas = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(random.integers(3, 7))):
        steps = np.cumsum(random.normal(0, 14, (7, 2)), axis=0) + random.uniform(0, 1, 2) * (size[1], size[0])
        draw.line([tuple(p) for p in steps.tolist()], fill=tuple(_colour(random, 30).astype(int).tolist()), width=1)
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
        Number of objects; by default 4 to 8 per 161 x 161 pixels.

    Returns
    -------
    image : (height, width, 3) uint8
        RGB.
    labels : (height, width) uint8
        Indices into `CLASSES`, `IGNORE` around borders.
    """
    random = np.random.default_rng(seed)
    size = (height, width)
    picture = _gradient(random, size, 25, 70)
    for spacing, strength in ((60, 22), (14, 9)):
        picture += strength * _clouds(random, size, spacing)[..., None]
    _draw_clutter(random, picture, size)
    labels = np.zeros(size, np.uint8)
    count = objects if objects is not None else round(random.uniform(4, 8) * max(1.0, height * width / 161**2))
    for _ in range(count):
        kind = _any_class(random)
        radius = float(np.exp(random.uniform(np.log(11), np.log(36))))
        centre = (random.uniform(0.1, 0.9) * height, random.uniform(0.1, 0.9) * width)
        mask = _mask(_OUTLINES[kind](random, radius), centre, size)
        _paint(random, picture, mask, 30, kind if random.random() < _TYPICAL else _any_class(random))
        if mask is not None:
            window, coverage = mask
            labels[window][coverage > 0.98] = kind
            labels[window][(coverage > 0.02) & (coverage <= 0.98)] = IGNORE
    picture += random.standard_normal((*size, 3), np.float32) * np.float32(random.uniform(1, 6))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), labels
