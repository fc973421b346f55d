"""Finding the CRF's parameters for a net by cross-validation, from coarse to fine (section 4.1.1 of the paper).

`search` tries the bilateral kernels of a `Grid` on some `Sample` pictures under one `Setting`, then finer steps around
the best, and returns a `Search`.
"""

from pydeeplab.crf_search.coarse_to_fine import Search, search
from pydeeplab.crf_search.engine import ENGINES, choose_engine, open_engine
from pydeeplab.crf_search.grid import PAPER_GRID, Grid, parse_values
from pydeeplab.crf_search.task import KINDS, Sample, Setting

__all__ = [
    "ENGINES",
    "KINDS",
    "PAPER_GRID",
    "Grid",
    "Sample",
    "Search",
    "Setting",
    "choose_engine",
    "open_engine",
    "parse_values",
    "search",
]
