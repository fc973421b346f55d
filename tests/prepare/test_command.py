"""`pydeeplab prepare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pydeeplab.cli import main
from tests.prepare.devkits import SBD_ONLY, make_context, make_sbd, make_voc, make_voc2010, write_image
from tests.prepare.test_own import make


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_voc(tmp_path)
    make_sbd(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_says_what_was_done(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["prepare", "voc12", "--root", "VOCdevkit", "-o", "work"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "train_aug                       6      10582  10576 fewer" in out
    assert "label maps: 8 written" in out
    assert "run nets from work with --define DATA_ROOT=voc12/data" in out
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "label maps: 8 kept" in out
    assert "nothing changed: all was there already" in out
    assert main([*arguments, "--check"]) == 0


def test_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "voc12", "--root", ".", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["train_aug"] == {"found": 6, "expected": 10582, "left_out": []}
    assert found["ok"]
    assert Path(found["lists"]["val"]).is_file()


def test_problems_make_the_exit_code_1(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "benchmark_RELEASE" / "dataset" / "cls" / f"{SBD_ONLY[0]}.mat").write_bytes(b"nothing")
    assert main(["prepare", "voc12", "--root", ".", "--quiet"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{SBD_ONLY[0]}.mat: cannot be read as a .mat file" in captured.err
    assert "1 picture could not be prepared" in captured.err


def test_checking_what_is_not_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "voc12", "--root", ".", "--check"]) == 1
    out = capsys.readouterr().out
    assert "label maps: 8 missing" in out
    assert "missing or different: voc12/list/train.txt" in out
    assert not (root / "voc12").exists()


def test_options_of_other_data_sets(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "voc12", "--root", ".", "--masks", "x"]) == 2
    assert "voc12 takes no 'masks'" in capsys.readouterr().err
    make_voc2010(root)
    make_context(root)
    order = ["--class-order", "context/59_labels.txt"]
    assert main(["prepare", "pascal_context", "--root", ".", *order, "-o", "work"]) == 0


def test_own_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, classes=1)
    monkeypatch.chdir(tmp_path)
    command = ["prepare", "own", "--root", "mine", "-o", "work", "--name", "scans"]
    assert main([*command, "--values", "0,255", "--val-share", "0.5"]) == 0
    out = capsys.readouterr().out
    assert "val              5" in out
    assert main([*command, "--values", "0,x"]) == 2
    write_image(tmp_path / "mine" / "images" / "more.png")
    assert main(command) == 1
    assert "have no mask" in capsys.readouterr().err
