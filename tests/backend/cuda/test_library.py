"""No library, no driver, no GPU: values with a reason, and errors that carry it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pydeeplab.backend import get_backend
from pydeeplab.backend.cuda import build, library
from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.backend.cuda.library import Unavailable
from pydeeplab.errors import DeviceError, UsageError


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library that nothing has been built to, yet."""
    path = tmp_path / "lib.so"
    monkeypatch.setattr(library, "library_path", lambda kind: path)
    return path


def load() -> library.Library | Unavailable:
    return library.load_library.__wrapped__("cuda")


def test_no_library(elsewhere: Path) -> None:
    assert load() == Unavailable("lib.so has not been built; `python -m pydeeplab.backend.cuda.build cuda` does it")


def test_a_damaged_library(elsewhere: Path) -> None:
    elsewhere.write_bytes(b"\x7fELF nonsense")
    found = load()
    assert isinstance(found, Unavailable)
    assert re.search(r"lib.so cannot be loaded \(.*\); build it again", found.reason)


def test_backends_say_why_they_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pydeeplab.backend.cuda.backend.load_library", lambda kind: Unavailable("it rains"))
    with pytest.raises(DeviceError, match="backend cuda cannot be used: it rains"):
        CudaBackend("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "cuda-emulation:2", "cuda:"])
def test_unknown_backends(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown backend '{name}'"):
        get_backend(name)


def test_devices(backend: CudaBackend) -> None:
    devices = backend.library.devices()
    assert [d.index for d in devices] == list(range(len(devices)))
    assert all(d.memory > 0 and d.name and d.multiprocessors > 0 for d in devices)
    free, total = backend.library.memory_info()
    assert 0 < free <= total


def test_building_needs_a_compiler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(build.shutil, "which", lambda *_, **__: None)
    assert build.main(["cuda"]) == 1
    assert "nvcc was not found" in capsys.readouterr().err
    assert build.main(["emulation"]) == 1
    assert "g++ was not found" in capsys.readouterr().err


def test_a_failed_build_shows_the_compilers_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong.cu").write_text("this is no program\n")
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "cuda.h").write_text("")
    (tmp_path / "host" / "empty.cpp").write_text("")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    if not build.shutil.which("g++"):
        pytest.skip("there is no g++")
    with pytest.raises(DeviceError, match=r"wrong\.cu"):
        build.build_emulation(tmp_path / "lib.so")
    assert not (tmp_path / "lib.so").exists()


def test_the_environment_chooses_how_products_round(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYDEEPLAB_MATH", "tf32")
    backend = CudaBackend(name)
    assert backend.blas.math == "tf32"
    backend.blas.set_math("strict")
    monkeypatch.setenv("PYDEEPLAB_MATH", "fp8")
    with pytest.raises(UsageError, match="unknown math mode 'fp8'"):
        CudaBackend(name)
