"""The demo: scenes, a training from fillers to a page of scores; and the shipped weights, which the CRF improves."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab.cli import main
from pydeeplab.data.images import read_label
from pydeeplab.data.lists import ImageList
from pydeeplab.data.synthetic import CLASSES, IGNORE, scene
from pydeeplab.demo import read_recipe, write_scenes
from pydeeplab.errors import UsageError
from pydeeplab.formats import read_weights
from pydeeplab.proto import read_net
from tests.support.external import REPOSITORY


def test_scenes_follow_from_their_seed() -> None:
    image, labels = scene(3, 97, 113)
    again, _ = scene(3, 97, 113)
    np.testing.assert_array_equal(image, again)
    assert image.shape == (97, 113, 3)
    assert set(np.unique(labels)) <= {*range(len(CLASSES)), IGNORE}
    assert not np.array_equal(image, scene(4, 97, 113)[0])


def test_scenes_hold_all_classes_and_void_borders() -> None:
    labels = np.stack([scene(seed, 161, 161)[1] for seed in range(20)])
    share = np.bincount(labels.ravel(), minlength=256) / labels.size
    assert set(np.flatnonzero(share)) == {*range(len(CLASSES)), IGNORE}
    assert 0.6 < share[0] < 0.9
    assert 0 < share[IGNORE] < 0.1


def test_scene_folders(tmp_path: Path) -> None:
    """Held-out scenes depend on nothing but the seed, and none of them is for training."""
    one = write_scenes(tmp_path / "one", seed=1, training=3, held_out=2)
    write_scenes(tmp_path / "two", seed=1, training=0, held_out=1)
    write_scenes(tmp_path / "other", seed=2, training=0, held_out=1)
    first = "images/val_0000.png"
    assert (tmp_path / "one" / first).read_bytes() == (tmp_path / "two" / first).read_bytes()
    assert (tmp_path / "one" / first).read_bytes() != (tmp_path / "other" / first).read_bytes()
    lists = [ImageList(path, f"{one.path}/", label_is_path=True) for path in (one.training_list, one.held_out_list)]
    assert [len(entries) for entries in lists] == [3, 2]
    pictures = {Path(entry.image).read_bytes() for entries in lists for entry in entries}
    assert len(pictures) == 5
    assert read_label(tmp_path / "one" / "masks" / "val_0001.png").shape == (241, 321)
    with pytest.raises(UsageError, match="cannot draw 1 and 0 scenes"):
        write_scenes(tmp_path / "none", seed=1, training=1, held_out=0)


def test_the_three_nets_have_the_same_layers() -> None:
    texts = [
        (REPOSITORY / "prototxt/tiny/aspp" / f"{kind}.prototxt").read_text() for kind in ("train", "test", "deploy")
    ]
    trunks = [re.search(r'layer { name: "conv1_1"(?:.|\n)*layer { name: "fc8_shapes" .*\n', text) for text in texts]
    assert trunks[0] is not None
    assert len({trunk[0] for trunk in trunks if trunk}) == 1


def test_training_from_fillers_to_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--iterations", "5", "--training-scenes", "6", "--scored", "2", "--scenes", "2", "--seed", "3"]
    assert main(["demo", "-o", str(tmp_path), *options]) == 0
    told = capsys.readouterr()
    assert re.search(r"training 5/5 .* loss \d\.\d+", told.err)
    assert re.search(r"mean IoU \d+\.\d % before the CRF, \d+\.\d % after it", told.out)
    assert f"report: {tmp_path}/report.html" in told.out
    page = (tmp_path / "report.html").read_text()
    assert all(word in page for word in ("held-out scenes, before the CRF", "Mean-field iterations", "trimap width"))
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", page), "the page needs nothing from elsewhere"
    assert all(f'id="{anchor}"' in page for anchor in ("steps", "training", "scores", "trimap", "pictures"))
    capsys.readouterr()
    assert main(["plot", str(tmp_path / "model" / "shapes.log"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["iterations"] == 5
    weights = tmp_path / "model" / "shapes_iter_5.caffemodel"
    assert f"--weights {weights}" in page
    arguments = ["eval", "--list", f"{tmp_path}/data/val.txt", "--root", f"{tmp_path}/data", "--json", "-", "--quiet"]
    assert main([*arguments, "--model", str(tmp_path / "model.json")]) == 0
    scores = json.loads(capsys.readouterr().out)["variants"]
    assert f"mean IoU {100 * scores['net']['mean_iou']:.1f} % before" in told.out


def test_training_follows_from_its_seed(tmp_path: Path) -> None:
    weights = []
    for folder in ("one", "two"):
        options = ["--iterations", "2", "--training-scenes", "4", "--scored", "1", "--scenes", "1", "--json"]
        assert main(["demo", "-o", str(tmp_path / folder), *options]) == 0
        layers = read_weights(tmp_path / folder / "model" / "shapes_iter_2.caffemodel").layers
        weights.append([np.asarray(blob.data).tobytes() for layer in layers for blob in layer.blobs])
    assert len(weights[0]) > 30
    assert weights[0] == weights[1]


def test_wrong_counts_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, message in (
        (["--scenes", "0"], "--scenes must be at least 1"),
        (["--training-scenes", "0"], "--training-scenes must be at least 1"),
        (["--iterations", "0"], "the number of iterations must be at least 1"),
    ):
        assert main(["demo", "-o", str(tmp_path / "out"), *options]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_data_only_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data-only", "--training-scenes", "2", "--scored", "1", "--scenes", "1", "--quiet"]
    assert main(["demo", "-o", str(tmp_path), *options]) == 0
    said = capsys.readouterr().err
    assert f"--define DEMO={tmp_path}" in said
    solver = re.search(r"--solver (\S+)", said)
    assert solver is not None
    assert read_net(Path(solver[1]).with_name("train.prototxt"), defines={"DEMO": str(tmp_path)})
    assert read_recipe(tmp_path, seed=4).param.random_seed == 4


def test_the_crf_raises_the_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "-o", str(tmp_path), "--quick", "--scenes", "1", "--scored", "8", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["net"]["mean_iou"] > 0.5
    assert scores["net and CRF"]["mean_iou"] > scores["net"]["mean_iou"] + 0.03
    assert Image.open(tmp_path / "demo.png").width > 4 * 321
    assert 'id="training"' not in Path(scores["report"]).read_text()


def test_weights_have_their_checksums() -> None:
    folder = REPOSITORY / "weights"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
