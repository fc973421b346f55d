"""HDF5Output: blobs as rows of an HDF5 file."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register

_NAMES = ("data", "label")


@register
class HDF5Output(Layer):
    """Writes its two bottoms to the datasets ``data`` and ``label`` of the file ``hdf5_output_param.file_name``.

    The first forward pass replaces the file; each later one appends its items, so that the file can be read by
    HDF5Data. There is no gradient.

    Raises
    ------
    DataError
        The file cannot be written, or items change their shape after the first pass.

    Source: Caffe HDF5Output. Deviation: the original fails in its second forward pass.
    """

    type = "HDF5Output"
    bottom_count = (2, 2)
    top_count = (0, 0)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.file_name = str(self.param.hdf5_output_param.file_name)
        if not self.file_name:
            raise self.error("hdf5_output_param.file_name must be given")
        self._begun = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if not all(shapes) or shapes[0][0] != shapes[1][0]:
            raise self.shape_error(f"data and label need the same number of items, got shapes {shapes[0]}, {shapes[1]}")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        try:
            with h5py.File(self.file_name, "a" if self._begun else "w") as file:
                for name, blob in zip(_NAMES, bottom, strict=True):
                    self._append(file, name, blob)
        except OSError as error:
            raise self.error(f"cannot write '{self.file_name}': {error}", DataError) from None
        self._begun = True

    def _append(self, file: h5py.File, name: str, blob: Blob) -> None:
        values = np.asarray(blob.data, np.float32 if blob.dtype == np.float32 else np.float64)
        if name not in file:
            file.create_dataset(name, data=values, maxshape=(None, *values.shape[1:]), chunks=True)
            return
        dataset = file[name]
        if dataset.shape[1:] != values.shape[1:]:
            raise self.error(
                f"'{self.file_name}' holds {name} items of shape {dataset.shape[1:]}, now they have {values.shape[1:]}",
                DataError,
            )
        before = len(dataset)
        dataset.resize(before + len(values), axis=0)
        dataset[before:] = values

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Nothing: what is written has no influence on a loss."""
