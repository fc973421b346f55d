"""Looking at nets without running them: receptive fields, parameters, multiply-adds, memory."""

from pydeeplab.analysis.cost import Parameters
from pydeeplab.analysis.inputs import DATA_LAYERS, read_without_files, without_data_layers
from pydeeplab.analysis.rates import Rates
from pydeeplab.analysis.receptive import CLASSIFICATION_STRIDE, Field, field_of_view, receptive_fields
from pydeeplab.analysis.summary import LayerSummary, NetSummary, summarise

__all__ = [
    "CLASSIFICATION_STRIDE",
    "DATA_LAYERS",
    "Field",
    "LayerSummary",
    "NetSummary",
    "Parameters",
    "Rates",
    "field_of_view",
    "read_without_files",
    "receptive_fields",
    "summarise",
    "without_data_layers",
]
