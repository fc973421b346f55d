"""Comparing with a live Caffe, of which a stand-in made of pydeeplab itself takes the part."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab import TRAIN, Net
from pydeeplab.cli import main
from pydeeplab.compare import Dump, compare, record
from pydeeplab.compare.html import DECADES, error_map, map_colours, write_html
from pydeeplab.compare.live import find_pycaffe, record_live
from pydeeplab.errors import DataError, UsageError
from tests.support.external import repository

NET = """
name: "tiny"
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "c1"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "ip" type: "InnerProduct" bottom: "c1" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" include { stage: "noisy" } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""

STAND_IN = """
import sys
sys.path.insert(0, {repository!r})
from pydeeplab import TEST, TRAIN, Net as _Net, set_mode_cpu

class Net(_Net):
    def __init__(self, *args):
        super().__init__(*args, engine="CAFFE")
        self.after_forward(lambda i: self._plant("{forward}", "data", i))
        self.after_backward(lambda i: self._plant("{backward}", "diff", i))

    def _plant(self, layer, half, index):
        node = self.nodes[index]
        if node.name == layer:
            blob = node.tops[0] if half == "data" else node.layer.blobs[0]
            getattr(blob, half)[...] *= 1.001
"""


@pytest.fixture
def net_file(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def stand_in(tmp_path: Path, forward: str = "", backward: str = "", text: str = STAND_IN) -> Path:
    """A folder with a package caffe whose named layers compute wrongly, by a thousandth."""
    package = tmp_path / "theirs" / "python" / "caffe"
    package.mkdir(parents=True)
    source = text.format(repository=str(repository()), forward=forward, backward=backward)
    (package / "__init__.py").write_text(source)
    return tmp_path / "theirs"


def command(net_file: Path, caffe: Path, *more: object) -> int:
    return main([str(word) for word in ("compare", net_file, "--caffe", caffe, *more)])


def test_the_same_caffe_agrees_forward_and_backward(
    net_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(net_file, stand_in(tmp_path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["agrees"]
    assert found["first_departure"] is None
    keys = [e["key"] for e in found["errors"]]
    assert keys[:2] == ["data/x", "data/label"]
    assert {"data/loss", "pdiff/c1/0", "pdiff/ip/1", "diff/x"} <= set(keys)
    assert found["not_recorded"] == found["not_in_net"] == []


@pytest.mark.parametrize(
    ("forward", "backward", "departures"),
    [("ip", "", ["data/ip"]), ("", "c1", ["pdiff/c1/0"]), ("c1", "ip", ["data/c1", "pdiff/ip/0"])],
)
def test_a_planted_error_is_found_in_its_layer(
    net_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    forward: str,
    backward: str,
    departures: list[str],
) -> None:
    caffe = stand_in(tmp_path, forward, backward)
    assert command(net_file, caffe) == 1
    out = capsys.readouterr().out
    assert re.findall(r"first departure.*: (\S+), made by", out)[: len(departures)] == departures
    assert f"first departure: {departures[0]}, made by {departures[0].split('/')[1]}" in out
    assert command(net_file, caffe, "--forward-only") == (1 if forward else 0)
    assert command(net_file, caffe, "--tolerance", 0.1) == 0


def test_a_net_without_a_loss_is_run_backward_all_the_same(
    net_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = NET.replace("force_backward: true", "")
    net_file.write_text(text[: text.index('layer { name: "loss"')])
    caffe = stand_in(tmp_path, backward="c1")
    assert command(net_file, caffe, "--json") == 1
    assert json.loads(capsys.readouterr().out)["departures"] == ["pdiff/c1/0"]
    assert command(net_file, caffe, "--stage", "other") == 1
    assert "first departure: pdiff/c1/0" in capsys.readouterr().out


def test_weights_inputs_and_the_state_of_the_net_reach_both(net_file: Path, tmp_path: Path) -> None:
    net = Net(net_file, TRAIN)
    net.params["ip"][0].data[...] *= 3
    net.save(tmp_path / "w.npz")
    np.savez(tmp_path / "in.npz", x=np.ones((1, 3, 9, 8), np.float32), label=[2.0])
    caffe = stand_in(tmp_path)
    words = ("--input", tmp_path / "in.npz", "--phase", "TRAIN")
    assert main([str(w) for w in ("compare", net_file, tmp_path / "w.npz", "--caffe", caffe, *words)]) == 0
    dump = record_live(net, net_file, {"x": np.ones((1, 3, 9, 8)), "label": np.array([2.0])}, caffe)
    assert dump.data["ip"].shape == (1, 5)
    np.testing.assert_array_equal(dump.data["label"], [2])
    net.forward(x=np.ones((2, 3, 9, 8)), label=[2, 2])
    np.testing.assert_allclose(dump.data["ip"][0], net.blobs["ip"].data[0], rtol=1e-5)
    assert command(net_file, caffe, "--stage", "noisy") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ImportError('libcaffe.so is lost')", r"ended with exit code 1:\n(.|\n)*libcaffe\.so is lost"),
        ("import os, sys\nsys.stderr.write('F1 net.cpp:1] Check failed: no\\n' * 1 + 'x\\n' * 20)\nos.abort()",
         r"ended by signal 6:\n    F1 net\.cpp:1\] Check failed: no\n"),
        ("import os\nos._exit(0)", "ended well, but recorded nothing"),
        ("import time\ntime.sleep(60)", "did not finish within 1.5 seconds"),
    ],
)  # fmt: skip
def test_a_caffe_that_fails_is_quoted(net_file: Path, tmp_path: Path, text: str, message: str) -> None:
    net = Net(net_file)
    with pytest.raises(DataError, match=message):
        record_live(net, net_file, {}, stand_in(tmp_path, text=text), timeout=1.5)


def test_where_pycaffe_is_looked_for(net_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = stand_in(tmp_path)
    folder = (root / "python").resolve()
    assert find_pycaffe(root) == find_pycaffe(root / "python") == find_pycaffe(root / "python" / "caffe") == folder
    with pytest.raises(UsageError, match="holds no pycaffe"):
        find_pycaffe(tmp_path)
    assert command(net_file, tmp_path) == 2
    assert command(net_file, root, "--python", tmp_path / "no-python") == 2
    assert "there is no Python interpreter" in capsys.readouterr().err


def test_the_page_shows_every_array_and_the_departure(net_file: Path, tmp_path: Path) -> None:
    page = tmp_path / "errors.html"
    assert command(net_file, stand_in(tmp_path, "ip"), "--html", page) == 1
    text = page.read_text()
    assert "First departure: <code>data/ip</code>" in text
    body = text[text.index("<h2>Forward") :]
    assert len(re.findall(r"<tr class=", body)) == len(re.findall(r'<img src="data:image/png;base64,', body))
    assert '<tr class="out first"><td><code>ip</code>' in body
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "<h2>Backward" in body


def test_the_page_escapes_names_and_survives_shapes_and_nans(tmp_path: Path) -> None:
    text = (
        'name: "<b>" layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }'
        'layer { name: "a&b" type: "ReLU" bottom: "x" top: "<y>" }'
        'layer { name: "p" type: "Pooling" bottom: "<y>" top: "z" pooling_param { global_pooling: true } }'
    )
    net = Net.from_text(text, engine="CAFFE")
    dump = record(net, {"x": np.ones((1, 2, 4, 4))})
    dump.data["<y>"] = dump.data["<y>"].copy()
    dump.data["<y>"][0, 0, 1, 2] = np.nan
    dump.data["z"] = dump.data["z"][:, :1]
    result = compare(net, dump)
    write_html(tmp_path / "page.html", net, dump, result)
    page = (tmp_path / "page.html").read_text()
    assert "&lt;y&gt;" in page
    assert "a&amp;b" in page
    assert "<y>" not in page
    assert "<b></b>" not in page.split("<h1>")[1].split("</h1>")[0]


def test_error_maps() -> None:
    a, b = np.zeros((2, 3, 4, 5)), np.zeros((2, 3, 4, 5))
    a[0, 1, 2, 3] = 6
    assert error_map(a, b).shape == (4, 5)
    assert error_map(a, b)[2, 3] == 1
    assert error_map(a, b, weights=True).shape == (2, 3)
    assert error_map(a, b, weights=True)[0, 1] == 6 / 20
    assert error_map(np.ones((4, 3, 1, 1)), np.zeros((4, 3, 1, 1))).shape == (4, 3)
    folded = error_map(np.arange(7), np.zeros(7))
    assert folded.shape == (3, 3)
    np.testing.assert_array_equal(folded.ravel()[:7], np.arange(7))
    assert np.isnan(folded.ravel()[7:]).all()
    assert error_map(np.array(2.0), np.array(0.5)) == 1.5
    nan = error_map(np.array([np.nan, np.nan, np.inf, 1]), np.array([np.nan, 1, np.inf, 1]))
    np.testing.assert_array_equal(nan, [[0, np.inf], [0, 0]])


def test_colours_say_whether_an_error_is_within_the_tolerance() -> None:
    steps = 1e-5 * 10.0 ** np.linspace(-DECADES, DECADES, 81)
    red, green, blue, alpha = map_colours(steps[None], 1e-5)[0].T.astype(int)
    within = steps <= 1e-5 * (1 + 1e-9)
    assert (blue[within] > red[within]).all()
    assert (red[~within] > blue[~within]).all()
    assert (alpha == 255).all()
    assert (np.diff(green[within]) >= 0).all()
    special = map_colours(np.array([[0, np.inf, np.nan, 1e-30, 1e30]]), 1e-5)[0]
    assert special[2, 3] == 0
    assert tuple(special[3]) == tuple(map_colours(steps[None, :1], 1e-5)[0, 0])
    assert tuple(special[4]) == tuple(map_colours(steps[None, -1:], 1e-5)[0, 0])
    assert len({tuple(row) for row in special}) == 5


def test_large_maps_keep_their_largest_errors(tmp_path: Path) -> None:
    net = Net.from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 600 dim: 700 } } }'
    )
    dump = Dump(data={"x": np.zeros((1, 1, 600, 700), np.float32)}, inputs={"x": np.zeros((1, 1, 600, 700))})
    dump.inputs["x"][0, 0, 411, 203] = 1
    result = compare(net, dump)
    write_html(tmp_path / "page.html", net, dump, result)
    uris = re.findall(r"data:image/png;base64,([^\"]+)", (tmp_path / "page.html").read_text())
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(uris[1]))).convert("RGBA"))
    assert picture.shape == (160, 160, 4)
    assert len(np.unique(picture.reshape(-1, 4), axis=0)) == 2
