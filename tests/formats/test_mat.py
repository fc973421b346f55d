"""MATLAB files."""

import struct

import h5py
import numpy as np
import pytest
import scipy.io

from pydeeplab.errors import DataError, OutputError
from pydeeplab.formats.mat import read_mat, variables, write_mat

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 3, 4, 5), (1, 1, 1, 1), (2, 0, 3, 4), (1, 21, 7, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scipy_reads_what_we_write(tmp_path, shape: tuple[int, ...], dtype: type) -> None:
    array = RANDOM.standard_normal(shape).astype(dtype)
    write_mat(tmp_path / "a.mat", array)
    assert scipy.io.whosmat(tmp_path / "a.mat") == [
        ("data", shape[::-1], "single" if dtype == np.float32 else "double")
    ]
    found = scipy.io.loadmat(tmp_path / "a.mat")["data"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array.T)
    back = read_mat(tmp_path / "a.mat")
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, array)


def test_bytes_are_those_of_matio(tmp_path) -> None:
    """The layout byte by byte, but for the 116 characters of free text at the start."""
    array = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    write_mat(tmp_path / "a.mat", array)
    written = (tmp_path / "a.mat").read_bytes()
    assert written[:19] == b"MATLAB 5.0 MAT-file"
    assert written[124:128] == b"\x00\x01IM"
    expected = struct.pack("<2I", 14, 80)
    expected += struct.pack("<4I", 6, 8, 7, 0)
    expected += struct.pack("<2I4i", 5, 16, 3, 2, 1, 1)
    expected += struct.pack("<2H4s", 1, 4, b"data")
    expected += struct.pack("<2I", 7, 24) + array.tobytes()
    assert written[128:] == expected


def test_elements_are_padded_to_8_bytes(tmp_path) -> None:
    write_mat(tmp_path / "a.mat", np.ones((1, 1, 1, 3), np.float32), name="scores")
    assert (tmp_path / "a.mat").stat().st_size % 8 == 0
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat", "scores"), np.ones((1, 1, 1, 3)))


def test_missing_axes_are_ones_at_the_end(tmp_path) -> None:
    array = RANDOM.standard_normal((2, 3)).astype(np.float32)
    write_mat(tmp_path / "a.mat", array)
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat"), array[:, :, None, None])


def test_arrays_of_any_layout(tmp_path) -> None:
    array = RANDOM.standard_normal((2, 3, 4, 5)).astype(">f4")[:, ::-1, :, ::2]
    write_mat(tmp_path / "a.mat", array)
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat"), array)


@pytest.mark.parametrize("options", [{}, {"do_compression": True}, {"format": "4"}])
def test_reads_what_matlab_and_scipy_write(tmp_path, options: dict[str, object]) -> None:
    array = RANDOM.standard_normal((4, 5) if "format" in options else (4, 5, 3))
    scipy.io.savemat(tmp_path / "a.mat", {"other": np.ones(2), "data": array}, **options)
    back = read_mat(tmp_path / "a.mat")
    assert back.shape == (1, *((1,) if array.ndim == 2 else (3,)), 5, 4)
    np.testing.assert_array_equal(back.T.reshape(array.shape), array)
    assert variables(tmp_path / "a.mat") == ["other", "data"]


def test_a_failed_write_leaves_the_old_file(tmp_path) -> None:
    write_mat(tmp_path / "a.mat", np.ones((1, 1), np.float32))
    with pytest.raises(DataError, match="float32 or float64"):
        write_mat(tmp_path / "a.mat", np.ones((1, 1), np.int32))
    with pytest.raises(DataError, match="at most 4 axes"):
        write_mat(tmp_path / "a.mat", np.ones((1, 1, 1, 1, 1), np.float32))
    assert [p.name for p in tmp_path.iterdir()] == ["a.mat"]
    assert read_mat(tmp_path / "a.mat") == 1
    with pytest.raises(DataError, match="4 GiB"):
        write_mat(tmp_path / "a.mat", np.broadcast_to(np.float32(0), (1, 1, 2**15, 2**15)))
    with pytest.raises(OutputError, match="there is no folder"):
        write_mat(tmp_path / "no" / "a.mat", np.ones((1, 1), np.float32))


def test_what_cannot_be_read(tmp_path) -> None:
    path = tmp_path / "a.mat"
    with pytest.raises(DataError, match="no such file"):
        read_mat(path)
    path.write_bytes(b"nonsense" * 40)
    with pytest.raises(DataError, match=r"cannot be read as a .mat file"):
        read_mat(path)
    write_mat(path, np.ones((1, 2, 3, 4), np.float32), name="dato")
    with pytest.raises(DataError, match=r"no variable 'data', only dato.* Did you mean 'dato'"):
        read_mat(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read_mat(path, "dato")
    scipy.io.savemat(path, {"data": "text"})
    with pytest.raises(DataError, match="real numeric"):
        read_mat(path)
    scipy.io.savemat(path, {"data": np.ones((1, 2, 3, 4, 5))})
    with pytest.raises(DataError, match="at most 4 dimensions"):
        read_mat(path)
    with h5py.File(path, "w", userblock_size=512) as file:
        file["data"] = [1.0]
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(DataError, match=r"7.3"):
        read_mat(path)
