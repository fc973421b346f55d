"""MatWrite and MatRead: blobs as MATLAB files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.formats.mat import read_mat, variables, write_mat
from pydeeplab.layer import Layer, register


class _MatFiles(Layer):
    """Names of the files: ``<prefix><name>_blob_<i>.mat``, names from the lines of ``source`` or ``iter_<n>``."""

    field: str

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = getattr(self.param, self.field)
        if not param.HasField("prefix"):
            raise self.error(
                f"{self.field}.prefix must be given: the start of the files' names, such as a folder and /"
            )
        self.names = self._read_names(param) if param.source else None
        self.iteration = 0

    def _read_names(self, param: Any) -> list[str]:
        if param.strip < 0:
            raise self.error(f"{self.field}.strip must not be negative, got {param.strip}")
        try:
            with open(param.source, encoding="utf-8") as file:
                words = [(line.split() or [""])[0] for line in file]
        except OSError as error:
            raise self.error(f"cannot read {self.field}.source: {error}", DataError) from None
        for number, word in enumerate(words, 1):
            if len(word) <= param.strip:
                raise self.error(
                    f"{param.source}:{number}: name '{word}' is not longer than the {param.strip} characters to strip",
                    DataError,
                )
        if not words:
            raise self.error(f"{self.field}.source '{param.source}' has no lines", DataError)
        return [word[: len(word) - param.strip] for word in words]

    @property
    def state(self) -> dict[str, int]:
        """Which file comes next, by number; can be put back: ``layer.state = saved``."""
        return {"iteration": self.iteration}

    @state.setter
    def state(self, saved: dict[str, int]) -> None:
        self.iteration = int(saved["iteration"])

    def path(self, iteration: int, index: int) -> str:
        """The file of a blob in an iteration."""
        name = f"iter_{iteration}" if self.names is None else self.names[iteration]
        return f"{getattr(self.param, self.field).prefix}{name}_blob_{index}.mat"


@register
class MatWrite(_MatFiles):
    """Writes its bottoms in every ``period``-th forward pass; the folder is made if it does not exist.

    Raises
    ------
    DataError
        More passes than ``source`` has lines, or a file that cannot be written.

    Source: DeepLab MatWrite.
    """

    type = "MatWrite"
    field = "mat_write_param"
    bottom_count = (1, None)
    top_count = (0, 0)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if self.param.mat_write_param.period < 1:
            raise self.error(f"mat_write_param.period must be at least 1, got {self.param.mat_write_param.period}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        wrong = next((b.shape for b in bottom if len(b.shape) > 4), None)
        if wrong:
            raise self.shape_error(f"writes blobs of at most 4 axes, got shape {wrong}")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.iteration % self.param.mat_write_param.period == 0:
            if self.names is not None and self.iteration >= len(self.names):
                raise self.error(
                    f"forward pass {self.iteration + 1} has no name: '{self.param.mat_write_param.source}' has only "
                    f"{len(self.names)} lines. Run as many passes as there are lines, with batch_size 1.",
                    DataError,
                )
            for index, blob in enumerate(bottom):
                path = self.path(self.iteration, index)
                self._make_folder(os.path.dirname(path))
                write_mat(path, blob.data)
        self.iteration += 1

    def _make_folder(self, folder: str) -> None:
        try:
            os.makedirs(folder or ".", exist_ok=True)
        except OSError as error:
            raise self.error(f"cannot write to the folder of mat_write_param.prefix: {error}", DataError) from None

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff[...] = 0


@register
class MatRead(_MatFiles):
    """Reads ``batch_size`` consecutive files into the items of each top, and starts again at the end of ``source``.

    Variable ``data`` becomes the data and, where there is one, ``diff`` the gradient. The first file sets the shape.

    Raises
    ------
    DataError
        A file is missing or damaged, holds several items, or has another shape than the first.

    Source: DeepLab MatRead.
    """

    type = "MatRead"
    field = "mat_read_param"
    bottom_count = (0, 0)
    top_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.batch_size = int(self.param.mat_read_param.batch_size)
        if self.batch_size < 1:
            raise self.error(f"mat_read_param.batch_size must be at least 1, got {self.batch_size}")

    def _read(self, iteration: int, index: int, name: str = "data") -> NDArray[Any]:
        path = self.path(iteration, index)
        try:
            array = read_mat(path, name)
        except DataError as error:
            raise self.error(str(error), DataError) from error.__cause__
        if array.dtype.kind != "f" or array.shape[0] != 1:
            raise self.error(
                f"{path}: '{name}' must be single or double of size [W, H, C, 1], got {array.dtype} of size "
                f"{list(array.shape[::-1])}",
                DataError,
            )
        return array[0]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for index, blob in enumerate(top):
            blob.reshape(self.batch_size, *self._read(0, index).shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for item in range(self.batch_size):
            if self.names is not None and self.iteration >= len(self.names):
                self.iteration = 0
            for index, blob in enumerate(top):
                array = self._read(self.iteration, index)
                if array.shape != blob.shape[1:]:
                    raise self.error(
                        f"{self.path(self.iteration, index)}: has shape {array.shape}, but the first file had "
                        f"{blob.shape[1:]}; all files must have one shape",
                        DataError,
                    )
                blob.data[item] = array
                self._read_gradient(blob, item, index)
            self.iteration += 1

    def _read_gradient(self, blob: Blob, item: int, index: int) -> None:
        path = self.path(self.iteration, index)
        if "diff" in variables(path):
            diff = self._read(self.iteration, index, "diff")
            if diff.shape != blob.shape[1:]:
                raise self.error(f"{path}: 'diff' has shape {diff.shape}, 'data' has {blob.shape[1:]}", DataError)
            blob.diff[item] = diff
