"""Commands on the device: training with snapshots, times by the device's clock, and want of memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pydeeplab import set_mode_cpu
from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.cli import main
from pydeeplab.data.images import read_image
from pydeeplab.data.palette import write_png
from pydeeplab.errors import LayerError
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from tests.cli.test_train import weights
from tests.crf.support import picture
from tests.solver.problem import write_problem

CONV = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 33 dim: 33 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "scores" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 0.02 } } }
"""


@pytest.fixture(autouse=True)
def on_device(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What ``--gpu 0`` means here: the GPU, or for want of one the emulation."""
    monkeypatch.setenv("PYDEEPLAB_BACKEND", name)
    yield
    set_mode_cpu()


def train(folder: Path, *options: str) -> dict[str, bytes]:
    folder.mkdir()
    write_problem(folder)
    solver = str(folder / "solver.prototxt")
    assert main(["train", "--solver", solver, "--gpu", "0", "--quiet", "--iterations", "8"]) == 0
    assert main(["train", "--solver", solver, "--gpu", "0", "--quiet", "--snapshot", "auto", *options]) == 0
    return weights(folder / "run_iter_12.caffemodel")


def test_training_resumes_bit_for_bit(tmp_path: Path) -> None:
    halves = train(tmp_path / "halves")
    write_problem(tmp_path)
    assert main(["train", "--solver", str(tmp_path / "solver.prototxt"), "--gpu", "0", "--quiet"]) == 0
    assert weights(tmp_path / "run_iter_12.caffemodel") == halves
    assert "] device memory: peak " in (tmp_path / "run.log").read_text()


def test_times_by_the_clock_of_the_device(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(CONV)
    assert main(["time", str(net), "--gpu", "0", "--iterations", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["backend"] == name
    assert found["device_memory"]["peak_bytes"] >= 4 * 4 * 33 * 33
    assert found["layers"][1]["forward"] > 0 < found["layers"][1]["backward"]
    assert main(["time", str(net), "--gpu", "0", "--iterations", "1"]) == 0
    assert "device memory: peak " in capsys.readouterr().out


def test_segmenting_and_refining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, _, scores = picture(33, 33)
    write_png(tmp_path / "photo.png", image)
    np.save(tmp_path / "photo.npy", scores)
    (tmp_path / "net.prototxt").write_text(CONV)
    weights_file = tmp_path / "net.caffemodel"
    Net(tmp_path / "net.prototxt", TEST, backend="cpu").save(weights_file)
    photo = str(tmp_path / "photo.png")
    net = ["--net", str(tmp_path / "net.prototxt"), "--weights", str(weights_file), "--crf", "iter=2", "--quiet"]
    crf = ["--scores", str(tmp_path / "photo.npy"), "--params", "iter=2", "--quiet"]
    for place, options in (("device", ["--gpu", "0"]), ("cpu", [])):
        if not options:
            monkeypatch.setenv("PYDEEPLAB_BACKEND", "cpu")
            set_mode_cpu()
        assert main(["segment", photo, *net, *options, "-o", str(tmp_path / place)]) == 0
        assert main(["crf", photo, *crf, *options, "-o", str(tmp_path / f"crf_{place}")]) == 0
    for folder in ("", "crf_"):
        ours, theirs = (read_image(tmp_path / f"{folder}{place}" / "photo.png") for place in ("device", "cpu"))
        assert (ours == theirs).all(axis=2).mean() > 0.99


def test_one_process_computes_on_a_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.prototxt").write_text(CONV)
    Net(tmp_path / "net.prototxt", TEST).save(tmp_path / "net.caffemodel")
    for folder in ("truth", "images"):
        (tmp_path / folder).mkdir()
        write_png(tmp_path / folder / "a.png", np.zeros((33, 33, 3), np.uint8))
    net = ["--net", str(tmp_path / "net.prototxt"), "--weights", str(tmp_path / "net.caffemodel")]
    pictures = ["--truth", str(tmp_path / "truth"), "--images", str(tmp_path / "images"), "--quiet"]
    figure = ["figure", "panels", *net, *pictures, "-o", str(tmp_path / "figures")]
    for command in (["eval", *net, *pictures], figure):
        assert main([*command, "--gpu", "0", "--jobs", "2"]) == 2
        assert "one process computes on a GPU" in capsys.readouterr().err
    assert main(["eval", *net, *pictures, "--gpu", "0"]) == 0


def test_want_of_memory_names_the_layer(
    backend: CudaBackend, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net.from_text(CONV, TEST, backend=name)
    net.blobs["data"].reshape(1, 3, 65, 65)

    class Full:
        def __getattr__(self, function: str) -> object:
            return (lambda *_: 2) if function == "memory_allocate" else getattr(backend.library.functions, function)

    backend.allocator.release()
    full = type(backend.library).__new__(type(backend.library))
    full.__dict__.update(backend.library.__dict__, functions=Full())
    monkeypatch.setattr(backend.allocator, "library", full)
    with pytest.raises(LayerError, match=r"layer 'conv' \(Convolution\): needs more memory") as caught:
        net.forward()
    text = str(caught.value)
    assert "MiB of device memory were asked for (CUDA error 2, out of memory)" in text
    assert "GiB are in use here" in text
    assert "smaller crop" in text
    assert "'recompute'" in text
