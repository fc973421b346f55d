"""Weight, state, mean, .mat and dump files that are cut, spoiled, hostile or not there."""

from __future__ import annotations

import os
import struct
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pydeeplab import Net
from pydeeplab.compare import Dump, compare, read_dump
from pydeeplab.errors import DataError, PydeeplabError, WeightsError
from pydeeplab.formats import blobproto, read_mean, read_solver_state, read_weights
from pydeeplab.formats.mat import read_mat, variables, write_mat
from pydeeplab.formats.npy import NpyError, Npz, read_npy
from tests.robustness.files import ARRAY, NET, READERS, cuts, load, spoiled, write_all

FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
MANY = 2**31


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return write_all(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a spoiled file is put."""
    return tmp_path_factory.mktemp("spoiled") / "file"


def try_reading(path: Path, name: str, data: bytes) -> int:
    """Read it with all readers of this kind of file; how many refused it, which must name the file."""
    path.write_bytes(data)
    refusals = 0
    for reader in READERS[name]:
        try:
            reader(path)
        except PydeeplabError as error:
            refusals += 1
            if str(path) not in str(error):
                raise
    return refusals


@pytest.mark.parametrize("name", READERS)
def test_good_files_are_read(good: dict[str, bytes], path: Path, name: str) -> None:
    assert try_reading(path, name, good[name]) == 0


@pytest.mark.parametrize("name", READERS)
def test_cut_files_are_refused(good: dict[str, bytes], path: Path, name: str) -> None:
    harmless = [len(data) for data in cuts(good[name]) if not try_reading(path, name, data)]
    if name in ("w.caffemodel", "s.solverstate", "m.binaryproto"):
        assert len(harmless) < 8  # a message may end between two fields
    elif name.endswith(".h5"):
        assert len(harmless) < 20  # an empty end
    else:
        assert not harmless


@pytest.mark.parametrize("name", READERS)
def test_flipped_bytes(good: dict[str, bytes], path: Path, name: str) -> None:
    data = good[name]
    for at in range(0, len(data), max(1, len(data) // 250)):
        try_reading(path, name, data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])


@pytest.mark.parametrize("name", READERS)
def test_spoiled_files(good: dict[str, bytes], path: Path, name: str) -> None:
    @FUZZ
    @given(spoiled(good[name]))
    def check(data: bytes) -> None:
        try_reading(path, name, data)

    check()


@pytest.mark.parametrize("name", READERS)
def test_garbage_is_refused(path: Path, name: str) -> None:
    @FUZZ
    @given(st.binary(max_size=300))
    def check(data: bytes) -> None:
        try_reading(path, name, data)

    check()


# Files that announce more than they hold ---------------------------------------------------------------------------


def varint(value: int) -> bytes:
    return (bytes([value & 0x7F | 0x80]) + varint(value >> 7)) if value > 0x7F else bytes([value])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def huge_blob(*, legacy: bool = False, nested: bool = False) -> bytes:
    """A BlobProto of 2**31 elements without a value; or one whose list of values would be as long."""
    if nested:
        return varint(5 << 3 | 2) + varint(4 * MANY) + b"1234"
    return (
        b"".join(map(field, range(1, 5), (1, MANY, 1, 1)))
        if legacy
        else field(7, field(1, varint(MANY // 2) + varint(2)))
    )


def caffemodel(blob: bytes) -> bytes:
    return field(1, b"n") + field(100, field(1, b"c") + field(2, b"Convolution") + field(7, blob))


def npy(shape: str, body: bytes = b"12345678") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def npz(path: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("c/0.npy", content)


def mat(dims: tuple[int, ...], values: bytes, *, packed: bool = False, announced: int | None = None) -> bytes:
    body = struct.pack("<4I", 6, 8, 7, 0) + struct.pack(f"<2I{len(dims)}i", 5, 4 * len(dims), *dims)
    body += bytes(-len(body) % 8) + struct.pack("<2H4s", 1, 4, b"data") + struct.pack("<2I", 7, len(values)) + values
    element = struct.pack("<2I", 14, len(body) if announced is None else announced) + body
    if packed:
        squeezed = zlib.compress(element)
        element = struct.pack("<2I", 15, len(squeezed)) + squeezed
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM") + element


def hdf5(path: Path, fill: Callable[[h5py.File], object]) -> None:
    with h5py.File(path, "w") as file:
        fill(file)


BOMBS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "caffemodel": (lambda p: p.write_bytes(caffemodel(huge_blob())), read_weights),
    "caffemodel, old shape": (lambda p: p.write_bytes(caffemodel(huge_blob(legacy=True))), read_weights),
    "caffemodel, values": (lambda p: p.write_bytes(caffemodel(huge_blob(nested=True))), read_weights),
    "solverstate": (lambda p: p.write_bytes(field(1, 5) + field(3, huge_blob())), read_solver_state),
    "binaryproto": (lambda p: p.write_bytes(huge_blob(legacy=True)), read_mean),
    "npy": (lambda p: p.write_bytes(npy(f"({MANY},)")), read_mean),
    "npy of 2**62": (lambda p: p.write_bytes(npy(f"({2**31}, {2**31})")), read_mean),
    "npy, negative": (lambda p: p.write_bytes(npy("(-2, -1)")), read_mean),
    "npz": (lambda p: npz(p, npy(f"({MANY},)")), read_weights),
    "npz, stored": (lambda p: npz(p, npy(f"({MANY},)"), zipfile.ZIP_STORED), read_weights),
    "npz dump": (lambda p: npz(p, npy(f"({MANY},)")), read_dump),
    "mat": (lambda p: p.write_bytes(mat((MANY // 2, 2), b"")), read_mat),
    "mat, negative": (lambda p: p.write_bytes(mat((-1, -2), bytes(8))), read_mat),
    "mat, length": (lambda p: p.write_bytes(mat((1, 1), bytes(8), announced=MANY)), read_mat),
    "mat, packed": (lambda p: p.write_bytes(mat((MANY // 2, 2), b"", packed=True)), read_mat),
    "mat, packed length": (lambda p: p.write_bytes(mat((1, 1), bytes(8), packed=True, announced=MANY)), read_mat),
    "h5": (
        lambda p: hdf5(p, lambda f: f.create_dataset("data/c/0", (MANY // 2, 2), "f4", chunks=(1024, 2))),
        read_weights,
    ),
    "h5 dump": (lambda p: hdf5(p, lambda f: f.create_dataset("data/c", (MANY,), "f4")), read_dump),
    "h5 state": (
        lambda p: hdf5(p, lambda f: (f.create_dataset("iter", data=[1]), f.create_dataset("history/0", (MANY,), "f4"))),
        read_solver_state,
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_announced_but_not_there_is_not_allocated(name: str, tmp_path: Path) -> None:
    write, read = BOMBS[name]
    write(tmp_path / "bomb")
    assert (tmp_path / "bomb").stat().st_size < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(PydeeplabError, match="bomb"):
            read(tmp_path / "bomb")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def group_in_itself(file: h5py.File) -> None:
    inner = file.create_group("data/a")
    inner["again"] = file["data"]


def dataset_twice(file: h5py.File) -> None:
    file["data/a/0"] = np.ones(3)
    file["data/b/0"] = file["data/a/0"]


def values_elsewhere(file: h5py.File) -> None:
    file.create_dataset("data/a/0", (4,), "f4", external=[("/etc/hostname", 0, 16)])


TANGLES = {
    "group in itself": (group_in_itself, "stands in two places"),
    "dataset twice": (dataset_twice, "stands in two places"),
    "broken link": (lambda f: f.create_group("data/a").__setitem__("0", h5py.SoftLink("/nowhere")), "link to another"),
    "other file": (
        lambda f: f.create_group("data/a").__setitem__("0", h5py.ExternalLink("other.h5", "/x")),
        "link to another",
    ),
    "values elsewhere": (values_elsewhere, "in other files"),
    "text": (lambda f: f.create_dataset("data/a/0", data="words"), "values of type"),
}


@pytest.mark.parametrize("name", TANGLES)
def test_hdf5_files_that_are_no_trees(name: str, tmp_path: Path) -> None:
    fill, message = TANGLES[name]
    hdf5(tmp_path / "x.h5", fill)
    with pytest.raises(WeightsError, match=rf"x\.h5.*{message}"):
        read_weights(tmp_path / "x.h5")
    with pytest.raises(DataError, match=rf"x\.h5.*{message}"):
        read_dump(tmp_path / "x.h5")


# What is no file -----------------------------------------------------------------------------------------------------

ALL_READERS = (read_weights, read_solver_state, read_mean, read_mat, read_dump, load)


@pytest.mark.parametrize("reader", ALL_READERS, ids=lambda r: r.__name__)
class TestNoFile:
    def test_missing(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
        with pytest.raises(PydeeplabError, match="nothing"):
            reader(tmp_path / "nothing")
        with pytest.raises(PydeeplabError, match="nowhere"):
            reader(tmp_path / "nowhere" / "nothing")

    def test_folder(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
        with pytest.raises(PydeeplabError, match=r"folder"):
            reader(tmp_path)

    def test_device(self, reader: Callable[[Path], object]) -> None:
        with pytest.raises(PydeeplabError, match="/dev/zero"):
            reader(Path("/dev/zero"))

    def test_broken_link(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "gone")
        with pytest.raises(PydeeplabError, match="link"):
            reader(tmp_path / "link")

    def test_empty(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        with pytest.raises(PydeeplabError, match="empty"):
            reader(tmp_path / "empty")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"x")
        (tmp_path / "secret").chmod(0)
        with pytest.raises(PydeeplabError, match="secret"):
            reader(tmp_path / "secret")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w.caffemodel").write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WeightsError, match=r"w\.caffemodel' cannot be read: Permission denied"):
        read_weights(tmp_path / "w.caffemodel")


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(WeightsError, match="null byte"):
        read_weights("a\0b")


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="is a pipe or a device"):
        read_weights(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["w.caffemodel", "s.solverstate", "m.binaryproto"])
def test_a_file_that_another_program_cuts_short(
    name: str, good: dict[str, bytes], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(good[name])
    read = os.preadv

    def read_after_the_cut(*arguments: Any) -> int:
        os.truncate(path, 10)
        return read(*arguments)

    monkeypatch.setattr(os, "preadv", read_after_the_cut)
    with pytest.raises(WeightsError, match=r"became shorter while it was read"):
        READERS[name][-1 if name == "m.binaryproto" else 0](path)


def test_large_files_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobproto, "_CHUNK", 1000)
    content = np.random.default_rng(0).integers(0, 256, 54_321).astype(np.uint8).tobytes()
    (tmp_path / "x").write_bytes(content)
    assert bytes(blobproto.read_file(tmp_path / "x")) == content


def test_links_are_followed(tmp_path: Path) -> None:
    write_all(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "w.caffemodel")
    assert [layer.name for layer in read_weights(tmp_path / "link").with_blobs()] == ["c", "ip"]


# Right files with odd contents ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("suffix", [".caffemodel", ".h5", ".npz"])
def test_weights_that_are_no_numbers_are_loaded_and_reported(value: float, suffix: str, tmp_path: Path) -> None:
    net = Net.from_text(NET)
    net.params["c"][0].data[0, 0, 0, 0] = value
    net.save(tmp_path / f"w{suffix}")
    other = Net.from_text(NET)
    report = other.copy_from(tmp_path / f"w{suffix}")
    assert report.nonfinite == ["c"]
    assert "NaN or Inf in c" in str(report)
    np.testing.assert_array_equal(other.params["c"][0].data, net.params["c"][0].data)
    other.blobs["d"].data[...] = 1
    assert not np.isfinite(other.forward()["ip"]).all()


def test_mat_types_are_those_of_matlab(tmp_path: Path) -> None:
    """MATLAB stores a double array of small whole numbers as bytes; it is a double array all the same."""
    body = struct.pack("<4I", 6, 8, 6, 0) + struct.pack("<2I2i", 5, 8, 2, 3) + struct.pack("<2H4s", 1, 4, b"data")
    body += struct.pack("<2I", 2, 6) + bytes([1, 2, 3, 4, 5, 255]) + bytes(2)
    start = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")
    (tmp_path / "x.mat").write_bytes(start + struct.pack("<2I", 14, len(body)) + body)
    array = read_mat(tmp_path / "x.mat")
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array[0, 0], [[1, 2], [3, 4], [5, 255]])
    np.testing.assert_array_equal(array[0, 0].T, scipy.io.loadmat(tmp_path / "x.mat", mat_dtype=True)["data"])


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("options", [{}, {"do_compression": True}], ids=["plain", "packed"])
def test_mat_agrees_with_scipy(kind: str, options: dict[str, bool], tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(0, 100, (4, 3, 2)).astype(kind)
    contents = {"data": array, "cell": np.array([1, "a"], object), "record": {"x": 1}, "words": "abc", "z": 1j}
    scipy.io.savemat(tmp_path / "x.mat", contents, **options)
    found = read_mat(tmp_path / "x.mat")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found[0].T, array)
    assert variables(tmp_path / "x.mat") == [name for name, _, _ in scipy.io.whosmat(tmp_path / "x.mat")]
    for other in ("cell", "record", "words", "z"):
        with pytest.raises(DataError, match=f"'{other}' must be a real numeric array"):
            read_mat(tmp_path / "x.mat", other)


def test_mat_of_the_other_byte_order(tmp_path: Path) -> None:
    body = struct.pack(">4I", 6, 8, 7, 0) + struct.pack(">2I2i", 5, 8, 1, 2) + struct.pack(">2H4s", 4, 1, b"data")
    body += struct.pack(">2I2f", 7, 8, 1.5, -2)
    start = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H2s", 0x0100, b"MI")
    (tmp_path / "x.mat").write_bytes(start + struct.pack(">2I", 14, len(body)) + body)
    np.testing.assert_array_equal(read_mat(tmp_path / "x.mat").reshape(-1), [1.5, -2])
    np.testing.assert_array_equal(scipy.io.loadmat(tmp_path / "x.mat")["data"], [[1.5, -2]])


@pytest.mark.parametrize("name", ["", "1a", "a b", "ä", "a" * 64])
def test_names_that_matlab_cannot_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no name for a MATLAB variable"):
        write_mat(tmp_path / "x.mat", ARRAY, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i2", "?", "f2"])
def test_npy_agrees_with_numpy(order: str, dtype: str, tmp_path: Path) -> None:
    array = np.asarray(np.random.default_rng(0).integers(0, 2, (2, 3, 4)).astype(dtype), order=order)
    np.save(tmp_path / "x.npy", array)
    np.savez_compressed(tmp_path / "x.npz", a=array, b=array[0])
    np.testing.assert_array_equal(read_npy(tmp_path / "x.npy"), array)
    with Npz(tmp_path / "x.npz") as archive:
        assert list(archive) == ["a", "b"]
        np.testing.assert_array_equal(archive["a"], array)
        np.testing.assert_array_equal(archive["b"], array[0])


def test_npy_of_objects_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], object))
    with pytest.raises(NpyError, match="Python objects"):
        read_npy(tmp_path / "x.npy")


class TestDumps:
    def test_parameters_of_other_shapes(self) -> None:
        net = Net.from_text(NET)
        dump = Dump(inputs={"d": np.ones((1, 2, 4, 4))}, data={"c": np.ones(3)}, param={"c/0": np.ones((5, 5))})
        with pytest.raises(DataError, match=r"'param/c/0' has shape \(5, 5\) in the dump, \(2, 2, 3, 3\) in the net"):
            compare(net, dump)

    def test_odd_keys_are_passed_over(self) -> None:
        net = Net.from_text(NET)
        dump = Dump(
            inputs={"d": np.ones((1, 2, 4, 4))}, data={"c": np.ones(3)}, param={"c/x": np.ones(5), "c/9": ARRAY}
        )
        assert not compare(net, dump).agrees

    def test_inputs_that_the_net_cannot_take(self) -> None:
        dump = Dump(inputs={"d": np.ones((1, 2, 2, 2))}, data={"c": np.ones(3)})
        with pytest.raises(PydeeplabError, match="layer 'c'"):
            compare(Net.from_text(NET), dump)

    def test_arrays_that_are_no_numbers(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "x.npz", **{"data/c": np.array(["a"])})
        with pytest.raises(DataError, match=r"x\.npz: 'data/c' holds values of type"):
            read_dump(tmp_path / "x.npz")

    def test_later_versions(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "x.npz", pydeeplab_dump=2)
        with pytest.raises(DataError, match=r"version \[2\]"):
            read_dump(tmp_path / "x.npz")


def test_reading_while_another_thread_reads(tmp_path: Path) -> None:
    write_all(tmp_path)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(read_weights(tmp_path / "w.caffemodel").layers)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
