"""DeepLab's .bin files: written and read, and refused where they are damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.crf.files import read_maps
from pydeeplab.errors import DataError
from pydeeplab.formats.bin_map import read_bin, write_bin


def test_labels_are_column_major_int16(tmp_path: Path) -> None:
    labels = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    write_bin(tmp_path / "a.bin", labels)
    assert (tmp_path / "a.bin").read_bytes() == struct.pack("<3i6h", 2, 3, 1, 1, 4, 2, 5, 3, 6)
    np.testing.assert_array_equal(read_bin(tmp_path / "a.bin"), labels)


def test_probabilities_are_column_major_float32(tmp_path: Path) -> None:
    maps = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    write_bin(tmp_path / "a.bin", maps)
    expected = struct.pack("<3i12f", 2, 3, 2, 0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11)
    assert (tmp_path / "a.bin").read_bytes() == expected
    np.testing.assert_array_equal(read_bin(tmp_path / "a.bin"), maps)
    np.testing.assert_array_equal(read_maps(tmp_path / "a.bin"), maps)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 bytes"),
        (struct.pack("<3i", 2, -3, 1), "2 x -3 x 1"),
        (struct.pack("<3i", 2**30, 2**30, 2**30), "its header says"),
        (struct.pack("<3i5h", 2, 3, 1, *range(5)), "has 12 \\(labels\\) or 24 bytes"),
        (struct.pack("<3i12h", 2, 3, 2, *range(12)), "has 48 bytes"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(DataError, match=why):
        read_bin(tmp_path / "a.bin")


@pytest.mark.parametrize("values", [np.zeros((2, 2), np.float32), np.full((2, 2), 2**15), np.zeros((1, 2, 2), int)])
def test_what_is_no_map_is_not_written(tmp_path: Path, values: np.ndarray) -> None:
    with pytest.raises(DataError, match="takes labels"):
        write_bin(tmp_path / "a.bin", values)
    assert not list(tmp_path.iterdir())
