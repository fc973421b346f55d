"""`pydeeplab experiment`: what it lists, shows, and says of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pydeeplab.cli import main


def run(*arguments: object) -> int:
    return main(["experiment", *map(str, arguments)])


def test_list_shows_the_papers_rows_in_its_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "table4", "table1", "--out", tmp_path / "none") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["experiment", "where", "net", "paper", "status"]
    assert [line.split()[0] for line in lines[1:5]] == [
        "table1/7x7_rate4", "table1/4x4_rate4", "table1/4x4_rate8", "table1/3x3_rate12"
    ]  # fmt: skip
    assert "Table 1, row 4" in lines[4]
    assert "62.25 / 67.64" in lines[4]
    assert lines[11].split()[0] == "table4/msc_coco_aug_aspp_crf"
    assert "- / 77.69" in lines[11]
    assert not list(tmp_path.iterdir())


def test_list_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "table9", "--out", tmp_path, "--json") == 0
    entries = {e["name"]: e for e in json.loads(capsys.readouterr().out)}
    assert len(entries) == 9
    entry = entries["table9/vgg16_half_crf"]
    assert entry["paper"] == {"before_crf": None, "after_crf": 64.18}
    assert entry["base"] == "table9/vgg16_half"
    assert entry["stages"]["train"] == "missing"
    assert len(entry["needs"]) == 2
    assert entry["status"] == "needs data and weights"


def test_a_net_trained_from_fillers_needs_data_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "camvid/small_largefov", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "needs data"


def test_show_gives_commands_to_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "table2/poly_30_6k", "--out", tmp_path, "--root", tmp_path) == 0
    text = capsys.readouterr().out
    config = "voc12/config/table2_poly_30_6k"
    assert f"  {config}/solver_train_aug.prototxt\n" in text
    assert f"pydeeplab prepare voc12 --root {tmp_path} --out ." in text
    assert f"pydeeplab train --solver {config}/solver_train_aug.prototxt --weights vgg16_20M.caffemodel" in text
    assert "needs the weights that training starts from: --init vgg16_20M.caffemodel" in text
    assert "leaves voc12/model/table2_poly_30_6k/train_iter_6000.caffemodel" in text
    assert f"Stages, in {tmp_path}:" in text
    assert not list(tmp_path.iterdir())


def test_show_as_json_has_the_same_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "table3/aspp_l", "--out", tmp_path, "--json") == 0
    (plan,) = json.loads(capsys.readouterr().out)
    stages = {s["stage"]: s for s in plan["stages"]}
    assert list(stages) == ["prepare", "init", "train", "test", "crf-search", "crf", "score", "report"]
    assert stages["train"]["commands"][0][:2] == ["pydeeplab", "train"]
    for stage in stages.values():
        for program, command, *_ in stage["commands"]:
            assert program == "pydeeplab"
            assert command in {"prepare", "train", "segment", "crf-search", "eval", "figure"}


def test_commands_of_a_plan_are_commands_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that a plan writes is one that the command has."""
    from pydeeplab.cli import build_parser, command_parsers

    for scores in ((), ("--scores",)):
        assert (
            run(
                "show",
                "table3/aspp_l",
                "text/voc12_test_aspp_l",
                "camvid/small_aspp_s",
                "--out",
                tmp_path,
                "--json",
                *scores,
            )
            == 0
        )
        for plan in json.loads(capsys.readouterr().out):
            for stage in plan["stages"]:
                for _, name, *words in stage["commands"]:
                    command_parsers(build_parser(name.replace("-", "_")))[name].parse_args(words)


def test_run_says_all_that_is_missing_and_makes_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "table4/msc_coco", "--out", tmp_path / "work") == 2
    error = capsys.readouterr().err
    assert "table4/msc_coco cannot be run yet. It needs\n" in error
    assert "--root FOLDER with the devkit of voc12" in error
    assert "--init init.caffemodel (ResNet-101 trained on ImageNet and MS-COCO" in error
    assert not (tmp_path / "work").exists()
    assert run("run", "table8/prerelease_largefov", "--out", tmp_path / "work", "--root", tmp_path) == 2
    assert "no longer given out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("run",), "say which"),
        (("show", "table44"), "Did you mean"),
        (("run", "mine.toml"), "there is no file"),
        (("run", "table3/aspp_l", "--define", "LR"), "--define wants NAME=VALUE"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert what in capsys.readouterr().err


@pytest.mark.parametrize(("name", "why"), [(".", "holds no such file"), ("w.caffemodel", "does not exist")])
def test_weights_that_are_not_where_they_are_said_to_be(
    name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "table3/aspp_l", "--root", tmp_path, "--init", tmp_path / name, "--out", tmp_path / "out") == 2
    assert f"; {tmp_path / name} {why}" in capsys.readouterr().err


def test_a_row_tried_out_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "table2/poly_10_20k", "--smoke") == 0
    said = capsys.readouterr()
    row = next(line for line in said.out.splitlines() if line.startswith("table2/poly_10_20k"))
    assert "65.88 / -" in row
    assert row.endswith("done")
    assert "Tried out on drawn pictures" in said.out
    assert not Path("experiments").exists()


def test_quiet_and_json_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("run", "table2/poly_10_20k", "--smoke", "--quiet", "--json", "found.json") == 0
    said = capsys.readouterr()
    assert "Tried out on drawn pictures" in said.out
    assert said.err == ""
    assert [entry["status"] for entry in json.loads(Path("found.json").read_text())] == ["done"]


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.toml").write_text(
        'title = "starts from nothing"\n[net]\nname = "voc12/vgg16_largefov"\n[data]\ndataset = "voc12"\n'
    )
    assert run("run", tmp_path / "bad.toml", "table2/poly_10_10k", "--smoke", "--json") == 1
    said = capsys.readouterr()
    entries = {e["name"]: e for e in json.loads(said.out)}
    assert "`pydeeplab train` failed" in entries["bad"]["error"]
    assert entries["table2/poly_10_10k"]["status"] == "done"
    assert "layers would start at zero" in said.err
