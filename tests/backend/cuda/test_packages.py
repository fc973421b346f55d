"""Finding NVIDIA's compiler and libraries among pip's packages."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from pydeeplab.backend.cuda import build
from pydeeplab.backend.cuda.packages import nvidia_packages, shared_libraries
from pydeeplab.errors import DeviceError


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Python's path, and no toolkit."""
    for name in ("CUDA_HOME", "CUDA_PATH"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    importlib.invalidate_caches()
    return tmp_path


def test_the_compiler_of_pip_is_used_where_there_is_no_toolkit(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match=r"pip install 'pydeeplab\[cuda\]'"):
        build.build_cuda()
    nvcc = site / "nvidia" / "cu13" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text("#!/bin/sh\n")
    nvcc.chmod(0o755)
    assert build.find_nvcc() == str(nvcc)
    toolkit = site / "toolkit" / "bin" / "nvcc"
    toolkit.parent.mkdir(parents=True)
    toolkit.write_bytes(nvcc.read_bytes())
    toolkit.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(site / "toolkit"))
    assert build.find_nvcc() == str(toolkit)


def test_libraries_are_looked_for_as_told_then_in_packages_then_elsewhere(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = site / "nvidia" / "cublas" / "lib" / "libcublas.so.13"
    library.parent.mkdir(parents=True)
    library.touch()
    assert nvidia_packages() == [site / "nvidia" / "cublas"]
    assert next(shared_libraries("cublas", (13,))) == str(library)
    monkeypatch.setenv("PYDEEPLAB_CUBLAS", "mine.so")
    found = list(shared_libraries("cublas", (13,)))
    assert found[:2] == ["mine.so", str(library)]
    assert found[-2:] == ["libcublas.so.13", "libcublas.so"]
