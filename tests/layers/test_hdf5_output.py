"""HDF5Output: what it writes, and that HDF5Data reads it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pydeeplab import TRAIN, Net
from pydeeplab.errors import DataError, LayerError, ShapeError
from tests.layers.nets import run


def layer(path: Path) -> str:
    return f'type: "HDF5Output" hdf5_output_param {{ file_name: "{path}" }}'


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {"x": random.standard_normal((3, 2, 4, 5)).astype(np.float32), "t": np.arange(3, dtype=np.float32)}


def test_passes_append_and_hdf5_data_reads_them(tmp_path: Path) -> None:
    path, given = tmp_path / "out.h5", arrays()
    path.write_bytes(b"an older file, no HDF5 at all")
    net = run(layer(path), given)
    net.blobs["t"].data[...] += 3
    net.forward()
    with h5py.File(path) as file:
        assert set(file) == {"data", "label"}
        np.testing.assert_array_equal(file["data"], np.concatenate([given["x"]] * 2))
        np.testing.assert_array_equal(file["label"], np.arange(6))
        assert file["data"].dtype == np.float32
    (tmp_path / "list.txt").write_text(f"{path}\n")
    source = f'hdf5_data_param {{ source: "{tmp_path / "list.txt"}" batch_size: 4 }}'
    reader = Net.from_text(f'layer {{ name: "d" type: "HDF5Data" top: "data" top: "label" {source} }}', TRAIN)
    reader.forward()
    np.testing.assert_array_equal(reader.blobs["label"].data, [0, 1, 2, 3])


def test_mistakes_are_named(tmp_path: Path) -> None:
    given = arrays()
    with pytest.raises(LayerError, match="file_name must be given"):
        run('type: "HDF5Output"', given)
    with pytest.raises(ShapeError, match="same number of items"):
        run(layer(tmp_path / "x.h5"), {**given, "t": given["t"][:2]})
    with pytest.raises(DataError, match=r"cannot write .*no/such"):
        run(layer(tmp_path / "no/such/x.h5"), given)
    net = run(layer(tmp_path / "x.h5"), given)
    net.blobs["x"].reshape(3, 2, 4, 4)
    with pytest.raises(DataError, match=r"items of shape \(2, 4, 5\), now they have \(2, 4, 4\)"):
        net.forward()
