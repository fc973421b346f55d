"""A training problem of a second: shuffled HDF5 rows, Dropout, batch statistics, a test net."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

NET = """
name: "small"
layer {{ name: "rows" type: "HDF5Data" top: "data" top: "label" include {{ phase: TRAIN }}
  hdf5_data_param {{ source: "{folder}/files.txt" batch_size: 5 shuffle: true }} }}
layer {{ name: "rows" type: "HDF5Data" top: "data" top: "label" include {{ phase: TEST }}
  hdf5_data_param {{ source: "{folder}/files.txt" batch_size: 7 }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param {{ lr_mult: 1 }} param {{ lr_mult: 2 decay_mult: 0 }}
  convolution_param {{ num_output: 8 kernel_size: 3 pad: 2 dilation: 2 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }}
layer {{ name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param {{ bias_term: true }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "drop" type: "Dropout" bottom: "conv" top: "conv" }}
layer {{ name: "fc" type: "Convolution" bottom: "conv" top: "fc" param {{ lr_mult: 10 }} param {{ lr_mult: 20 }}
  convolution_param {{ num_output: 3 kernel_size: 1 weight_filler {{ type: "gaussian" std: 0.1 }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
"""

SOLVER = """
net: "net.prototxt"
type: "{type}" momentum: {momentum} base_lr: 0.01 lr_policy: "poly" power: 0.9 weight_decay: 0.0005
max_iter: {max_iter} iter_size: 2 average_loss: 4 display: 2 {seed}
test_iter: 3 test_interval: 5
snapshot: {snapshot} snapshot_prefix: "{folder}/run" snapshot_format: {format}
"""


def write_problem(
    folder: Path,
    *,
    max_iter: int = 12,
    snapshot: int = 4,
    type: str = "SGD",
    format: str = "BINARYPROTO",
    seed: str = "random_seed: 7",
    extra: str = "",
) -> Path:
    """Write data, net and solver; returns the solver's path."""
    random = np.random.default_rng(3)
    files = []
    for i, count in enumerate((11, 6)):
        data = random.standard_normal((count, 2, 9, 9)).astype(np.float32)
        with h5py.File(folder / f"{i}.h5", "w") as file:
            file["data"], file["label"] = data, (data[:, :1] > 0.5).astype(np.float32) + (data[:, 1:] > 0)
        files.append(str(folder / f"{i}.h5"))
    (folder / "files.txt").write_text("\n".join(files))
    (folder / "net.prototxt").write_text(NET.format(folder=folder))
    momentum = 0 if type in ("AdaGrad", "RMSProp") else 0.9
    solver = folder / "solver.prototxt"
    solver.write_text(
        SOLVER.format(
            folder=folder, max_iter=max_iter, snapshot=snapshot, type=type, format=format, momentum=momentum, seed=seed
        )
        + extra
    )
    return solver
