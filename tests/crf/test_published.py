"""Krähenbühl's example picture: our beliefs and those of pydensecrf."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.crf import CRFParameters, refine, scores_from_labels
from pydeeplab.data.images import read_image
from tests.support.external import shared

NAMES = {"symmetric": "sym", "none": "nonorm", "before": "before", "after": "after"}


@pytest.mark.parametrize("normalization", NAMES)
def test_beliefs_of_pydensecrf(normalization: str) -> None:
    recorded = np.load(shared("data/crf/ref_pydensecrf/im1.npz"))
    image = read_image(shared("data/crf/pydensecrf/examples/im1.png"))
    scores = -recorded["unary"].reshape(2, *image.shape[:2])
    beliefs: dict[int, np.ndarray] = {}
    params = CRFParameters(10, 80, 13, 3, 3, 5, normalization)
    refine(image, scores, params, callback=lambda i, q: beliefs.__setitem__(i, q))
    for iteration in (0, 1, 2, 5):
        key = f"Q_{NAMES[normalization]}_iter{iteration}"
        if key in recorded:
            expected = recorded[key].reshape(scores.shape)
            assert np.abs(beliefs[iteration] - expected).max() <= 1e-5, key


def test_labels_and_unknown_pixels_make_the_recorded_energies() -> None:
    recorded = np.load(shared("data/crf/ref_pydensecrf/im1.npz"))
    annotation = read_image(shared("data/crf/pydensecrf/examples/anno1.png")).astype(np.uint32)
    packed = annotation[..., 0] + (annotation[..., 1] << 8) + (annotation[..., 2] << 16)
    colours, labels = np.unique(packed, return_inverse=True)
    assert set(recorded["colors"]) <= set(colours.tolist())
    labels = np.where(packed == 0, 255, labels.reshape(packed.shape) - 1)
    energies = -scores_from_labels(labels, 2, 0.7, unknown=255).reshape(2, -1)
    np.testing.assert_allclose(energies, recorded["unary"], atol=1e-5)
