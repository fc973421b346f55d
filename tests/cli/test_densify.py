"""pydeeplab densify: files, table, JSON, errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.cli import main
from pydeeplab.formats import read_weights
from pydeeplab.net import Net
from pydeeplab.proto import read_solver
from tests.densify.nets import save_random, vgg16, write


@pytest.fixture
def vgg(tmp_path: Path) -> tuple[str, str]:
    """A thin VGG-16 and its weights."""
    path = write(tmp_path, vgg16(32, 96))
    return str(path), str(save_random(tmp_path / "w.caffemodel", path))


def test_files_and_table(vgg: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "dense"
    assert main(["densify", *vgg, "--classes", "21", "--largefov", "2x2:4:16", "-o", str(out)]) == 0
    assert {p.name for p in out.iterdir()} == {
        "train.prototxt", "test.prototxt", "deploy.prototxt", "solver.prototxt", "init.caffemodel",
    }  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: " ".join(line.split()) for line in lines if line.strip()}
    assert rows["conv5_1"] == "conv5_1 Convolution 3x3 16 -> 8 1 -> 2 132 kept"
    assert rows["fc6"].startswith("fc6 Convolution 3x3 -> 2x2 - -> 8 1 -> 4 all -> ")
    assert rows["fc6"].endswith("decimated")
    assert rows["fc8_voc12"].endswith("new")
    assert rows["prob"].endswith("dropped: behind the classifier")
    assert f"wrote {out}/init.caffemodel" in lines
    assert read_solver(out / "solver.prototxt").param.train_net == "train.prototxt"
    net = Net(out / "deploy.prototxt", weights=out / "init.caffemodel")
    assert net.load_reports[-1].missing == ["fc8_voc12"]
    assert net.load_reports[-1].unused == []


def test_json(vgg: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--classes", "5", "--aspp", "2,4:16", "--output-stride", "4", "--msc", "--seed", "3", "--json"]
    assert main(["densify", *vgg, *options, "-o", str(tmp_path / "dense")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["output_stride"], found["size_step"], found["rate"], found["exact"]) == (4, 16, [8, 8], True)
    assert found["scores"] == "fc8_interp"
    assert len(found["files"]) == 5
    rows = {row["name"]: row for row in found["layers"]}
    assert rows["fc6_2"]["origin"] == "fc6"
    assert (rows["fc6_2"]["shape"], rows["fc6_2"]["weights"]) == ([16, 16, 3, 3], "decimated")
    assert rows["conv4_1"]["old"]["rate"] == [1, 1]
    assert rows["conv4_1"]["new"]["rate"] == [2, 2]
    assert not any("res05" in name for name in rows)


def test_dry_run_writes_nothing(vgg: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(tmp_path.rglob("*"))
    assert main(["densify", vgg[0], "--classes", "2", "--largefov", "1x1:1", "--dry-run", "--windows", "deeplab"]) == 0
    assert set(tmp_path.rglob("*")) == before
    assert "poolings on stretched maps have no rate: 'pool5'" in capsys.readouterr().out


def test_without_weights_there_are_none_to_start_from(
    vgg: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["densify", vgg[0], "--classes", "2", "--largefov", "1x1:1", "-o", str(tmp_path / "dense")]) == 0
    assert not (tmp_path / "dense/init.caffemodel").exists()
    assert "there is no init.caffemodel" in capsys.readouterr().out.splitlines()[-1]


def test_weights_that_lack_layers_are_named(
    vgg: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = {k: v for k, v in read_weights(vgg[1]).arrays().items() if not k.startswith("conv3_2")}
    np.savez(tmp_path / "w.npz", **arrays)
    options = ["--classes", "2", "--largefov", "1x1:1", "-o", str(tmp_path / "dense")]
    assert main(["densify", vgg[0], str(tmp_path / "w.npz"), *options]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("conv3_2"))
    assert row.endswith("not in the weight file")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "-o DIR"),
        (["--dry-run", "--largefov", "3:12"], "KxK:RATE:CHANNELS"),
        (["--dry-run", "--aspp", "six"], "RATE,RATE"),
        (["--dry-run", "--input", "0x5"], "--input-size wants HxW"),
        (["--dry-run", "--mean", "a,b"], "--mean wants numbers"),
        (["--dry-run", "--output-stride", "64"], "--output-stride can be 1, 2, 4, 8, 16, 32"),
        (["--dry-run", "--rate", "0"], "rate must be at least 1"),
        (["--dry-run", "--largefov", "2x2:3:16"], "Choose an even rate, such as 4"),
    ],
)
def test_wrong_usage(
    vgg: tuple[str, str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["densify", vgg[0], "--classes", "2", *options]) == 2
    assert message in capsys.readouterr().err


def test_heads_exclude_each_other(vgg: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        main(["densify", vgg[0], "--classes", "2", "--rate", "2", "--aspp", "2,4", "--dry-run"])
