"""The model camvid-small: its weights fit its net, it says where it comes from, and it segments pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab.cli import main
from pydeeplab.data.images import read_label
from pydeeplab.formats import load_weights
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.networks import find
from pydeeplab.plotting import read_log
from pydeeplab.proto import read_solver
from tests.support.external import repository, shared

MODEL = "camvid-small"
FILE = repository() / "weights" / f"{MODEL}.json"
CLASSES = 11
SKY, ROAD = 0, 3


def street(height: int, width: int) -> np.ndarray:
    """Bright above, dark grey below: the least that a street scene has."""
    image = np.full((height, width, 3), (235, 240, 245), np.int16)
    image[height // 2 :] = (75, 75, 80)
    noise = np.random.default_rng(1).integers(-6, 7, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_every_weight_has_its_place() -> None:
    model = json.loads(FILE.read_text())
    net = Net(find(model["net"]), TEST)
    report = load_weights(net, FILE.parent / model["weights"])
    assert report.missing == []
    assert report.unused == []
    assert all(np.isfinite(blob.data).all() for blobs in net.params.values() for blob in blobs)


def test_it_says_where_it_comes_from() -> None:
    about = json.loads(FILE.read_text())["about"]
    assert {"licence", "data", "shows"} <= set(about)
    assert find(about["solver"]).is_file()
    assert (FILE.parent / about["log"]).is_file()
    assert set(about["mean_iou"]) == {"val", "test"}
    assert all(30 < value < 100 for scores in about["mean_iou"].values() for value in scores.values())


def test_the_log_is_of_the_solver_that_it_names() -> None:
    about = json.loads(FILE.read_text())["about"]
    settings = read_solver(find(about["solver"]), defines={"SEED": 1}).param
    log = read_log(FILE.parent / about["log"])
    assert log.iterations == settings.max_iter
    assert log.net == json.loads(FILE.read_text())["net"]
    assert log.loss[settings.max_iter] < 0.5 < log.loss[0]


@pytest.mark.parametrize("size", [(360, 480), (97, 130)])
def test_segment_finds_it(tmp_path: Path, size: tuple[int, int]) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(street(*size)).save(photo)
    assert main(["segment", "--model", MODEL, str(photo), "-o", str(tmp_path / "out"), "--overlay"]) == 0
    labels = read_label(tmp_path / "out" / "photo.png")
    assert labels.shape == size
    assert labels.max() < CLASSES
    assert (labels[: size[0] // 4] == SKY).mean() > 0.5
    with Image.open(tmp_path / "out" / "photo.png") as written:
        assert written.getpalette()[:3] == [128, 128, 128]


def test_it_scores_what_it_says(tmp_path: Path) -> None:
    """Near its score of the whole set: the first pictures of it are easier or harder."""
    root = shared("data/camvid")
    lines = (root / "test.txt").read_text().splitlines()[::20]
    (tmp_path / "some.txt").write_text("\n".join(lines) + "\n")
    result = tmp_path / "scores.json"
    words = ["eval", "--model", MODEL, "--list", tmp_path / "some.txt", "--root", root, "--json", result, "--quiet"]
    assert main(list(map(str, words))) == 0
    variants = json.loads(result.read_text())["variants"]
    expected = json.loads(FILE.read_text())["about"]["mean_iou"]["test"]
    for variant, scores in variants.items():
        assert 100 * scores["mean_iou"] == pytest.approx(expected[variant], abs=6)
