"""What is handed in instead of weights is named."""

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest

from pydeeplab.errors import WeightsError
from pydeeplab.formats import read_mean, read_solver_state, read_weights


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights"), io.BytesIO(b""))
    return buffer.getvalue()


FOREIGN = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS pointer.*git lfs pull"),
    "page": (b"\n <!DOCTYPE html><html>Quota exceeded</html>", "is a web page, not weights"),
    "prototxt": (b'name: "n"\nlayer { name: "conv" } # \xc3\xa9\n', "is text, such as a prototxt"),
    "gzip": (gzip.compress(b"x"), "compressed by gzip.*gunzip"),
    "tar": (tar(), "is a tar archive"),
    "pickle": (pickle.dumps({"a": 1}, 2), "is a Python pickle"),
    "matlab": (b"MATLAB 5.0 MAT-file, " + b" " * 110, "is a MATLAB file"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a PNG image"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "is a JPEG image"),
}


@pytest.mark.parametrize("reader", [read_weights, read_solver_state, read_mean])
@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files(tmp_path, kind, reader):
    content, message = FOREIGN[kind]
    path = tmp_path / "vgg16.caffemodel"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        reader(path)
    assert str(path) in str(caught.value)


def test_a_single_array_is_no_weights(tmp_path):
    (tmp_path / "x.npy").write_bytes(npy())
    with pytest.raises(WeightsError, match=r"is a \.npy \(one array\)"):
        read_weights(tmp_path / "x.npy")


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(WeightsError, match="is a folder"):
        read_weights(tmp_path)
    with pytest.raises(WeightsError, match="does not exist: there is no folder"):
        read_weights(tmp_path / "a" / "b")
    for i in range(7):
        (tmp_path / f"{i}.caffemodel").touch()
    with pytest.raises(WeightsError, match=r"in its folder: 0\.caffemodel, .*4\.caffemodel, \.\.\."):
        read_weights(tmp_path / "x.caffemodel")


def test_a_zip_of_something_else(tmp_path):
    np.savez(tmp_path / "x.npz", picture=np.zeros(3))
    with pytest.raises(WeightsError, match="keys that do not name layers"):
        read_weights(tmp_path / "x.npz")
