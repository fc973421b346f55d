"""The demo: the project's own weights segment its own scenes, and the CRF helps."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab.cli import main
from pydeeplab.data.synthetic import CLASSES, IGNORE, scene
from tests.support.external import REPOSITORY


def test_scenes_follow_from_their_seed() -> None:
    image, labels = scene(3, 97, 113)
    again, _ = scene(3, 97, 113)
    np.testing.assert_array_equal(image, again)
    assert image.shape == (97, 113, 3)
    assert set(np.unique(labels)) <= {*range(len(CLASSES)), IGNORE}
    assert not np.array_equal(image, scene(4, 97, 113)[0])


def test_the_crf_raises_the_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "-o", str(tmp_path), "--scenes", "1", "--scored", "8", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["net"]["mean_iou"] > 0.5
    assert scores["net and CRF"]["mean_iou"] > scores["net"]["mean_iou"]
    assert Image.open(tmp_path / "demo.png").width > 4 * 321
    assert Image.open(tmp_path / "scene_1_labels.png").mode == "P"


def test_weights_have_their_checksums() -> None:
    folder = REPOSITORY / "weights"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
