"""Taking nets elsewhere: inference graphs as ONNX, checked against ONNX Runtime."""

from pydeeplab.export.build import build_graph, exported_layers
from pydeeplab.export.check import OutputDifference, check_onnx
from pydeeplab.export.onnx_file import export_onnx

__all__ = ["OutputDifference", "build_graph", "check_onnx", "export_onnx", "exported_layers"]
