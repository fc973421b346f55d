"""Weights, solver states and means: the files of Caffe, and NumPy's, in and out."""

from pydeeplab.formats.caffemodel import read_caffemodel, write_caffemodel
from pydeeplab.formats.hdf5 import read_hdf5, write_hdf5
from pydeeplab.formats.io import FORMATS, format_of, read_weights, save_weights, write_weights
from pydeeplab.formats.load import load_weights
from pydeeplab.formats.mean import read_mean, write_mean
from pydeeplab.formats.npz import read_npz, write_npz
from pydeeplab.formats.report import LoadReport
from pydeeplab.formats.solverstate import SolverState, read_solver_state, write_solver_state
from pydeeplab.formats.torch_state import read_torch_state
from pydeeplab.formats.weights import LayerWeights, StoredBlob, WeightsFile

__all__ = [
    "FORMATS",
    "LayerWeights",
    "LoadReport",
    "SolverState",
    "StoredBlob",
    "WeightsFile",
    "format_of",
    "load_weights",
    "read_caffemodel",
    "read_hdf5",
    "read_mean",
    "read_npz",
    "read_solver_state",
    "read_torch_state",
    "read_weights",
    "save_weights",
    "write_caffemodel",
    "write_hdf5",
    "write_mean",
    "write_npz",
    "write_solver_state",
    "write_weights",
]
