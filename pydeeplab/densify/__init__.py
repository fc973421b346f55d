"""Classification nets made dense (paper, section 3.1): the last strides taken out, later windows stretched instead.

`densify` turns a Caffe classification net into the nets, solver and weights that training for segmentation starts
from. `LargeFOV`, `ASPP` and `Plain` are its heads.
"""

from pydeeplab.densify.convert import densify
from pydeeplab.densify.grid import Grid
from pydeeplab.densify.head import ASPP, Head, LargeFOV, Plain
from pydeeplab.densify.report import LayerReport, Side
from pydeeplab.densify.result import Densified
from pydeeplab.densify.windows import WINDOWS, Windows

__all__ = [
    "ASPP",
    "WINDOWS",
    "Densified",
    "Grid",
    "Head",
    "LargeFOV",
    "LayerReport",
    "Plain",
    "Side",
    "Windows",
    "densify",
]
