"""Files that are written whole or not at all, on full disks, in missing folders, through links and when interrupted."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pydeeplab import Net
from pydeeplab.compare import Dump, write_dump
from pydeeplab.errors import OutputError, PydeeplabError
from pydeeplab.files import atomic_path, check_target, make_folder, write_bytes, write_if_changed, write_text
from pydeeplab.formats import SolverState, write_mean, write_solver_state
from pydeeplab.formats.mat import write_mat

LARGE = np.random.default_rng(0).standard_normal((1, 3, 200, 200)).astype(np.float32)
INNER = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1000 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 100 weight_filler { type: "xavier" } } }"""

WRITERS: dict[str, Callable[[Path], object]] = {
    "a.caffemodel": lambda path: Net.from_text(INNER).save(path),
    "a.h5": lambda path: Net.from_text(INNER).save(path),
    "a.npz": lambda path: Net.from_text(INNER).save(path),
    "s.solverstate": lambda path: write_solver_state(path, SolverState(1, 0, "", [LARGE])),
    "s.solverstate.h5": lambda path: write_solver_state(path, SolverState(1, 0, "", [LARGE])),
    "m.binaryproto": lambda path: write_mean(path, LARGE[0]),
    "m.npy": lambda path: write_mean(path, LARGE[0]),
    "x.mat": lambda path: write_mat(path, LARGE),
    "d.npz": lambda path: write_dump(path, Dump(data={"a": LARGE})),
    "d.h5": lambda path: write_dump(path, Dump(data={"a": LARGE})),
    "t.txt": lambda path: write_text(path, "x" * 400_000),
}


@contextmanager
def full_disk(room: int = 100_000) -> Iterator[None]:
    """No file may grow beyond so many bytes: as on a full disk, every way of writing fails."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("name", WRITERS)
class TestEveryWriter:
    def test_full_disk(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(b"old")
        with full_disk(), pytest.raises(OutputError, match=rf"^cannot write .*{name}: "):
            WRITERS[name](tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"old"
        assert os.listdir(tmp_path) == [name]
        WRITERS[name](tmp_path / name)
        assert (tmp_path / name).stat().st_size > 100_000

    def test_missing_folder(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(PydeeplabError, match=f"cannot write .*{name}: there is no folder .*nowhere"):
            WRITERS[name](tmp_path / "nowhere" / name)
        assert not list(tmp_path.iterdir())

    def test_folder_in_its_place(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).mkdir()
        with pytest.raises(OutputError, match=f"cannot write .*{name}: it is a folder"):
            WRITERS[name](tmp_path / name)
        assert os.listdir(tmp_path) == [name]

    def test_interrupted(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(_: int) -> None:
            raise KeyboardInterrupt

        (tmp_path / name).write_bytes(b"old")
        monkeypatch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            WRITERS[name](tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"old"
        assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "Free some space"), (errno.EROFS, "another file system"), (errno.EIO, "elsewhere")],
)
def test_errors_of_the_disk(number: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    write_bytes(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=rf"cannot write .*a: {os.strerror(number)}\. .*{advice}"):
        write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_errors_of_the_contents_are_not_mistaken(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a"):
        _ = 1 / 0
    assert not os.listdir(tmp_path)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real/a")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path / "real") == ["a"]


def test_a_link_to_nothing_makes_the_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    (tmp_path / "broken").symlink_to("nowhere/a")
    with pytest.raises(OutputError, match=r"there is no folder .*nowhere"):
        write_bytes(tmp_path / "broken", b"new")


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_permissions_stay(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"old")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask
    (tmp_path / "a").chmod(0o640)
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_protected_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(OutputError, match="a: the file is write-protected"):
        write_bytes(tmp_path / "a", b"new")
    with pytest.raises(OutputError, match="is write-protected"):
        write_bytes(tmp_path / "b", b"new")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_devices_and_pipes_are_written_to_not_replaced(tmp_path: Path) -> None:
    write_bytes("/dev/null", b"gone")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_bytes(tmp_path / "pipe", b"whole")
    reader.join()
    assert found == [b"whole"]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_bytes(f"{tmp_path}/{name}", b"new")
    assert not os.listdir(tmp_path)


def test_names_almost_too_long(tmp_path: Path) -> None:
    name = "x" * 251 + ".npz"
    write_bytes(tmp_path / name, b"new")
    assert (tmp_path / name).read_bytes() == b"new"


def test_asking_before_computing(tmp_path: Path) -> None:
    assert check_target(tmp_path / "new") == tmp_path / "new"
    assert not os.listdir(tmp_path)
    with pytest.raises(OutputError, match="there is no folder"):
        check_target(tmp_path / "nowhere" / "a")


def test_two_writers_leave_one_whole_file(tmp_path: Path) -> None:
    contents = [bytes([i]) * 200_000 for i in range(8)]
    threads = [threading.Thread(target=write_bytes, args=(tmp_path / "a", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_bytes() in contents
    assert os.listdir(tmp_path) == ["a"]


def test_folders_are_made_or_refused_in_words(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(tmp_path / "a").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file: a file has that name"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="Not a directory"):
        make_folder(tmp_path / "file" / "below")


def test_names_that_are_no_utf8_are_written_as_they_are(tmp_path: Path) -> None:
    write_text(tmp_path / "a", os.fsdecode(b"caf\xe9\n"))
    assert write_if_changed(tmp_path / "b", os.fsdecode(b"caf\xe9\n"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"caf\xe9\n"


def test_only_what_changes_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "list.txt"
    assert write_if_changed(path, "ä\n", dry_run=True)
    assert not path.parent.exists()
    assert write_if_changed(path, "ä\n")
    before = path.stat().st_ino
    assert not write_if_changed(path, "ä\n")
    assert path.stat().st_ino == before
    assert write_if_changed(path, "b\n")
    assert path.read_text() == "b\n"
    with pytest.raises(OutputError, match="it is a folder"):
        write_if_changed(path.parent, "text")
