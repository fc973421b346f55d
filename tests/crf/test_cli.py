"""`pydeeplab crf` from end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab.cli import main
from pydeeplab.crf import refine
from pydeeplab.data.palette import voc_palette
from pydeeplab.formats.bin_map import read_bin
from pydeeplab.formats.mat import write_mat
from tests.crf.support import picture, softmax

PARAMS = "w=4,xy=20,rgb=12,iter=3"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "scores").mkdir()
    for name, seed in (("one", 1), ("two", 2)):
        image, _, scores = picture(seed=seed)
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.png")
        np.save(tmp_path / "scores" / f"{name}.npy", scores)
    return tmp_path


def run(*arguments: object) -> int:
    return main(["crf", *map(str, arguments)])


def test_a_folder_of_pictures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(
        folder / "images", "--scores", folder / "scores", "-o", folder / "out", "--params", PARAMS,
        "--overlay", "--probabilities", "--json", "--quiet",
    )  # fmt: skip
    assert code == 0
    report = json.loads(capsys.readouterr().out)
    assert [Path(i["labels"]).name for i in report["images"]] == ["one.png", "two.png"]
    assert report["failed"] == 0
    for name, seed in (("one", 1), ("two", 2)):
        image, _, scores = picture(seed=seed)
        q = refine(image, scores, PARAMS)
        with Image.open(folder / "out" / f"{name}.png") as png:
            assert png.mode == "P"
            assert np.array_equal(np.array(png), q.argmax(axis=0))
            assert png.getpalette()[:12] == voc_palette()[:4].ravel().tolist()
        np.testing.assert_array_equal(np.load(folder / "out" / f"{name}.npy"), q)
        with Image.open(folder / "out" / f"{name}_overlay.png") as png:
            assert png.size == (31, 24)
    entry = report["images"][0]
    assert sum(entry["pixels"].values()) == 24 * 31
    assert 0 < entry["changed"] < 1


@pytest.mark.parametrize("count", [1, 2], ids=["one picture", "one of two"])
def test_a_picture_too_large_for_the_memory_is_named_before_it_is_tried(
    folder: Path, count: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image, _, scores = picture(960, 1240)
    Image.fromarray(image).save(folder / "images" / "one.png")
    np.save(folder / "scores" / "one.npy", scores)
    images = [folder / "images" / f"{name}.png" for name in ("one", "two")[:count]]
    monkeypatch.setattr("pydeeplab.crf.room.available_bytes", lambda: 2**27)
    assert run(*images, "--scores", folder / "scores", "-o", folder / "out", "--params", PARAMS, "--quiet") == 1
    said = capsys.readouterr().err
    assert re.search(r"one\.png with .*one\.npy: .* 960 x 1240 pixels of 4 classes take 0\.\d GiB, 0\.1 GiB", said)
    assert [path.name for path in (folder / "out").iterdir()] == ["two.png"] * (count - 1)


@pytest.mark.parametrize("form", ["npz", "mat", "padded", "probabilities", "energies"])
def test_forms_of_scores(folder: Path, form: str) -> None:
    image, _, scores = picture(seed=1)
    extra: list[str] = []
    file = folder / f"scores.{form if form in ('npz', 'mat') else 'npy'}"
    if form == "npz":
        np.savez(file, other=np.zeros(3), fc8=scores[None])
        extra = ["--key", "fc8"]
    elif form in ("mat", "padded"):
        padded = np.zeros((1, 4, 40, 40), np.float32)
        padded[0, :, :24, :31] = scores
        if form == "mat":
            write_mat(file, padded)
        else:
            np.save(file, padded)
    else:
        np.save(file, softmax(scores) if form == "probabilities" else -scores)
        extra = ["--scores-are", form]
    image_file = folder / "images" / "one.png"
    assert run(image_file, "--scores", file, "-o", folder / "out", "--params", PARAMS, "--quiet", *extra) == 0
    labels = np.array(Image.open(folder / "out" / "one.png"))
    assert np.array_equal(labels, refine(image, scores, PARAMS).argmax(axis=0))


def test_mat_files_named_by_matwrite_are_found(folder: Path) -> None:
    (folder / "features").mkdir()
    for name, seed in (("one", 1), ("two", 2)):
        write_mat(folder / "features" / f"{name}_blob_0.mat", picture(seed=seed)[2][None])
    assert run(folder / "images", "--scores", folder / "features", "-o", folder / "out", "--quiet") == 0
    assert (folder / "out" / "two.png").exists()


def test_labels_with_unknown_pixels(folder: Path) -> None:
    _, labels, _ = picture(seed=1)
    rough = np.where(np.random.default_rng(0).random(labels.shape) < 0.4, 255, labels).astype(np.uint8)
    Image.fromarray(rough).save(folder / "rough.png")
    image = folder / "images" / "one.png"
    code = run(
        image, "--labels", folder / "rough.png", "--gt-prob", 0.8, "-o", folder / "out", "--params", PARAMS, "--quiet"
    )
    assert code == 0
    got = np.array(Image.open(folder / "out" / "one.png"))
    assert (got == labels).mean() > 0.95


def test_iterations_and_threads(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = (folder / "images" / "one.png", "--scores", folder / "scores", "-o", folder / "out", "--json", "--quiet")
    assert run(*base, "--iterations", 0, "--threads", 2, "--normalization", "symmetric") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["params"].endswith("iter=0,norm=symmetric")
    assert report["images"][0]["changed"] == 0


def test_settings_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list-params") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "w=4,xy=121,rgb=5,pos_w=3,pos_xy=3,iter=10,norm=after" in next(x for x in lines if "voc12-largefov " in x)


def failure(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = run(*arguments)
    return code, capsys.readouterr().err


def test_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, scores, out = folder / "images", folder / "scores", folder / "out"
    code, message = failure(capsys, images, "-o", out)
    assert (code, "give IMAGE... or --list FILE, --scores or --labels" in message) == (2, True)
    code, message = failure(capsys, images, "--scores", scores / "one.npy", "-o", out)
    assert (code, "one file, but there are 2 images" in message) == (2, True)
    (scores / "two.npy").unlink()
    code, message = failure(capsys, images, "--scores", scores, "-o", out)
    assert (code, "no score maps for 1 of 2 images, first two.png (looked for two.npy" in message) == (2, True)
    code, message = failure(capsys, folder / "nowhere", "--scores", scores, "-o", out)
    assert (code, "does not exist" in message) == (2, True)
    code, message = failure(capsys, images, images / "one.png", "--scores", scores, "-o", out)
    assert (code, "would be written to the same file" in message) == (2, True)
    assert not out.exists()


def test_one_bad_picture_does_not_stop_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(folder / "scores" / "one.npy", np.zeros((4, 10, 10), np.float32))
    code, message = failure(capsys, folder / "images", "--scores", folder / "scores", "-o", folder / "out", "--quiet")
    assert code == 1
    assert "one.png" in message
    assert "Resize the scores to the image first" in message
    assert (folder / "out" / "two.png").exists()
    assert not (folder / "out" / "one.png").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"nothing", "cannot be read as .npy"),
        ("x.txt", b"1 2 3", "unknown ending '.txt'"),
        ("x.mat", b"nothing", "cannot be read as a .mat file"),
        ("x.npz", b"nothing", "cannot be read as .npz"),
    ],
)
def test_damaged_scores(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)
    code, text = failure(capsys, folder / "images" / "one.png", "--scores", folder / name, "-o", folder / "out")
    assert code == 1
    assert message in text


def test_an_npz_of_several_arrays_needs_a_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(folder / "x.npz", a=np.zeros(1), b=np.zeros(1))
    arguments = (folder / "images" / "one.png", "--scores", folder / "x.npz", "-o", folder / "out")
    code, text = failure(capsys, *arguments)
    assert (code, "holds a, b; say which array" in text) == (1, True)
    code, text = failure(capsys, *arguments, "--key", "c")
    assert (code, "has no array 'c', only a, b" in text) == (1, True)
    code, text = failure(capsys, *arguments, "--key", "a")
    assert (code, "score maps have shape (C, H, W)" in text) == (1, True)


def test_a_list_of_pictures_and_bin_files(folder: Path) -> None:
    (folder / "val.txt").write_text("/images/one.png /masks/one.png\n/images/two.png\n")
    code = run(
        "--list", folder / "val.txt", "--root", folder, "--scores", folder / "scores", "-o", folder / "out",
        "--bin", folder / "bin", "--params", PARAMS, "--quiet",
    )  # fmt: skip
    assert code == 0
    for name in ("one", "two"):
        with Image.open(folder / "out" / f"{name}.png") as png:
            assert np.array_equal(np.array(png), read_bin(folder / "bin" / f"{name}.bin"))
