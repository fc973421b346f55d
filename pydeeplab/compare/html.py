"""A comparison as one self-contained HTML page: a table, and a map of the errors in each array."""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pydeeplab.compare.comparison import BlobError, Comparison
from pydeeplab.compare.dump import Dump
from pydeeplab.files import write_text
from pydeeplab.net import Net
from pydeeplab.web_page import web_page

__all__ = ["error_map", "map_colours", "write_html"]

DECADES = 4
"""How far the colours reach below and above the tolerance, in powers of ten."""

STEPS = 8
"""Colours per power of ten: few, so that the pictures stay small."""

MOST_PIXELS = 160

_STOPS = np.array([-DECADES, -DECADES / 2, -1e-12, 1e-12, DECADES / 2, DECADES], np.float64)
_RAMP = np.array(
    [[16, 24, 58], [36, 92, 140], [132, 204, 176], [255, 226, 138], [240, 128, 48], [172, 16, 44]], np.float64
)
_EXACT = (203, 206, 211)
_NOT_A_NUMBER = (230, 40, 230)


def error_map(got: NDArray[np.float32], expected: NDArray[np.float32], *, weights: bool = False) -> NDArray[np.float64]:
    """Absolute errors as a picture.

    Parameters
    ----------
    got, expected
        Arrays of one shape.
    weights
        Whether they belong to a parameter: of (O, I, h, w) the picture is O x I, else of (N, C, H, W) it is H x W.

    Returns
    -------
    float64 array
        Mean absolute error over the axes that are not shown. Lists are folded to squares, filled up with NaN. Infinite
        where only one value is no number.
    """
    a, b = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    with np.errstate(invalid="ignore"):
        error = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    error = np.where(np.isnan(error), np.inf, error)
    if error.ndim > 2 and (weights or math.prod(error.shape[2:]) == 1):
        error = error.reshape(*error.shape[:2], -1).mean(axis=2)
    elif error.ndim > 2:
        error = error.reshape(-1, *error.shape[-2:]).mean(axis=0)
    if error.ndim == 2 and min(error.shape) > 1:
        return error
    flat = error.reshape(-1)
    width = max(1, math.ceil(math.sqrt(flat.size)))
    folded = np.full(max(1, -(-flat.size // width)) * width, np.nan)
    folded[: flat.size] = flat
    return folded.reshape(-1, width)


def map_colours(relative: NDArray[np.float64], tolerance: float) -> NDArray[np.uint8]:
    """Colours (H, W, 4) of errors relative to an array's largest value, on a logarithmic scale.

    Dark blue to green: within the tolerance; yellow to red: beyond it, four powers of ten each way. Grey: exact;
    magenta: not finite; transparent: nothing (NaN).
    """
    finite = np.isfinite(relative)
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.log10(np.where(finite, relative, 1) / tolerance).clip(-DECADES, DECADES)
    place = np.where(place <= 0, np.minimum(np.floor(place * STEPS) / STEPS, -1e-9), np.ceil(place * STEPS) / STEPS)
    rgba = np.empty((*relative.shape, 4), np.float64)
    for channel in range(3):
        rgba[..., channel] = np.interp(place, _STOPS, _RAMP[:, channel])
    rgba[..., 3] = 255
    rgba[relative == 0, :3] = _EXACT
    rgba[np.isposinf(relative), :3] = _NOT_A_NUMBER
    rgba[np.isnan(relative)] = 0
    return rgba.round().astype(np.uint8)


def _shrink(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most `MOST_PIXELS` a side; each pixel the largest of those that it replaces."""
    for axis in (0, 1):
        size = values.shape[axis]
        if size > MOST_PIXELS:
            values = np.fmax.reduceat(values, np.arange(MOST_PIXELS) * size // MOST_PIXELS, axis=axis)
    return values


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    """A picture (H, W, 4) of no more than 256 colours, as an indexed PNG."""
    colours, index = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    picture = Image.fromarray(index.reshape(pixels.shape[:2]).astype(np.uint8))
    picture.putpalette(colours[:, :3].tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True, transparency=colours[:, 3].tobytes())
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _arrays(key: str, net: Net, dump: Dump) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Ours and the recorded array of a key, after the comparison has run the net."""
    kind, _, name = key.partition("/")
    if kind == "pdiff":
        layer, _, index = name.rpartition("/")
        return net.params[layer][int(index)].diff, dump.pdiff[name]
    blob = net.blobs[name]
    return (blob.data, dump.data[name]) if kind == "data" else (blob.diff, dump.diff[name])


def _picture(error: BlobError, net: Net, dump: Dump, tolerance: float) -> str:
    if error.shape != error.expected_shape:
        return f"shape {error.shape}, expected {error.expected_shape}"
    got, expected = _arrays(error.key, net, dump)
    finite = np.abs(expected[np.isfinite(expected)])
    largest = max(float(finite.max(initial=0)), 1e-6)
    values = _shrink(error_map(got, expected, weights=error.key.startswith("pdiff/")) / largest)
    height, width = values.shape
    scale = 72 / max(height, width)
    size = f"width:{max(12, round(width * scale))}px;height:{max(12, round(height * scale))}px"
    uri = _data_uri(map_colours(values, tolerance))
    return f'<img src="{uri}" alt="errors of {escape(error.key)}" style="{size}" title="click to enlarge">'


def _bar(error: BlobError, tolerance: float) -> str:
    """The relative error on the scale of the colours."""
    if not math.isfinite(error.relative):
        return '<span class="bar"><i style="width:100%;background:#e628e6"></i></span>'
    place = (math.log10(max(error.relative, 1e-300) / tolerance) + DECADES) / (2 * DECADES)
    share = 100 * min(max(place, 0.0), 1.0) if error.relative else 0
    red, green, blue, _ = map_colours(np.array([[error.relative]]), tolerance)[0, 0]
    return f'<span class="bar"><i style="width:{share:.1f}%;background:rgb({red},{green},{blue})"></i><b></b></span>'


def _relative(error: BlobError) -> str:
    return f"{error.relative:.2e}" if error.relative else "0"


def _rows(errors: list[BlobError], net: Net, dump: Dump, result: Comparison) -> Iterator[str]:
    first = result.first_departure
    for error in errors:
        kind, _, name = error.key.partition("/")
        note = {"diff": "gradient", "pdiff": "gradient of parameter"}.get(kind, "")
        classes = " ".join(filter(None, ["" if error.within else "out", "first" if error is first else ""]))
        numbers = (
            f'<td class="n">{error.max_abs:.3g}</td><td class="n">{_relative(error)}{_bar(error, result.tolerance)}'
        )
        yield (
            f'<tr class="{classes}"><td><code>{escape(name)}</code><small>{note}</small></td>'
            f"<td>{escape(', '.join(error.layers))}</td><td>{' × '.join(map(str, error.shape)) or 'scalar'}</td>"
            f'{numbers}</td><td class="n">{error.ulps:,.0f}</td>'
            f"<td>{_picture(error, net, dump, result.tolerance)}</td></tr>"
        )


def _legend(tolerance: float) -> str:
    scale = tolerance * 10 ** np.linspace(-DECADES, DECADES, 240)[None]
    ticks = "".join(f"<span>{tolerance * 10.0**d:.0e}</span>" for d in range(-DECADES, DECADES + 1, 2))
    return (
        f'<figure><img class="scale" src="{_data_uri(map_colours(scale, tolerance))}" alt="scale of colours">'
        f'<div class="ticks">{ticks}</div><figcaption>mean |error| over items and channels, relative to the array\'s '
        "largest value; grey: exact, magenta: not a number. Green and blue are within the tolerance.</figcaption>"
        "</figure>"
    )


_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #8881; --out: #c62828; --ok: #2e7d5b; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p.sub { color: #888; margin: 0 0 1rem; }
.verdict { border-left: 5px solid var(--ok); background: var(--soft); padding: .6rem 1rem; border-radius: 4px; }
.verdict.out { border-color: var(--out); }
table { border-collapse: collapse; width: 100%; table-layout: fixed; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; font-size: .85rem; color: #888; }
th:nth-child(3) { width: 10rem; } th:nth-child(4) { width: 7rem; } th:nth-child(5) { width: 8rem; }
th:nth-child(6) { width: 5rem; } th:nth-child(7) { width: 5.5rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
td.n, th.n { text-align: right; white-space: nowrap; }
td small { display: block; color: #888; }
tr.out td:first-child { box-shadow: inset 4px 0 var(--out); }
tr.first { background: #c6282818; }
code { font-family: ui-monospace, monospace; }
td img { image-rendering: pixelated; border-radius: 3px; cursor: zoom-in; display: block; }
td img.large { position: absolute; right: 2rem; width: min(480px, 90vw) !important; height: auto !important; z-index: 2;
  box-shadow: 0 4px 24px #0006; cursor: zoom-out; }
.bar { display: block; position: relative; height: 5px; width: 110px; margin: 3px 0 0 auto; background: var(--line);
  border-radius: 3px; overflow: hidden; }
.bar i { position: absolute; inset: 0 auto 0 0; } .bar b { position: absolute; left: 50%; width: 1px; height: 100%;
  background: currentColor; }
figure { margin: 1rem 0; } figcaption { color: #888; font-size: .85rem; margin-top: .3rem; max-width: 46rem; }
.scale { width: 420px; max-width: 100%; height: 12px; border-radius: 3px; display: block; }
.ticks { display: flex; justify-content: space-between; width: 420px; max-width: 100%; font-size: .75rem; color: #888; }
body.only tbody tr:not(.out) { display: none; }
"""

_SCRIPT = """
document.addEventListener('click', e => { if (e.target.matches('td img')) e.target.classList.toggle('large'); });
document.getElementById('only').addEventListener('change', e =>
  document.body.classList.toggle('only', e.target.checked));
"""


def _verdict(result: Comparison) -> str:
    first = result.first_departure
    if first is None:
        return f'<p class="verdict">All {len(result.errors)} arrays agree within {result.tolerance:g}.</p>'
    count = sum(not e.within for e in result.errors)
    back = "".join(
        f" Backward: <code>{escape(e.key)}</code>, made by {escape(', '.join(e.layers))}."
        for e in result.departures[1:]
    )
    return (
        f'<p class="verdict out"><strong>First departure: <code>{escape(first.key)}</code></strong>, made by '
        f"{escape(', '.join(first.layers))}; relative error {first.relative:.3g}, tolerance {result.tolerance:g}."
        f"{back} {count} of {len(result.errors)} arrays depart.</p>"
    )


def _table(title: str, errors: list[BlobError], net: Net, dump: Dump, result: Comparison) -> str:
    if not errors:
        return ""
    head = '<th>array</th><th>layers</th><th>shape</th><th class="n">largest error</th><th class="n">relative</th>'
    rows = "\n".join(_rows(errors, net, dump, result))
    return (
        f'<h2>{title}</h2>\n<table><thead><tr>{head}<th class="n">ulps</th><th>errors</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def write_html(
    path: str | os.PathLike[str], net: Net, dump: Dump, result: Comparison, *, reference: str = "the reference"
) -> None:
    """Write a comparison as an HTML page that needs no other file.

    Parameters
    ----------
    net : Net
        As `pydeeplab.compare.compare` has left it.
    dump, result
        What it was given, and what it returned.
    reference : str
        What to call the other side.
    """
    forward = [e for e in result.errors if e.key.startswith("data/")]
    backward = [e for e in result.errors if not e.key.startswith("data/")]
    missing = [
        f"<p>{label}: {escape(', '.join(names))}</p>"
        for label, names in (("Not recorded", result.not_recorded), ("Not in the net", result.not_in_net))
        if names
    ]
    title = f"{net.name or 'net'} beside {reference}"
    parts = [
        f"<h1>{escape(net.name or 'net')}</h1>",
        f'<p class="sub">beside {escape(reference)}; phase {"TEST" if net.phase else "TRAIN"}, engine {net.engine}</p>',
        _verdict(result),
        _legend(result.tolerance),
        '<label><input type="checkbox" id="only"> only departures</label>',
        _table("Forward", forward, net, dump, result),
        _table("Backward", backward, net, dump, result),
        *missing,
        f"<script>{_SCRIPT}</script>",
    ]
    write_text(path, web_page(title, "\n".join(filter(None, parts)), style=_STYLE))
