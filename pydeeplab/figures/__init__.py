"""The figures of the DeepLab paper, drawn from nets and results of one's own.

Each function gives a `Figure`: a title, a caption that says what is seen and with which parameters, and a picture that
`write_figure` writes as PNG and SVG and `build_page` puts on an HTML page with others.
"""

from pydeeplab.figures.atrous import atrous_figure
from pydeeplab.figures.atrous_line import line_figure
from pydeeplab.figures.fields import aspp_figure
from pydeeplab.figures.figure import Figure, write_figure
from pydeeplab.figures.mean_field import mean_field_figure
from pydeeplab.figures.page import build_page
from pydeeplab.figures.panels import failures_figure, panels_figure
from pydeeplab.figures.taps import taps_figure
from pydeeplab.figures.trimap import trimap_figure

__all__ = [
    "Figure",
    "aspp_figure",
    "atrous_figure",
    "build_page",
    "failures_figure",
    "line_figure",
    "mean_field_figure",
    "panels_figure",
    "taps_figure",
    "trimap_figure",
    "write_figure",
]
