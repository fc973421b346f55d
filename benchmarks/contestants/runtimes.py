"""Runtimes that read our ONNX export or the Caffe files themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tasks import Task


class OnnxRuntime:
    """ONNX Runtime with all graph optimisations."""

    def __init__(self, task: Task, folder: Path, check: bool):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads, options.inter_op_num_threads = task.threads, 1
        self._session = ort.InferenceSession(
            str(folder / "net.onnx"), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._names = [output.name for output in self._session.get_outputs()]
        self._data = np.load(folder / "data.npy")
        self._found: list[Any] = []

    def run(self) -> None:
        """One forward pass."""
        self._found = self._session.run(self._names, {"data": self._data})

    def results(self) -> dict[str, Any]:
        """The net's outputs."""
        return dict(zip(self._names, self._found, strict=True))


class OpenVino:
    """OpenVINO, tuned for latency, in single precision."""

    def __init__(self, task: Task, folder: Path, check: bool):
        import openvino as ov

        settings = {
            "INFERENCE_NUM_THREADS": task.threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
        }
        model = ov.Core().compile_model(str(folder / "net.onnx"), "CPU", settings)
        self._request = model.create_infer_request()
        self._names = [output.get_any_name() for output in model.outputs]
        self._data = np.load(folder / "data.npy")

    def run(self) -> None:
        """One forward pass."""
        self._request.infer({"data": self._data}, share_inputs=True, share_outputs=True)

    def results(self) -> dict[str, Any]:
        """The net's outputs."""
        return {name: self._request.get_output_tensor(i).data for i, name in enumerate(self._names)}


class OpenCv:
    """OpenCV's dnn module, which reads the prototxt and the caffemodel."""

    def __init__(self, task: Task, folder: Path, check: bool):
        import cv2

        cv2.setNumThreads(task.threads)
        self._net = cv2.dnn.readNetFromCaffe(str(folder / "deploy.prototxt"), str(folder / "net.caffemodel"))
        self._net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self._names = list(self._net.getUnconnectedOutLayersNames())
        self._data = np.load(folder / "data.npy")
        self._found: list[Any] = []

    def run(self) -> None:
        """One forward pass."""
        self._net.setInput(self._data)
        self._found = self._net.forward(self._names)

    def results(self) -> dict[str, Any]:
        """The net's outputs."""
        return dict(zip(self._names, self._found, strict=True))
