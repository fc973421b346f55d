"""prototxt/ holds what the generator writes, in a form that people and Caffe can read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pydeeplab.networks import DATASETS, NETWORKS, all_files, differences, write_all
from pydeeplab.networks.__main__ import main
from pydeeplab.proto import read_net, read_solver
from pydeeplab.resources import prototxt_folder
from tests.networks.facts import DEFINES
from tests.support.external import repository

FILES = all_files()
NETS = sorted(name for name in FILES if name.endswith(("train.prototxt", "test.prototxt", "deploy.prototxt")))
SOLVERS = sorted(name for name in FILES if "solver" in name)
PAPER = tuple(f"{dataset.folder}/" for dataset in DATASETS)


def test_files_are_what_the_generator_writes() -> None:
    assert differences(repository() / "prototxt") == [], "run `python -m pydeeplab.networks`"


def test_there_is_every_network_for_every_dataset() -> None:
    nets = [name for name in NETS if name.startswith(PAPER)]
    folders = {name.rpartition("/")[0] for name in nets}
    absent = {f"cityscapes/{n.folder}" for n in NETWORKS if n.multi_scale}
    assert len(NETWORKS) == 14
    assert folders == {f"{d.folder}/{n.folder}" for d in DATASETS for n in NETWORKS} - absent
    assert len(nets) == 3 * len(folders)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_says_what_it_is_in_lines_that_can_be_read(name: str) -> None:
    text = FILES[name]
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert len(text) < 300_000
    if name.endswith(".md"):
        assert "Written by `python -m pydeeplab.networks`; do not edit." in text
        return
    heading = text.partition("\n\n")[0].replace("\n# ", " ")
    assert all(line.startswith("# ") for line in text.partition("\n\n")[0].splitlines())
    for part in ("Source: ", "Use: ", "Written by `python -m pydeeplab.networks`; do not edit."):
        assert part in heading
    assert max(map(len, text.splitlines())) <= 120
    assert text.isascii()


def test_placeholders_are_only_what_a_user_must_supply() -> None:
    for name in (*NETS, *SOLVERS):
        assert set(re.findall(r"\$\{(\w+)\}", FILES[name])) <= set(DEFINES)


@pytest.mark.parametrize("name", NETS)
def test_nets_are_current_and_need_no_conversion(name: str) -> None:
    source = read_net(repository() / "prototxt" / name, defines=DEFINES)
    assert source.notes == []
    names = [layer.name for layer in source.param.layer]
    assert len(set(names)) == len(names)
    assert not any(len(layer.include) or len(layer.exclude) for layer in source.param.layer)
    assert source.param.layer[0].type == ("Input" if "deploy" in name else "ImageSegData")


@pytest.mark.parametrize("name", [name for name in SOLVERS if name.startswith(PAPER)])
def test_solvers(name: str) -> None:
    dataset, network, file = name.split("/")
    solver = read_solver(repository() / "prototxt" / name).param
    assert solver.train_net == "train.prototxt"
    assert solver.momentum == pytest.approx(0.9)
    assert solver.weight_decay == pytest.approx(0.0005)
    exp = "voc10_part" if dataset == "person_part" else dataset
    stage = "train2" if file == "solver2.prototxt" else "train"
    assert solver.snapshot_prefix == f"{exp}/model/{network}/{stage}"
    assert (solver.lr_policy, solver.max_iter, solver.iter_size) == _schedule(dataset, network, stage)
    if solver.lr_policy == "poly":
        assert solver.power == pytest.approx(0.9)
        assert solver.base_lr == pytest.approx(2.5e-4 if "resnet" in network else 1e-3)
    else:
        second_4x4 = network == "vgg16_4x4" and stage == "train2"
        assert solver.gamma == pytest.approx(0.1)
        assert solver.base_lr == pytest.approx(0.01 if second_4x4 else 0.001)
        assert solver.stepsize == (3000 if second_4x4 else 2000)


def _schedule(dataset: str, network: str, stage: str) -> tuple[str, int, int]:
    first_release = {
        "vgg16_7x7",
        "vgg16_4x4",
        "vgg16_4x4_largefov",
        "vgg16_4x4_msc_features",
        "vgg16_largefov_msc_features",
    }
    if dataset == "voc12" and network in first_release:
        second = 12000 if network == "vgg16_4x4" else 8000
        return "step", 6000 if stage == "train" else second, 1
    return "poly", 20000, 10 if "resnet" in network else 1


def test_only_voc_has_a_second_stage() -> None:
    assert {name.partition("/")[0] for name in SOLVERS if name.endswith("solver2.prototxt")} == {"voc12"}


def test_check_finds_what_is_missing_changed_or_astray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = prototxt_folder()
    assert folder is not None
    copy = tmp_path / "prototxt"
    shutil.copytree(folder, copy)
    (copy / "person_part" / "vgg16_7x7" / "train.prototxt").unlink()
    (copy / "person_part" / "vgg16_7x7" / "test.prototxt").write_text("changed")
    (copy / "person_part" / "vgg16_7x7" / "old.prototxt").write_text("")
    assert differences(copy) == [
        "person_part/vgg16_7x7/train.prototxt is missing",
        "person_part/vgg16_7x7/test.prototxt differs",
        "person_part/vgg16_7x7/old.prototxt is not one of the generator's",
    ]
    assert main(["--check", "--out", str(copy)]) == 1
    assert "run `python -m pydeeplab.networks`" in capsys.readouterr().err
    (copy / "person_part" / "vgg16_7x7" / "old.prototxt").unlink()
    assert write_all(copy) == ["person_part/vgg16_7x7/train.prototxt", "person_part/vgg16_7x7/test.prototxt"]
    assert main(["--check", "--out", str(copy)]) == 0
    assert write_all(copy) == []


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "voc12/resnet101_aspp_msc" in capsys.readouterr().out.splitlines()
