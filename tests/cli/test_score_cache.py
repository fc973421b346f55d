"""Scores of a net that are kept from run to run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pydeeplab.cli._score_cache import cached_scores
from pydeeplab.data.palette import write_png
from pydeeplab.errors import UsageError
from pydeeplab.evaluation.pictures import Picture
from pydeeplab.evaluation.predictors import NetPredictor
from tests.crf_search.test_command import NET


def unwatched(label: str, done: int, total: int) -> None:
    """Somebody who does not listen."""


@pytest.fixture
def net(tmp_path: Path) -> NetPredictor:
    (tmp_path / "net.prototxt").write_text(NET)
    return NetPredictor({"net": str(tmp_path / "net.prototxt")})


def test_files_of_others_stay(net: NetPredictor, tmp_path: Path) -> None:
    """Only what an earlier run has marked as its own is replaced when the net is another."""
    write_png(tmp_path / "a.png", np.zeros((5, 6, 3), np.uint8))
    pictures = [Picture("a", tmp_path / "truth.png", tmp_path / "a.png")]
    folder = tmp_path / "scores"
    folder.mkdir()
    np.save(folder / "mine.npy", np.ones(3))
    with pytest.raises(UsageError, match=r"such as mine\.npy; they are not replaced"):
        cached_scores(net, pictures, folder, unwatched)
    assert (folder / "mine.npy").is_file()
    files, kind = cached_scores(net, pictures, tmp_path / "other", unwatched)
    assert (np.load(files[0]).shape, kind) == ((3, 5, 6), "logits")
    before = files[0].stat().st_mtime_ns
    cached_scores(net, pictures, tmp_path / "other", unwatched)
    assert files[0].stat().st_mtime_ns == before
    (tmp_path / "net.prototxt").write_text(NET + "# another\n")
    cached_scores(net, [], tmp_path / "other", unwatched)
    assert not files[0].is_file()
