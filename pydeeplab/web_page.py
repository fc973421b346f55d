"""Pages of HTML in one file, with all that belongs to them."""

from __future__ import annotations

import re
from html import escape

__all__ = ["STYLE", "command_block", "web_page"]

STYLE = """
:root { color: #222; background: #fff; font: 15px/1.5 Helvetica, Arial, sans-serif; }
body { max-width: 1480px; margin: 0 auto; padding: 24px 28px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 44px 0 6px; }
h3 { font-size: 16px; margin: 26px 0 4px; }
p { margin: 4px 0 10px; max-width: 80ch; }
.soft { color: #666; }
.right, td.n, th.n { text-align: right; }
nav a { margin-right: 18px; color: #0072b2; text-decoration: none; }
nav { margin: 12px 0 0; }
.cards { display: flex; flex-wrap: wrap; gap: 14px; margin: 18px 0; }
.card { border: 1px solid #ddd; border-radius: 8px; padding: 12px 18px; min-width: 150px; }
.card b { font-size: 26px; line-height: 1.25; }
.card span { margin-left: 8px; }
.card .soft { display: block; margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 20px 3px 0; border-bottom: 1px solid #eee; text-align: left; vertical-align: middle; }
th { font-weight: 600; border-bottom: 2px solid #ccc; }
tr.sum td { border-top: 2px solid #ccc; font-weight: 600; }
.up { color: #00724f; }
.down { color: #b03a00; }
.bar { display: inline-block; width: 130px; height: 9px; background: #eee; border-radius: 3px; margin-left: 8px; }
.bar i { display: block; height: 9px; background: #0072b2; border-radius: 3px; }
.swatch { display: inline-block; width: 14px; height: 14px; border: 1px solid #999; border-radius: 3px; }
.swatch { vertical-align: -2px; margin-right: 7px; }
.legend > span { margin-right: 16px; white-space: nowrap; }
.strip { display: grid; grid-auto-flow: column; gap: 10px; margin: 4px 0 18px; }
.strip { grid-auto-columns: minmax(160px, max-content); overflow-x: auto; justify-content: start; }
figure { margin: 0; }
figcaption { color: #555; font-size: 13px; }
figure img { display: block; border-radius: 3px; max-width: 100%; }
.maps { display: grid; grid-auto-flow: column; grid-template-rows: auto auto; gap: 8px; }
.maps { grid-auto-columns: minmax(110px, 170px); overflow-x: auto; padding-bottom: 8px; justify-content: start; }
.maps img { width: 100%; }
.matrices { display: flex; flex-wrap: wrap; gap: 28px; }
svg { max-width: 100%; height: auto; }
pre { background: #f5f5f2; border-radius: 6px; padding: 10px 14px; margin: 4px 0 14px; overflow-x: auto; }
pre.commands { white-space: pre-wrap; }
pre.commands div { padding-left: 4ch; text-indent: -4ch; }
pre.commands span { white-space: pre; }
.charts { display: flex; flex-wrap: wrap; gap: 20px; }
.charts svg { width: 440px; }
details { margin: 10px 0; }
summary { cursor: pointer; color: #0072b2; }
.error { color: #b03a00; }
"""
"""What reports look like."""


_BEFORE_OPTIONS = re.compile(r" +(?=--?[a-z]|#)")


def command_block(text: str) -> str:
    """Command lines as HTML: long ones are broken before options and comments only, and hang below their beginnings.

    Examples
    --------
    >>> command_block("ls -l a b")
    '<pre class="commands"><div><span>ls</span> <span>-l a b</span></div></pre>'
    """
    lines = []
    for line in text.splitlines():
        parts = (f"<span>{escape(part)}</span>" for part in _BEFORE_OPTIONS.split(line))
        lines.append(f"<div>{' '.join(parts)}</div>")
    return f'<pre class="commands">{"".join(lines)}</pre>'


def web_page(title: str, body: str, *, style: str = STYLE) -> str:
    """The text of a page.

    Parameters
    ----------
    title
        As text.
    body
        As HTML.
    style
        As CSS.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>{body}</body></html>\n"
    )
