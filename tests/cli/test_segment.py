"""`pydeeplab segment`: what it writes, prints and returns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab import TEST, Net
from pydeeplab.cli import main
from pydeeplab.cli.segment import find_images, result_names
from pydeeplab.data import read_image, read_label, voc_palette
from pydeeplab.errors import UsageError

NET = (
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
    'layer { name: "score" type: "Convolution" bottom: "data" top: "score" '
    "convolution_param { num_output: 3 kernel_size: 1 } }\n"
)


class Workshop:
    """A net whose classes are blue, green and red, and pictures of known classes."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.net, self.weights, self.out = folder / "net.prototxt", folder / "net.caffemodel", folder / "out"
        self.net.write_text(NET)
        net = Net(self.net, TEST)
        net.params["score"][0].data[...] = np.eye(3, dtype=np.float32)[:, :, None, None]
        net.save(self.weights)
        (folder / "names.txt").write_text("blue 0 0 255\ngreen 0 255 0\nred 255 0 0\n")
        self.photos = folder / "photos"
        self.photos.mkdir()
        random = np.random.default_rng(0)
        self.truth = {}
        for name, size in (("a.png", (20, 31)), ("b.jpg", (25, 16))):
            blocks = random.integers(0, 3, (size[0] // 8 + 1, size[1] // 8 + 1))
            labels = np.kron(blocks, np.ones((8, 8), int))[: size[0], : size[1]]
            image = np.full((*size, 3), 40, np.uint8)
            np.put_along_axis(image, 2 - labels[:, :, None], 220, 2)
            Image.fromarray(image).save(self.photos / name, quality=95)
            self.truth[name.partition(".")[0]] = labels

    def run(self, *arguments: object) -> int:
        net = ["--net", self.net, "--weights", self.weights, "-o", self.out]
        return main([str(a) for a in ("segment", *arguments, *net)])

    def written(self) -> list[str]:
        return sorted(f.name for f in self.out.iterdir())


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_a_folder_of_pictures(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    assert workshop.run(workshop.photos, "--classes", workshop.folder / "names.txt") == 0
    assert workshop.written() == ["a.png", "b.png"]
    np.testing.assert_array_equal(read_label(workshop.out / "a.png"), workshop.truth["a"])
    assert (read_label(workshop.out / "b.png") == workshop.truth["b"]).mean() > 0.97
    with Image.open(workshop.out / "a.png") as written:
        assert written.getpalette()[:9] == [0, 0, 255, 0, 255, 0, 255, 0, 0]
    text = capsys.readouterr().out
    for part in ("a.png", "20 x 31", "b.jpg", "25 x 16", "green", "%"):
        assert part in text


def test_json_overlay_and_probabilities(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    names = workshop.folder / "names.txt"
    options = ("--json", "--overlay", "--probabilities", "--classes", names, "--tile", "16")
    assert workshop.run(workshop.photos / "a.png", *options) == 0
    summary = json.loads(capsys.readouterr().out)
    (item,) = summary["images"]
    assert summary["errors"] == []
    assert (item["height"], item["width"]) == (20, 31)
    assert item["notes"] == ["cut into 2 x 3 tiles of 16 x 16"]
    counts = np.bincount(workshop.truth["a"].ravel(), minlength=3)
    assert {c["label"]: c["pixels"] for c in item["classes"].values()} == dict(enumerate(counts.tolist()))
    assert sum(c["share"] for c in item["classes"].values()) == pytest.approx(1, abs=1e-5)
    assert sorted(Path(f).name for f in item["files"].values()) == workshop.written()
    assert workshop.written() == ["a.png", "a_overlay.png", "a_probabilities.npy"]
    probabilities = np.load(workshop.out / "a_probabilities.npy")
    assert (probabilities.shape, probabilities.dtype) == ((3, 20, 31), np.float16)
    np.testing.assert_array_equal(probabilities.argmax(axis=0), workshop.truth["a"])
    assert read_image(workshop.out / "a_overlay.png").shape[0] > 20


def test_one_broken_picture_does_not_stop_the_others(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    (workshop.photos / "broken.jpg").write_text("no picture")
    assert workshop.run(workshop.photos, "absent.png") == 1
    assert workshop.written() == ["a.png", "b.png"]
    shown = capsys.readouterr()
    assert "broken.jpg' cannot be read" in shown.err
    assert "'absent.png' does not exist" in shown.err
    assert "2 of 4 pictures failed" in shown.err
    assert "b.jpg" in shown.out


def test_weights_of_another_net_are_told_once(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    workshop.net.write_text(NET.replace("score", "other"))
    assert workshop.run(workshop.photos) == 1
    shown = capsys.readouterr().err
    assert shown.count("no loaded file holds the weights") == 1
    assert "pictures failed" not in shown


def test_quiet_says_only_what_is_wrong(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    assert workshop.run(workshop.photos, "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert workshop.run(workshop.photos, "absent.png", "--quiet") == 1
    shown = capsys.readouterr()
    assert (shown.out, "'absent.png' does not exist" in shown.err) == ("", True)


def test_a_picture_after_json_is_a_picture(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    photo = workshop.photos / "a.png"
    before = photo.read_bytes()
    assert workshop.run("--json", photo) == 0
    assert json.loads(capsys.readouterr().out)["images"][0]["image"] == str(photo)
    assert workshop.run(photo, f"--json={photo}") == 2
    assert photo.read_bytes() == before


def test_crf_with_and_without_parameters(workshop: Workshop) -> None:
    assert workshop.run("--crf", workshop.photos / "a.png") == 0
    assert workshop.run(workshop.photos / "a.png", "--crf=w=3,xy=10,rgb=10,iter=2", "--palette", "none") == 0
    with Image.open(workshop.out / "a.png") as written:
        assert written.mode == "L"


def test_a_palette_by_name(workshop: Workshop) -> None:
    assert workshop.run(workshop.photos / "a.png", "--palette", "voc12") == 0
    with Image.open(workshop.out / "a.png") as written:
        assert written.getpalette() == voc_palette().ravel().tolist()


def test_mean_files_and_numbers(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(workshop.folder / "mean.npy", np.array([0, 300, 0], np.float32))
    assert workshop.run(workshop.photos / "a.png", "--mean", workshop.folder / "mean.npy", "--json") == 0
    (item,) = json.loads(capsys.readouterr().out)["images"]
    assert {c["label"] for c in item["classes"].values()} == {0, 2}
    assert workshop.run(workshop.photos / "a.png", "--mean", "a,b,c") == 2
    assert "--mean wants numbers" in capsys.readouterr().err


def test_models_are_described_by_json(workshop: Workshop) -> None:
    model = workshop.folder / "colours.json"
    model.write_text('{"net": "net.prototxt", "weights": "net.caffemodel", "mean": [0, 0, 0]}')
    picture = workshop.photos / "a.png"
    assert main(["segment", str(picture), "--model", str(model), "-o", str(workshop.out)]) == 0
    np.testing.assert_array_equal(read_label(workshop.out / "a.png"), workshop.truth["a"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no picture given"),
        (["{folder}"], "holds no pictures"),
        (["{folder}/*.webp"], "no file matches"),
        (["{photos}/a.png", "--classes", "voc13"], "Did you mean 'voc12'"),
        (["{photos}/a.png", "--palette", "voc13"], "Did you mean 'voc12'"),
        (["{photos}/a.png", "--model", "x"], "--net NET --weights FILE, or --model NAME"),
        (["{photos}/a.png", "--output", "scor"], "scor"),
        (["{photos}/a.png", "--crf=x=4"], "cannot read CRF parameter"),
        (["{photos}/a.png", "--tile", "0"], "tile must be at least 1"),
    ],
)
def test_wrong_usage(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    filled = [a.format(folder=workshop.folder, photos=workshop.photos) for a in arguments]
    assert workshop.run(*filled) == 2
    assert message in capsys.readouterr().err
    assert not workshop.out.exists()


def test_nothing_is_overwritten_that_was_given(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    workshop.out = workshop.photos
    assert workshop.run(workshop.photos / "a.png") == 2
    assert "would be overwritten" in capsys.readouterr().err


def test_a_net_needs_weights(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(workshop.photos), "--net", str(workshop.net)]) == 2
    assert "give --weights FILE" in capsys.readouterr().err


def test_finding_pictures(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", "c[1].png"):
        (tmp_path / name).touch()
    assert [f.name for f in find_images([str(tmp_path)])] == ["a.png", "b.JPG", "c[1].png"]
    assert [f.name for f in find_images([f"{tmp_path}/*.png", str(tmp_path / "a.png")])] == ["a.png", "c[1].png"]
    assert [f.name for f in find_images([str(tmp_path / "c[1].png")])] == ["c[1].png"]


def test_equal_names_are_told_apart() -> None:
    assert result_names([Path("x/a.png"), Path("x/a.jpg"), Path("b.png")]) == ["a.png", "a.jpg", "b"]
    with pytest.raises(UsageError, match=r"x/a\.png and y/a\.png would have the same name"):
        result_names([Path("x/a.png"), Path("y/a.png")])


def test_a_list_names_the_pictures(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    (workshop.folder / "val.txt").write_text("/photos/a.png /masks/a.png\n/photos/b.jpg\n")
    arguments = ("--list", workshop.folder / "val.txt", "--root", workshop.folder)
    assert workshop.run(*arguments, "--quiet") == 0
    assert workshop.written() == ["a.png", "b.png"]
    assert capsys.readouterr().out == ""
    (workshop.out / "a.png").unlink()
    before = (workshop.out / "b.png").stat().st_mtime_ns
    assert workshop.run(*arguments, "--skip-done", "--json") == 0
    assert [Path(item["image"]).name for item in json.loads(capsys.readouterr().out)["images"]] == ["a.png"]
    assert (workshop.out / "b.png").stat().st_mtime_ns == before


def test_a_list_and_pictures_exclude_each_other(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    assert workshop.run("photo.jpg", "--list", "val.txt") == 2
    assert "not both" in capsys.readouterr().err
    assert workshop.run("photo.jpg", "--root", "VOC2012") == 2
    assert "give --list FILE too" in capsys.readouterr().err


def test_tiles_scales_and_mirror_images(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--tile", "17", "--overlap", "exact", "--merge", "centre", "--scales", "1,0.5", "--flip", "--json")
    assert workshop.run(workshop.photos / "a.png", *options) == 0
    (item,) = json.loads(capsys.readouterr().out)["images"]
    assert item["notes"] == [
        "max of scales 1, 0.5, mean with the mirror image",
        "cut into 2 x 4 tiles of 17 x 17",
    ]
    assert (read_label(workshop.out / "a.png") == workshop.truth["a"]).mean() > 0.9
    assert workshop.run(workshop.photos / "a.png", "--overlap", "much") == 2
    assert "--overlap wants a number of pixels, or 'exact'; got 'much'" in capsys.readouterr().err
    assert workshop.run(workshop.photos / "a.png", "--scales", "1,big") == 2
    assert "a scale is a number such as 0.75, got 'big'" in capsys.readouterr().err
