"""The fully connected CRF: class scores made to follow the edges of the picture.

`refine` does one image, `DenseCRF` many; `CRFParameters` holds the weights and deviations, `PRESETS` the published
ones. `MeanField` and `PermutohedralLattice` are the parts that they are made of.
"""

from pydeeplab.crf.inference import DenseCRF, refine
from pydeeplab.crf.lattice import NORMALIZATIONS, PermutohedralLattice
from pydeeplab.crf.mean_field import MeanField
from pydeeplab.crf.parameters import PRESETS, CRFParameters
from pydeeplab.crf.unary import scores_from_labels, scores_from_probabilities

__all__ = [
    "NORMALIZATIONS",
    "PRESETS",
    "CRFParameters",
    "DenseCRF",
    "MeanField",
    "PermutohedralLattice",
    "refine",
    "scores_from_labels",
    "scores_from_probabilities",
]
