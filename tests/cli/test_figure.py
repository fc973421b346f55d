"""`pydeeplab figure`: from folders or a net to files, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab import TEST, Net
from pydeeplab.cli import main
from pydeeplab.data.palette import write_label_png, write_png
from pydeeplab.data.synthetic import scene

NET = (
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
    'layer { name: "a" type: "Convolution" bottom: "data" top: "a" '
    'convolution_param { num_output: 6 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "msra" } } }\n'
    'layer { name: "score" type: "Convolution" bottom: "a" top: "score" '
    'convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "msra" } } }\n'
)


class Studio:
    """A data set of four scenes, two results, and a small net."""

    def __init__(self, folder: Path):
        self.folder, self.out = folder, folder / "out"
        self.net, self.weights = folder / "net.prototxt", folder / "net.caffemodel"
        self.net.write_text(NET)
        Net(self.net, TEST).save(self.weights)
        for name in ("images", "truth", "rough", "fine"):
            (folder / name).mkdir()
        for index in range(4):
            image, truth = scene(index, 60, 80)
            write_png(folder / "images" / f"s{index}.png", image)
            write_label_png(folder / "truth" / f"s{index}.png", truth)
            clean = np.where(truth == 255, 0, truth)
            write_label_png(folder / "fine" / f"s{index}.png", clean)
            write_label_png(folder / "rough" / f"s{index}.png", np.roll(clean, 3, axis=1))
        (folder / "classes.txt").write_text("background\ndisc\nsquare\ntriangle\nstar\nbar\n")

    @property
    def results(self) -> list[str]:
        folder = self.folder
        return [
            *("--truth", str(folder / "truth"), "--images", str(folder / "images")),
            *("--predicted", f"rough={folder / 'rough'}", "--predicted", f"fine={folder / 'fine'}"),
            *("--classes", str(folder / "classes.txt")),
        ]

    @property
    def network(self) -> list[str]:
        return ["--net", str(self.net), "--weights", str(self.weights)]

    def run(self, *arguments: object) -> int:
        return main([str(a) for a in ("figure", *arguments, "-o", self.out, "--resolution", "1", "--quiet")])

    def written(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def test_results_in_folders(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    assert studio.run("trimap", "panels", "failures", *studio.results, "--trimap-widths", "4", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [figure["name"] for figure in document["figures"]] == ["trimap", "panels", "failures"]
    kinds = ("csv", "png", "svg")
    assert studio.written() == sorted(
        ["index.html", *(f"{n}.{k}" for n in ("trimap", "panels", "failures") for k in kinds)]
    )
    assert "rough" in document["figures"][1]["caption"]
    page = (studio.out / "index.html").read_text()
    assert page.count("<svg") == 3


def test_a_net_before_and_after_its_crf(studio: Studio) -> None:
    data = ["--truth", studio.folder / "truth", "--images", studio.folder / "images"]
    crf = "--crf=w=3,xy=10,rgb=10,iter=2"
    assert studio.run("panels", "mean-field", "aspp", "atrous", *data, *studio.network, crf, "--formats", "png") == 0
    assert studio.written() == ["aspp.png", "atrous.png", "index.html", "mean-field.png", "panels.csv", "panels.png"]
    page = (studio.out / "index.html").read_text()
    assert "Net: " in page
    assert "iter=2" in page
    assert "iteration 5" not in page


def test_all_draws_what_it_can(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["all", "--net", studio.net, "--image", studio.folder / "images" / "s1.png", "-o", studio.out]
    assert main(["figure", *map(str, arguments), "--resolution", "1", "--formats", "svg"]) == 0
    assert studio.written() == ["aspp.svg", "atrous-1d.svg", "atrous.svg", "index.html", "taps.svg"]
    left_out = capsys.readouterr().err
    for name in ("trimap", "panels", "failures", "mean-field"):
        assert f"{name}: left out, there " in left_out


def test_one_result_has_no_failures(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    one = studio.results[:6] + studio.results[8:]
    arguments = ["all", *one, "-o", str(studio.out), "--resolution", "1", "--formats", "png"]
    assert main(["figure", *arguments]) == 0
    assert "failures.png" not in studio.written()
    assert "panels.png" in studio.written()
    assert "failures: left out, there is only one result" in capsys.readouterr().err


def test_a_named_class(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    image = studio.folder / "images" / "s2.png"
    given = [
        "mean-field",
        "--image",
        image,
        *studio.network,
        "--crf=iter=1",
        "--classes",
        studio.folder / "classes.txt",
    ]
    assert studio.run(*given, "--class", "star") == 0
    assert "class star" in (studio.out / "index.html").read_text()
    assert studio.run(*given, "--class", "4") == 0
    assert studio.run(*given, "--class", "stars") == 2
    assert "no class 'stars'. Did you mean 'star'?" in capsys.readouterr().err


def test_small_pngs_have_a_palette(studio: Studio) -> None:
    assert studio.run("taps", "--net", studio.net, "--small") == 0
    with Image.open(studio.out / "taps.png") as picture:
        assert picture.mode == "P"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trimap"], "say where the truth is"),
        (["mean-field"], "there is no net with a CRF"),
        (["atrous"], "there is no picture: name one with --image"),
        (["aspp"], "there is no picture"),
        (["atrous-1d", "--rate", "1"], "both extractions are the same"),
        (["panels", "--scenes", "2", "--truth", "x"], "--scenes are pictures of their own"),
        (["taps", "--count", "0"], "--count must be at least 1, got 0"),
        (["taps", "--width", "9"], "--width must be at least 40, got 9"),
        (["taps", "--formats", "png,pdf"], "--formats wants png, svg or both, got 'pdf'"),
        (["taps", "--iterations", "1,x"], "--iterations wants numbers"),
    ],
)
def test_what_makes_no_sense(
    studio: Studio, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert studio.run(*arguments) == 2
    assert message in capsys.readouterr().err
    assert not studio.out.exists()


def test_a_missing_result_is_told(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    (studio.folder / "rough" / "s1.png").unlink()
    assert studio.run("panels", "trimap", *studio.results, "--json") == 1
    said = capsys.readouterr()
    assert said.err.count("not scored: s1: label") == 1
    assert "1 picture could not be scored" in (studio.out / "index.html").read_text()
    assert list(json.loads(said.out)["not_scored"]) == ["s1"]


def test_a_figure_that_cannot_be_drawn_stops_no_other(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = studio.folder / "damaged.png"
    damaged.write_bytes(b"no picture")
    assert studio.run("atrous", "trimap", *studio.results, "--image", damaged, "--json") == 1
    said = capsys.readouterr()
    assert "not drawn: atrous: " in said.err
    document = json.loads(said.out)
    assert list(document["not_drawn"]) == ["atrous"]
    assert [figure["name"] for figure in document["figures"]] == ["trimap"]
    assert "trimap.png" in studio.written()
    assert "atrous.png" not in studio.written()


def test_no_figure_can_be_drawn(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = studio.folder / "damaged.png"
    damaged.write_bytes(b"no picture")
    assert studio.run("atrous", "aspp", "--image", damaged) == 1
    assert "no figure could be drawn" in capsys.readouterr().err
    assert not studio.out.exists()


def test_no_picture_can_be_scored(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (studio.folder / "rough").iterdir():
        path.unlink()
    assert studio.run("panels", *studio.results) == 1
    assert "no picture could be scored" in capsys.readouterr().err


def test_scenes_of_our_own(studio: Studio) -> None:
    assert studio.run("panels", "--scenes", "2", "--count", "1", "--formats", "png") == 0
    assert studio.written() == ["index.html", "panels.csv", "panels.png"]
