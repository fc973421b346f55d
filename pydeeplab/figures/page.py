"""Figures gathered on one HTML page that needs neither network nor scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from pydeeplab.figures.figure import Figure
from pydeeplab.plotting.write import picture_svg
from pydeeplab.web_page import STYLE, web_page

__all__ = ["build_page"]

_MORE = "section { margin: 34px 0 46px; } section svg { display: block; margin: 12px 0; } p { max-width: 110ch; }"


def build_page(figures: Sequence[Figure], *, title: str = "Figures", settings: Mapping[str, str] | None = None) -> str:
    """One HTML page of figures, each with its title and caption.

    Parameters
    ----------
    figures : sequence of Figure
        In the order to show.
    title : str
        Of the page.
    settings : mapping, optional
        What to say about how the results were made.

    Returns
    -------
    str
        HTML with all pictures in it.
    """
    links = "".join(f'<a href="#{escape(figure.name)}">{escape(figure.title)}</a>' for figure in figures)
    said = " &middot; ".join(f"{escape(name)}: {escape(value)}" for name, value in (settings or {}).items())
    sections = "".join(
        f'<section id="{escape(figure.name)}"><h2>{escape(figure.title)}</h2>'
        f"{picture_svg(figure.picture, figure.title)}<p>{escape(figure.caption)}</p></section>\n"
        for figure in figures
    )
    head = f'<h1>{escape(title)}</h1><p class="soft">{said}</p><nav>{links}</nav>\n'
    return web_page(title, head + sections, style=STYLE + _MORE)
