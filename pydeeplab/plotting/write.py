"""Charts as files: SVG, PNG and CSV."""

from __future__ import annotations

import base64
import csv
import io
import os
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from pydeeplab.errors import UsageError
from pydeeplab.files import write_bytes
from pydeeplab.plotting.chart import Chart
from pydeeplab.plotting.layout import Bitmap, Box, Dot, Line, Part, Picture, Text, lay_out, load_font

__all__ = ["SUFFIXES", "encoded", "picture_png", "picture_svg", "to_csv", "to_png", "to_svg", "write_chart"]

SUFFIXES = (".csv", ".png", ".svg")
"""What `write_chart` can write."""

_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def to_svg(chart: Chart, width: int = 760, height: int = 440) -> str:
    """The chart as a stand-alone SVG text, which can be put into HTML as it is."""
    return picture_svg(lay_out(chart, width, height), chart.title or chart.y_label or "chart")


def picture_svg(picture: Picture, title: str) -> str:
    """A laid-out picture as a stand-alone SVG text."""
    width, height = picture.width, picture.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_svg_part(part) for part in picture.parts),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _svg_part(part: Part) -> str:
    if isinstance(part, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in part.points)
        opacity = f' stroke-opacity="{part.opacity:g}"' if part.opacity < 1 else ""
        return (
            f'<polyline points="{points}" fill="none" stroke="{part.colour}" stroke-width="{part.width:g}"'
            f' stroke-linejoin="round"{opacity}/>'
        )
    if isinstance(part, Dot):
        return f'<circle cx="{part.x:.1f}" cy="{part.y:.1f}" r="{part.radius:g}" fill="{part.colour}"/>'
    if isinstance(part, Box):
        line = f' stroke="{part.line}" stroke-width="{part.line_width:g}"' if part.line else ""
        opacity = f' fill-opacity="{part.opacity:g}"' if part.opacity < 1 else ""
        return f'<rect {_place(part)} fill="{part.fill or "none"}"{line}{opacity}/>'
    if isinstance(part, Bitmap):
        uri = encoded(part.pixels, photo=part.photo)
        return f'<image {_place(part)} preserveAspectRatio="none" href="{uri}"/>'
    weight = ' font-weight="bold"' if part.bold else ""
    return (
        f'<text x="{part.x:.1f}" y="{part.y:.1f}" font-size="{part.size}" fill="{part.colour}" '
        f'text-anchor="{part.anchor}"{weight}>{escape(part.text)}</text>'
    )


def _place(part: Box | Bitmap) -> str:
    return f'x="{part.x:.1f}" y="{part.y:.1f}" width="{part.width:.1f}" height="{part.height:.1f}"'


def encoded(pixels: NDArray[np.uint8], *, photo: bool) -> str:
    """Pixels as a data URI: JPEG for photographs, else PNG."""
    stream = io.BytesIO()
    form, options = ("jpeg", {"quality": 88}) if photo else ("png", {"optimize": True})
    Image.fromarray(pixels).save(stream, form, **options)
    return f"data:image/{form};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def to_png(chart: Chart, width: int = 760, height: int = 440, *, scale: int = 2) -> bytes:
    """The same chart as PNG, ``scale`` pixels per unit; lines are smoothed by drawing them twice as large."""
    return picture_png(lay_out(chart, width, height), scale=scale)


def picture_png(picture: Picture, *, scale: int = 2, colours: int | None = None) -> bytes:
    """A laid-out picture as PNG, ``scale`` pixels per unit; with ``colours`` (at most 256) as a small palette PNG."""
    fine = 2 * scale
    canvas = Image.new("RGB", (picture.width * fine, picture.height * fine), "white")
    draw = ImageDraw.Draw(canvas, "RGBA")
    for part in picture.parts:
        _draw_part(canvas, draw, part, fine)
    image = canvas.resize((picture.width * scale, picture.height * scale), Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    for part in picture.parts:
        if isinstance(part, Text):
            draw.text(
                (part.x * scale, part.y * scale),
                part.text,
                fill=part.colour,
                font=load_font(part.size * scale),
                anchor=_ANCHORS[part.anchor],
                stroke_width=scale / 4 if part.bold else 0,
            )
    if colours:
        image = _reduced(image, picture, colours)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _reduced(image: Image.Image, picture: Picture, colours: int) -> Image.Image:
    """The image with a palette of at most so many colours; white and those of lines, boxes and dots stay exact."""
    names = {c for p in picture.parts if not isinstance(p, Bitmap) for c in _colours_of(p)}
    own = sorted({(255, 255, 255), *(ImageColor.getrgb(name)[:3] for name in names)}, reverse=True)[: colours // 2]
    found = image.quantize(colours - len(own), Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = [*(value for colour in own for value in colour), *found][: 3 * colours]
    table = Image.new("P", (1, 1))
    table.putpalette(palette)
    indices = np.array(image.quantize(palette=table, dither=Image.Dither.FLOYDSTEINBERG))
    known = _codes(np.array(own[::-1], np.uint8))
    codes = _codes(np.asarray(image))
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    exact = known[places] == codes
    indices[exact] = len(known) - 1 - places[exact]
    reduced = Image.fromarray(indices)
    reduced.putpalette(palette)
    return reduced


def _codes(colours: NDArray[np.uint8]) -> NDArray[np.int32]:
    """One number for each colour (..., 3), in the order of red, green, blue."""
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    codes: NDArray[np.int32] = red << 16 | green << 8 | blue
    return codes


def _colours_of(part: Line | Dot | Text | Box) -> tuple[str, ...]:
    if isinstance(part, Box):
        return tuple(colour for colour in (part.fill, part.line) if colour)
    return (part.colour,)


def _draw_part(canvas: Image.Image, draw: ImageDraw.ImageDraw, part: Part, scale: int) -> None:
    if isinstance(part, Line):
        colour = _on_white(part.colour, part.opacity)
        points = [(float(x), float(y)) for x, y in part.points * scale]
        draw.line(points, fill=colour, width=max(1, round(part.width * scale)), joint="curve")
    elif isinstance(part, Dot):
        x, y, r = part.x * scale, part.y * scale, part.radius * scale
        draw.ellipse((x - r, y - r, x + r, y + r), fill=part.colour)
    elif isinstance(part, Box):
        _draw_box(draw, part, scale)
    elif isinstance(part, Bitmap):
        size = max(1, round(part.width * scale)), max(1, round(part.height * scale))
        larger = size[0] >= part.pixels.shape[1]
        resampling = Image.Resampling.NEAREST if larger else Image.Resampling.BOX
        picture = Image.fromarray(np.ascontiguousarray(part.pixels)).resize(size, resampling)
        canvas.paste(picture, (round(part.x * scale), round(part.y * scale)))


def _draw_box(draw: ImageDraw.ImageDraw, part: Box, scale: int) -> None:
    """An outline lies half inside, half outside the rectangle, as in SVG."""
    x, y, right, bottom = (v * scale for v in (part.x, part.y, part.x + part.width, part.y + part.height))
    if part.fill:
        red, green, blue = ImageColor.getrgb(part.fill)[:3]
        draw.rectangle((x, y, right - 1, bottom - 1), fill=(red, green, blue, round(255 * part.opacity)))
    if part.line:
        half = part.line_width * scale / 2
        outline = (x - half, y - half, right + half - 1, bottom + half - 1)
        draw.rectangle(outline, outline=part.line, width=max(1, round(2 * half)))


def _on_white(colour: str, opacity: float) -> tuple[int, ...]:
    return tuple(round(255 + (c - 255) * opacity) for c in ImageColor.getrgb(colour)[:3])


def to_csv(chart: Chart) -> str:
    """The points as text: a column of x, then one per series; empty where a series has no value at that x."""
    columns = [s for s in chart.series if not s.faint]
    values: dict[float, list[str]] = {}
    for index, series in enumerate(columns):
        for x, y in zip(series.x.tolist(), series.y.tolist(), strict=True):
            values.setdefault(x, [""] * len(columns))[index] = f"{y:.9g}"
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([chart.x_label or "x", *(s.name for s in columns)])
    for x in sorted(values):
        writer.writerow([f"{x:.12g}", *values[x]])
    return stream.getvalue()


def write_chart(path: str | os.PathLike[str], chart: Chart, width: int = 760, height: int = 440) -> None:
    """Write a chart atomically in the format that the file's name ends with.

    Raises
    ------
    UsageError
        The name does not end with .svg, .png or .csv.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"cannot write '{os.fspath(path)}': a chart's file ends with {', '.join(SUFFIXES)}")
    if suffix == ".png":
        write_bytes(path, to_png(chart, width, height))
    else:
        write_bytes(path, (to_svg(chart, width, height) if suffix == ".svg" else to_csv(chart)).encode())
