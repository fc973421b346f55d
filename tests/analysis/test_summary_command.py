"""pydeeplab summary: what people and programs get to read."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pydeeplab.cli import main
from pydeeplab.cli._tables import format_table, has_colours, paint


def _lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["summary", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def _row(lines: list[str], name: str) -> str:
    return " ".join(next(line for line in lines if line.startswith(f"{name} ")).split())


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines(capsys, "voc12/vgg16_largefov")
    assert lines[0] == "voc12/vgg16_largefov, phase TEST"
    header = "layer type top window stride field FOV parameters M mult-adds MiB"
    assert _row(lines, "layer") == header
    assert (
        _row(lines, "fc6") == "fc6 Convolution + ReLU + Dropout 1x1024x65x65 3x3 r12 8 435 224 4 719 616 19936.1 16.5"
    )
    assert _row(lines, "pool5a") == "pool5a Pooling 1x512x65x65 3x3 8 243 8.3"
    assert _row(lines, "parameters") == "parameters 20 505 429 (20.5 M)"
    assert _row(lines, "weight file") == "weight file 78.2 MiB float32"
    assert not any("relu" in line or "\x1b" in line for line in lines)
    assert max(map(len, lines)) < 125


def test_input_size_and_full(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines(capsys, "voc12/vgg16_largefov", "--input", "65x129", "--full")
    assert _row(lines, "relu6") == "relu6 ReLU 1x1024x9x17 8 435"
    assert _row(lines, "fc8_interp").split()[2] == "1x21x65x129"


def test_training_net_needs_no_files(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines(capsys, "voc12/resnet101_aspp_msc/train", "--phase", "TRAIN")
    assert lines[1] == "layer 'data' (ImageSegData) stands as an input of 1x3x321x321: its files are not read"
    assert _row(lines, "res5a_branch2b_res075").startswith(
        "res5a_branch2b_res075 Convolution + BatchNorm + Scale + ReLU 1x512x31x31 3x3 r4 10.67 "
    )
    assert _row(lines, "parameters") == (
        "parameters 44 048 532 (44.0 M) 43 943 188 learned, 105 344 frozen, and 105 448 BatchNorm statistics"
    )
    assert _row(lines, "training").startswith("training 2692.1 MiB activations, weights, gradients, momentum")


def test_writers_write_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = _lines(capsys, "voc12/vgg16_aspp_l/test")
    assert "layer 'fc8_mat' (MatWrite) stands as Silence: it writes no files" in lines
    assert list(tmp_path.iterdir()) == []


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "voc12/vgg16_4x4", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["parameters"] == {
        "learned": 65_140_565,
        "frozen": 0,
        "statistics": 0,
        "weights": 65_140_565,
        "total": 65_140_565,
    }
    fc6 = next(layer for layer in summary["layers"] if layer["name"] == "fc6")
    assert fc6["field_of_view"] == 128
    assert fc6["receptive_field"] == [308, 308]
    assert fc6["shapes"] == [[1, 4096, 66, 66]]
    assert fc6["kernel"] == [4, 4]
    assert fc6["rate"] == [4, 4]
    assert fc6["step"] == [8.0, 8.0]
    assert summary["multiply_adds"] == sum(layer["multiply_adds"] for layer in summary["layers"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["voc12/vgg16_largefow"], "Did you mean 'voc12/vgg16_largefov'"),
        (["voc12/vgg16_largefov", "--input", "513,513"], "--input-size wants HxW, such as 513x513; got '513,513'"),
        (["voc12/vgg16_largefov", "--input", "0x9"], "--input-size wants HxW"),
        (["voc12/vgg16_largefov", "--define", "A"], "--define wants NAME=VALUE, got 'A'"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["summary", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_template_without_its_numbers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "data" type: "ImageSegData" top: "data" image_data_param { source: "${LIST}" } }\n'
        'layer { name: "fc8_${EXP}" type: "Convolution" bottom: "data" top: "fc8" '
        "convolution_param { num_output: ${NUM_LABELS} kernel_size: 1 } }\n"
    )
    assert main(["summary", str(net), "--input", "9x9"]) == 1
    assert "--define NUM_LABELS=value" in capsys.readouterr().err
    assert main(["summary", str(net), "--define", "NUM_LABELS=21"]) == 2
    assert "say it: --input-size HxW" in capsys.readouterr().err
    lines = _lines(capsys, str(net), "--define", "NUM_LABELS=21", "--define", "EXP=voc12", "--input", "9")
    assert _row(lines, "fc8_voc12") == "fc8_voc12 Convolution 1x21x9x9 1x1 1 1 84 0.0 0.0"


def test_colours_on_a_terminal_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not has_colours(sys.stdout)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert has_colours(sys.stdout)
    assert any("\x1b[1m" in line for line in _lines(capsys, "voc12/vgg16_largefov"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colours(sys.stdout)
    assert not any("\x1b" in line for line in _lines(capsys, "voc12/vgg16_largefov"))


def test_tables_align_and_leave_empty_columns_out() -> None:
    lines = format_table(["a", "b", "c"], [["x", "1", ""], ["yy", "10", ""]], right=[1])
    assert lines == ["a    b", "x    1", "yy  10"]
    assert paint("x", "bold", True) == "\x1b[1mx\x1b[0m"
    assert paint("x", "bold", False) == "x"
