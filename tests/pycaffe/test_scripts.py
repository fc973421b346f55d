"""Scripts as people have them, run unchanged by ``python -m pydeeplab run`` in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pydeeplab
from pydeeplab import TEST, Net, io

SCRIPTS = Path(__file__).parent / "scripts"


def run(*arguments: object, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run ``pydeeplab run`` with these arguments in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "pydeeplab", "run", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(pydeeplab.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


COLOURS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "score" type: "InnerProduct" bottom: "pool" top: "score" inner_product_param { num_output: 3 } }
layer { name: "prob" type: "Softmax" bottom: "score" top: "prob" }
"""


def test_classify(tmp_path: Path) -> None:
    net = Net.from_text(COLOURS)
    net.params["score"][0].data[...] = np.eye(3) / 50
    net.save(tmp_path / "net.caffemodel")
    (tmp_path / "net.prototxt").write_text(COLOURS)
    mean = np.full((1, 3, 8, 8), 100.0)
    (tmp_path / "mean.binaryproto").write_bytes(io.array_to_blobproto(mean).SerializeToString())
    for i, colour in enumerate([(255, 20, 10), (10, 240, 30), (0, 0, 250)]):
        Image.fromarray(np.full((20, 30, 3), colour, np.uint8)).save(tmp_path / f"{i}.png")
    options = ["--model_def", "net.prototxt", "--pretrained_model", "net.caffemodel", "--mean_file", "mean.binaryproto"]
    for extra in ((), ("--center_only",), ("--gpu",)):
        done = run(SCRIPTS / "classify.py", ".", "scores.npy", *options, *extra, folder=tmp_path)
        assert done.stdout == "Classified 3 pictures.\n"
        assert ("computing on the CPU" in done.stderr) == ("--gpu" in extra)
        scores = np.load(tmp_path / "scores.npy")
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
        assert list(scores.argmax(axis=1)) == [2, 1, 0]


CLASSIFIER = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 2 dim: {size} dim: {size} }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "fc6{suffix}" type: "{type}" bottom: "conv" top: "fc6"
  {param} {{ num_output: 6 {kernel6} weight_filler {{ type: "msra" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "fc6" top: "fc6" }}
layer {{ name: "fc7{suffix}" type: "{type}" bottom: "fc6" top: "fc7"
  {param} {{ num_output: 5 {kernel7} weight_filler {{ type: "msra" }} }} }}
"""


def test_net_surgery(tmp_path: Path) -> None:
    inner = CLASSIFIER.format(
        size=9, suffix="", type="InnerProduct", param="inner_product_param", kernel6="", kernel7=""
    )
    convolution = CLASSIFIER.format(
        size=13,
        suffix="-conv",
        type="Convolution",
        param="convolution_param",
        kernel6="kernel_size: 7",
        kernel7="kernel_size: 1",
    )
    (tmp_path / "net.prototxt").write_text(inner)
    (tmp_path / "full.prototxt").write_text(convolution)
    net = Net.from_text(inner)
    net.save(tmp_path / "net.caffemodel")
    done = run(
        SCRIPTS / "surgery.py", "net.prototxt", "net.caffemodel", "full.prototxt", "full.caffemodel", folder=tmp_path
    )
    assert done.stdout == "fc6 weights are (6, 196) dimensional\nfc7 weights are (5, 6) dimensional\n"
    full = Net(tmp_path / "full.prototxt", TEST, weights=tmp_path / "full.caffemodel")
    image = np.random.default_rng(0).standard_normal((1, 2, 13, 13))
    dense = full.forward(data=image)["fc7"]
    assert dense.shape == (1, 5, 5, 5)
    for row, column in ((0, 0), (2, 3), (4, 4)):
        window = net.forward(data=image[:, :, row : row + 9, column : column + 9])["fc7"]
        np.testing.assert_allclose(dense[:, :, row, column], window, rtol=1e-4, atol=1e-5)


def test_training_with_layers_in_python(tmp_path: Path) -> None:
    done = run(SCRIPTS / "train.py", tmp_path, folder=tmp_path)
    found = re.search(r"loss (\S+) -> (\S+), accuracy (\S+)", done.stdout)
    assert found, done.stdout
    before, after, accuracy = map(float, found.groups())
    assert after < 0.5 * before
    assert accuracy > 0.95
    assert (tmp_path / "moons_iter_200.caffemodel").is_file()
    assert (tmp_path / "moons_iter_200.solverstate").is_file()


def test_arguments_path_and_exit_code(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("value = 'found'\n")
    (tmp_path / "script.py").write_text(
        "import sys, beside, caffe\n"
        "if __name__ == '__main__':\n"
        "    print(sys.argv[1:], beside.value, caffe.Net.__module__, __file__.endswith('script.py'))\n"
        "    sys.exit(7)\n"
    )
    other = tmp_path / "other"
    other.mkdir()
    done = run(tmp_path / "script.py", "-o", "x", "--help", folder=other, code=7)
    assert done.stdout == "['-o', 'x', '--help'] found pydeeplab.net True\n"
    done = run("-m", "script", "--flag", folder=tmp_path, code=7)
    assert done.stdout.startswith("['--flag'] found")


@pytest.mark.parametrize("first", ["import caffe", "import caffe.io", "from caffe import layers as L"])
def test_processes_that_a_script_starts(tmp_path: Path, first: str) -> None:
    (tmp_path / "child.py").write_text(
        f"{first}\nimport caffe\nprint('child:', caffe.Net.__module__, caffe.layers.ReLU)\n"
    )
    (tmp_path / "script.py").write_text(
        "import multiprocessing, subprocess, sys, caffe\n\n\n"
        "def work(queue):\n"
        "    queue.put(caffe.Net.__module__)\n\n\n"
        "if __name__ == '__main__':\n"
        "    subprocess.run([sys.executable, 'child.py'], check=True)\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    queue = context.Queue()\n"
        "    process = context.Process(target=work, args=(queue,))\n"
        "    process.start()\n"
        "    print('spawned:', queue.get(timeout=20))\n"
        "    process.join()\n"
    )
    done = run("script.py", folder=tmp_path)
    assert "child: pydeeplab.net <function ReLU" in done.stdout
    assert "spawned: pydeeplab.net" in done.stdout


def test_an_exception_is_shown_from_the_script_on(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import caffe\n\ncaffe.Net('nowhere.prototxt', caffe.TEST)\n")
    done = run("script.py", folder=tmp_path, code=1)
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert 'script.py", line 3, in <module>' in done.stderr
    assert "runpy" not in done.stderr
    assert "cli" not in done.stderr
    assert "nowhere.prototxt" in done.stderr.splitlines()[-1]
    done = run("missing.py", folder=tmp_path, code=2)
    assert done.stderr == "pydeeplab: error: no script 'missing.py'\n"
    done = run("-m", "missing.module", folder=tmp_path, code=2)
    assert done.stderr == "pydeeplab: error: no module 'missing.module', neither here nor among the installed ones\n"


@pytest.mark.parametrize("suffix", ["dot", "stdout"])
def test_the_draw_command(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "net.prototxt").write_text(COLOURS.replace('"Softmax"', '"Softmax" include { phase: TEST }'))
    arguments = ["-o", "net.dot"] if suffix == "dot" else []
    done = subprocess.run(
        [sys.executable, "-m", "pydeeplab", "draw", "net.prototxt", "--lr-mult", "--phase", "TRAIN", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(pydeeplab.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    text = (tmp_path / "net.dot").read_text() if arguments else done.stdout
    assert text.startswith("digraph")
    assert "lr_mult 1" in text
    assert "layer: prob" not in text


def test_commands_say_what_they_converted(tmp_path: Path) -> None:
    (tmp_path / "old.prototxt").write_text(
        "layers { name: 'd' type: DUMMY_DATA top: 'd' dummy_data_param { num: 1 channels: 1 height: 4 width: 4 } }\n"
        "layers { name: 'c' type: CONVOLUTION bottom: 'd' top: 'c' convolution_param { num_output: 1 kernel_size: 3 "
        "hole: 2 } }\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pydeeplab", "draw", "old.prototxt"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(pydeeplab.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.startswith("old.prototxt: ")
    assert "digraph" not in done.stderr
