"""Parameters from text and presets."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.crf import PRESETS, CRFParameters
from pydeeplab.errors import UsageError


def test_text_names_every_parameter() -> None:
    params = CRFParameters.parse("w=4,xy=60,rgb=7,pos_w=2,pos_xy=1.5,iter=3,norm=symmetric,min_probability=1e-5")
    assert params == CRFParameters(4, 60, 7, 2, 1.5, 3, "symmetric", min_probability=1e-5)


def test_lists_and_full_names() -> None:
    params = CRFParameters.parse("bi_w=4/2, bi_xy_std=40/10, bi_rgb_std=8/4, pos_w=, pos_xy_std=")
    assert (params.bi_w, params.bi_xy_std, params.bi_rgb_std) == ((4, 2), (40, 10), (8, 4))
    assert params.pos_w == params.pos_xy_std == ()
    assert params.kernels == 2


def test_presets() -> None:
    assert CRFParameters.parse("voc12-largefov") == CRFParameters()
    changed = CRFParameters.parse("voc12-resnet101,iter=1")
    assert changed == dataclasses.replace(PRESETS["voc12-resnet101"], iterations=1)
    assert changed.normalization == "symmetric"


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("best.json").write_text('{"params": "w=5,xy=63,rgb=3,iter=4", "mean_iou": 0.7}')
    assert CRFParameters.parse("best.json") == CRFParameters(5, 63, 3, iterations=4)
    assert CRFParameters.parse(f"{tmp_path}/best.json, iter=1") == CRFParameters(5, 63, 3, iterations=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"best\.json: cannot be read: No such file"),
        ("params", r"best\.json: is no JSON"),
        ("[" * 100_000, r"best\.json: is no JSON"),
        ("[]", r"best\.json: expected a JSON object, got list"),
        ('{"params": 4}', r"best\.json: expected an object with"),
        ('{"params": "best.json"}', r"best\.json: expected an object with"),
        ('{"params": "w=4,xz=3"}', r"best\.json: cannot read CRF parameter 'xz=3'"),
    ],
)
def test_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("best.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        CRFParameters.parse("best.json")


@pytest.mark.parametrize("name", PRESETS)
def test_text_is_read_back(name: str) -> None:
    assert CRFParameters.parse(str(PRESETS[name])) == PRESETS[name]


def test_two_lists_survive_their_text() -> None:
    params = CRFParameters((4, 2), (40, 10), (8, 4), (), (), 7)
    assert CRFParameters.parse(str(params)) == params


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("voc12-largefow", "unknown CRF preset.*Did you mean 'voc12-largefov'"),
        ("wx=3", "cannot read CRF parameter 'wx=3'"),
        ("iterations", "unknown CRF preset 'iterations'"),
        ("w=4,xy", "cannot read CRF parameter 'xy'"),
        ("w=a", "bi_w=a: expected a number"),
        ("iter=1.5", "iterations=1.5: expected a number"),
        ("iter=-1", "0 or more, got -1"),
        ("norm=symetric", "Did you mean 'symmetric'"),
        ("w=4/2", "bi_w has 2, bi_xy_std has 1"),
        ("pos_w=", "pos_w has 0, pos_xy_std has 1"),
        ("xy=0", "bi_xy_std must be positive, got 0"),
        ("w=nan", "bi_w must be finite, got nan"),
        ("rgb=inf", "bi_rgb_std must be positive, got inf"),
        ("min_probability=0", "between 0 and 1"),
    ],
)
def test_wrong_text(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CRFParameters.parse(text)


def test_values_that_are_no_numbers() -> None:
    with pytest.raises(UsageError, match="bi_w must be a number or a list of numbers, got 'four'"):
        CRFParameters("four")  # type: ignore[arg-type]


def test_parameters_with_matrices_compare_and_hash() -> None:
    assert CRFParameters(compatibility=np.eye(2)) == CRFParameters()
    assert len({CRFParameters(compatibility=np.eye(2)), CRFParameters()}) == 1
