"""`pydeeplab test`, `time` and `device_query` with Caffe's flags and in Caffe's words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pydeeplab import TEST, Net
from pydeeplab.backend.cuda.library import Unavailable
from pydeeplab.cli import main
from tests.cli.nets import write_nets


@pytest.fixture
def nets(tmp_path: Path) -> tuple[Path, Path]:
    return write_nets(tmp_path)


def call(text: str, **values: object) -> int:
    return main([word.format(**values) for word in text.split()])


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a GPU."""
    for module in ("_device", "device_query"):
        monkeypatch.setattr(f"pydeeplab.cli.{module}.load_library", lambda kind: Unavailable("there is none"))


@pytest.mark.usefixtures("no_gpu")
def test_scores_in_caffes_words(nets: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    net, weights = nets
    spelled = (
        "test -model={net} --weights {weights},{weights} -gpu all -iterations 3 -stage other,scored --logtostderr=1"
    )
    assert call(spelled, net=net, weights=weights) == 0
    out, err = capsys.readouterr()
    assert "-gpu all has no effect, computing on the CPU: there is none" in err
    expected = Net(net, TEST, stages=["scored"], weights=weights)
    expected.forward()
    loss = float(expected.blobs["loss"].data)
    accuracy = float(expected.blobs["accuracy"].data)
    lines = out.splitlines()
    assert lines[:2] == ["Use CPU.", "Running for 3 iterations."]
    assert lines[2:8] == [
        f"Batch {i}, {n} = {v:g}" for i in range(3) for n, v in (("accuracy", accuracy), ("loss", loss))
    ]
    assert lines[8:] == [
        f"Loss: {2 * loss:g}",
        f"accuracy = {accuracy:g}",
        f"loss = {loss:g} (* 2 = {2 * loss:g} loss)",
    ]


def test_scores_as_json_and_levels(nets: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    net, weights = nets
    assert call("test -model {net} -weights {weights} -iterations 2 -level 3 --json", net=net, weights=weights) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["means"]) == {"deep", "loss"}
    assert np.shape(found["means"]["deep"]) == (4, 3)
    assert found["loss"] == pytest.approx(2 * found["means"]["loss"])


def test_scores_of_many_values_and_of_counts_that_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "d" type: "DummyData" top: "x" top: "t" dummy_data_param {'
        " shape { dim: 1 dim: 2 dim: 30 dim: 40 } shape { dim: 1 dim: 1 dim: 30 dim: 40 }"
        ' data_filler { type: "constant" value: 0.25 } data_filler { type: "constant" value: 0 } } }'
        'layer { name: "ip" type: "Convolution" bottom: "x" top: "y"'
        ' convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "constant" value: 2 } } }'
        'layer { name: "a" type: "SegAccuracy" bottom: "y" bottom: "t" top: "a" seg_accuracy_param { reset: false } }'
        'layer { name: "z" type: "Power" bottom: "y" top: "z" }'
    )
    Net(net, TEST).save(tmp_path / "w.caffemodel")
    assert call("test -model {net} -weights {w} -iterations 2", net=net, w=tmp_path / "w.caffemodel") == 0
    out = capsys.readouterr().out
    assert out.count("z = ") == 3
    assert re.search(r"^z = 1$", out, re.MULTILINE)
    assert "note: 'a' counts on from batch to batch" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("test -weights {weights}", "need a net to score"),
        ("test -model {net}", "need model weights to score"),
        ("test -model {net} -weights {weights} -iterations 0", "-iterations must be at least 1"),
        ("test -model {deploy} -weights {weights}", "has no data of its own"),
        ("time", "need a net to time"),
        ("time {net} -model {net}", "two nets"),
        ("time -model {net} -iterations 0", "--iterations must be at least 1"),
    ],
)
def test_wrong_usage(nets: tuple[Path, Path], capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    net, weights = nets
    assert call(words, net=net, weights=weights, deploy=net.with_name("deploy.prototxt")) == 2
    assert message in capsys.readouterr().err


def test_times_in_caffes_words(nets: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    net, weights = nets
    assert call("time --model={net} -weights {weights} -iterations=3 -gpu 0", net=net, weights=weights) == 0
    out = capsys.readouterr().out
    number = r"[\d.e+-]+"
    assert out.startswith("Performing Forward\nInitial loss: ")
    assert re.findall(rf"^Iteration: (\d) forward-backward time: {number} ms\.$", out, re.MULTILINE) == ["1", "2", "3"]
    layers = re.findall(rf"^ *(\w+)\t(forward|backward): {number} ms\.$", out, re.MULTILINE)
    assert [x for x in layers if x[0] in ("conv", "loss")] == [
        ("conv", "forward"), ("conv", "backward"), ("loss", "forward"), ("loss", "backward")
    ]  # fmt: skip
    for title in ("Average Forward pass", "Average Backward pass", "Average Forward-Backward", "Total Time"):
        assert re.search(rf"^{title}: {number} ms\.$", out, re.MULTILINE)
    assert out.rstrip().endswith("*** Benchmark ends ***")
    assert "accuracy" not in out


def test_the_phase_of_times(nets: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    net, _ = nets
    assert call("time -model {net} -phase TEST -stage scored -iterations 1", net=net) == 0
    assert "  accuracy\tforward: " in capsys.readouterr().out
    assert call("time {net} --iterations 1 --json", net=net) == 0
    assert [layer["name"] for layer in json.loads(capsys.readouterr().out)["layers"]][-1] == "loss"


@pytest.mark.usefixtures("no_gpu")
def test_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("device_query -gpu all") == 0
    out = capsys.readouterr().out
    assert re.search(r"^Device: +CPU$", out, re.MULTILINE)
    assert re.search(r"^BLAS: +\S+", out, re.MULTILINE)
    assert re.search(r"^GPU: +none: there is none \(", out, re.MULTILINE)
    assert call("device-query --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cpu"]["threads"] >= 1
    assert found["gpu"]["backend"] is False
