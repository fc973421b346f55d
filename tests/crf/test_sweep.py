"""One picture, many bilateral kernels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pydeeplab.crf import CRFParameters, DenseCRF
from pydeeplab.crf.sweep import Sweep
from tests.crf.support import picture
from tests.crf_search.support import FIXED


def test_a_sweep_gives_the_labels_of_separate_runs() -> None:
    image, _, scores = picture(33, 40, seed=5)
    params = CRFParameters(pos_w=(3, 1), pos_xy_std=(3, 9), iterations=3, normalization="symmetric")
    kernels = [((9.0, 4.0), (3.0, 5.0)), ((30.0, 4.0), (5.0,)), ((9.0, 9.0), (1.0, 3.0))]
    seen = []
    for w, xy, rgb, labels in Sweep(params).labels(kernels, image, scores):
        wanted = DenseCRF(replace(params, bi_w=(w,), bi_xy_std=(xy,), bi_rgb_std=(rgb,))).refine(image, scores)
        np.testing.assert_array_equal(labels, wanted.argmax(axis=0))
        seen.append((w, xy, rgb))
    assert seen == [(3, 9, 4), (5, 9, 4), (5, 30, 4), (1, 9, 9), (3, 9, 9)]


def test_lattices_are_built_once_for_all_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydeeplab.crf import mean_field

    built = []
    original = mean_field.PermutohedralLattice
    monkeypatch.setattr(
        mean_field, "PermutohedralLattice", lambda f, **options: built.append(f.shape[1]) or original(f, **options)
    )
    image, _, scores = picture()
    list(Sweep(FIXED).labels([((9.0, 4.0), (1.0, 2.0, 3.0)), ((9.0, 5.0), (1.0, 2.0))], image, scores))
    assert built == [2, 5, 5]
