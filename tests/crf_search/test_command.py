"""`pydeeplab crf-search`, and what takes its results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab import TEST, Net
from pydeeplab.cli import main
from pydeeplab.crf import CRFParameters, DenseCRF
from pydeeplab.data import read_image, read_label, write_label_png
from pydeeplab.figures.crf_search import search_figure
from pydeeplab.figures.figure import write_figure
from tests.crf_search.support import FIXED, write_samples

NET = (
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
    'layer { name: "score" type: "Convolution" bottom: "data" top: "score" '
    "convolution_param { num_output: 3 kernel_size: 1 } }\n"
)
PLANTED = (4.0, 8.0, 8.0)
GRID = ["--w1", "2,4", "--sigma-alpha", "8:8:16", "--sigma-beta", "4,8", "--rounds", "0", "--iterations", "4"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pictures with scores, truth and a list."""
    (tmp_path / "scores").mkdir()
    samples = write_samples(tmp_path, PLANTED, 6)
    for sample in samples:
        shutil.move(sample.scores, tmp_path / "scores" / sample.scores.name)
    (tmp_path / "list.txt").write_text("".join(f"/{s.image.name} /{s.truth.name}\n" for s in samples))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*options: str, images: int = 3) -> int:
    command = ["crf-search", "--list", "list.txt", "--root", ".", "--images", str(images), "--jobs", "1", *GRID]
    return main([*command, "--classes", "4", *options])


def from_files(*options: str, **others: int) -> int:
    return run("--scores", "scores", *options, **others)


def best(path: str = "crf_search/best.json") -> dict:
    return json.loads(Path(path).read_text())


def test_it_finds_what_was_planted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert from_files() == 0
    out = capsys.readouterr().out
    assert " 4            8           8    100.00" in out
    assert "best: --crf=crf_search/best.json, that is w=4,xy=8,rgb=8,pos_w=3,pos_xy=3,iter=4,norm=after" in out
    found = best()
    assert (found["best"]["w"], found["best"]["xy"], found["best"]["rgb"], found["best"]["mean_iou"]) == (*PLANTED, 1)
    assert len(found["points"]) == len(Path("crf_search/search.csv").read_text().splitlines()) - 1
    with Image.open("crf_search/search.png") as picture:
        assert min(picture.size) > 200
    assert Path("crf_search/search.svg").read_text().startswith("<svg")
    assert CRFParameters.parse("crf_search/best.json") == CRFParameters(*PLANTED, iterations=4)


def test_what_it_prints_can_be_typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert from_files("-o", "my search") == 0
    out = capsys.readouterr().out
    assert "best: --crf='my search/best.json', that is" in out
    assert "wrote my search/search.png\n" in out


def test_seeds_decide(folder: Path) -> None:
    drawn = []
    for seed, out in ((1, "a"), (1, "b"), (2, "c")):
        assert from_files("--seed", str(seed), "-o", out, "--quiet") == 0
        drawn.append(best(f"{out}/best.json"))
    assert drawn[0] == drawn[1]
    assert drawn[0]["pictures"] != drawn[2]["pictures"]
    assert len(drawn[0]["pictures"]) == 3
    assert from_files("--seed", "3", "-o", "d", "--quiet", images=100) == 0
    assert best("d/best.json")["pictures"] == [f"p{i}" for i in range(6)]


def test_names_of_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert from_files("--json", "one.json", "--quiet") == 0
    assert Path("one.json").read_text() == Path("one/best.json").read_text()
    assert from_files("--json", "-", "-o", "two") == 0
    assert json.loads(capsys.readouterr().out) == best("two/best.json")


def test_an_earlier_search(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert from_files() == 0
    first = Path("crf_search/best.json").read_text()
    assert from_files() == 0
    assert Path("crf_search/best.json").read_text() == first
    assert from_files("--seed", "1") == 2
    assert "belongs to another search: it differs in pictures" in capsys.readouterr().err
    assert from_files("--seed", "1", "--restart") == 0
    assert best()["pictures"] != json.loads(first)["pictures"]


def test_pictures_that_cannot_be_used(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_label_png(folder / "p2_truth.png", np.zeros((2, 2), np.uint8))
    assert from_files(images=6) == 1
    assert "not used: p2: label map" in capsys.readouterr().err
    assert len(best()["pictures"]) == 5
    (folder / "scores" / "p1.npy").unlink()
    assert from_files("--restart", images=6) == 2
    assert "no score maps for 1 of 6 images, first p1.png" in capsys.readouterr().err


def test_pictures_of_one_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "list.txt").write_text("/a/p0.png /p0_truth.png\n/b/p0.png /p0_truth.png\n")
    assert from_files() == 2
    assert "their score maps cannot be told apart" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say where the scores come from"),
        (["--scores", "scores", "--net", "n.prototxt"], "say where the scores come from"),
        (["--scores", "scores", "--rounds", "-1"], "--rounds must be at least 0"),
        (["--scores", "scores", "--jobs", "0"], "--jobs must be at least 1"),
        (["--scores", "scores", "--w1", "x"], "--w1 wants positive numbers"),
        (["--scores", "scores", "--params", "w=4,xz=1"], "cannot read CRF parameter 'xz=1'"),
        (["--scores", "scores", "--scheduler", "tcp://x:1", "--runner", "futures"], "a scheduler goes with the engine"),
    ],
)
def test_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    assert run(*options) == 2
    assert message in capsys.readouterr().err


# Scores of a net -----------------------------------------------------------------------------------------------------


def write_net(folder: Path, seed: int) -> None:
    (folder / "net.prototxt").write_text(NET)
    net = Net(folder / "net.prototxt", TEST)
    random = np.random.default_rng(seed)
    net.params["score"][0].data[...] = random.normal(0, 0.02, net.params["score"][0].data.shape)
    net.save(folder / "w.caffemodel")


def from_net(*options: str) -> int:
    command = ["crf-search", "--list", "list.txt", "--root", ".", "--images", "3", "--jobs", "1", *GRID]
    return main([*command, "--net", "net.prototxt", "--weights", "w.caffemodel", "--classes", "4", *options])


def test_scores_of_a_net_are_computed_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_net(folder, 0)
    for index in range(6):
        write_label_png(folder / f"p{index}_truth.png", read_label(folder / f"p{index}_truth.png") % 3)
    assert from_net("--quiet") == 0
    files = sorted(Path("crf_search/scores").glob("*.npy"))
    assert [f.stem for f in files] == best()["pictures"]
    name, params = files[0].stem, CRFParameters.parse("crf_search/best.json")
    wanted = DenseCRF(params).refine(read_image(f"{name}.png"), np.load(files[0])).argmax(axis=0)
    assert (
        main(
            [
                "segment",
                f"{name}.png",
                "--net",
                "net.prototxt",
                "--weights",
                "w.caffemodel",
                "--crf=crf_search/best.json",
            ]
        )
        == 0
    )
    np.testing.assert_array_equal(read_label(f"segmented/{name}.png"), wanted)
    times = [f.stat().st_mtime_ns for f in files]
    assert from_net("--quiet") == 0
    assert [f.stat().st_mtime_ns for f in files] == times
    write_net(folder, 1)
    assert from_net("--quiet") == 2
    assert "(they were changed since)" in capsys.readouterr().err
    assert [f.stat().st_mtime_ns for f in files] != times
    assert from_net("--quiet", "--restart") == 0


# What takes the results ----------------------------------------------------------------------------------------------


def test_crf_and_eval_take_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert from_files("--quiet", images=6) == 0
    command = ["crf", "--list", "list.txt", "--root", ".", "--scores", "scores", "--params", "crf_search/best.json"]
    assert main([*command, "-o", "refined", "--quiet"]) == 0
    for index in range(6):
        np.testing.assert_array_equal(read_label(f"refined/p{index}.png"), read_label(f"p{index}_truth.png"))
    write_net(folder, 0)
    capsys.readouterr()
    command = [
        "eval",
        "--list",
        "list.txt",
        "--root",
        ".",
        "--net",
        "net.prototxt",
        "--weights",
        "w.caffemodel",
        "--limit",
        "1",
    ]
    for index in range(6):
        write_label_png(folder / f"p{index}_truth.png", read_label(folder / f"p{index}_truth.png") % 3)
    assert main([*command, "--limit", "1", "--crf=crf_search/best.json", "--json", "-", "--quiet"]) == 0
    assert list(json.loads(capsys.readouterr().out)["variants"]) == ["net", "net and CRF"]


def test_figure_of_a_search(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    scores = {(w, xy, rgb): random.random() for w in (3.0, 4.5) for xy in (30.0, 40.0) for rgb in (3.0, 4.0, 5.0)}
    scores[4.5, 35.0, 4.0] = 1.0
    figure = search_figure(scores, (4.5, 35.0, 4.0), 0.5, 7)
    assert "of 7 pictures" in figure.caption
    assert "w1 4.5, sigma_alpha 35, sigma_beta 4 with 100.00" in figure.caption
    names = [f.name for f in write_figure(figure, tmp_path)]
    assert names == ["search.png", "search.svg", "search.csv"]
    svg = (tmp_path / "search.svg").read_text()
    for value in scores.values():
        assert f">{100 * value:.2f}<" in svg
    assert "w1 = 4.5" in svg
    assert search_figure({(3.0, 4.0, 5.0): 0.5}, (3.0, 4.0, 5.0), 0.5, 1).picture.width > 0


def test_defaults_are_the_papers(folder: Path) -> None:
    assert FIXED.pos_w == FIXED.pos_xy_std == (3.0,)
    arguments = [
        "crf-search",
        "--list",
        "list.txt",
        "--root",
        ".",
        "--scores",
        "scores",
        "--classes",
        "4",
        "--jobs",
        "1",
    ]
    assert main([*arguments, "--images", "1", "--rounds", "0", "--quiet"]) == 0
    found = best()
    assert found["asked"]["grid"] == {"w": [3, 4, 5, 6], "xy": list(range(30, 101, 10)), "rgb": [3, 4, 5, 6]}
    assert found["asked"]["seed"] == 10
    assert "pos_w=3,pos_xy=3,iter=10,norm=after" in found["params"]
    assert len(found["points"]) >= 128
