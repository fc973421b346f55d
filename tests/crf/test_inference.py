"""Mean field against dense matrices, thread counts, and the errors of the Python front."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.crf import CRFParameters, DenseCRF, refine, scores_from_labels, scores_from_probabilities
from pydeeplab.errors import DataError, UsageError
from pydeeplab.threads import get_num_threads, set_num_threads
from tests.crf.support import exact_kernel, exact_mean_field, normalized, picture, softmax
from tests.support.backends import USABLE

POTTS = CRFParameters(4, 20, 12, 3, 3, iterations=5)


def features(image: np.ndarray, xy_std: float, rgb_std: float | None = None) -> np.ndarray:
    height, width = image.shape[:2]
    y, x = np.divmod(np.arange(height * width), width)
    columns = [x / xy_std, y / xy_std]
    if rgb_std:
        columns += list(image.reshape(height * width, -1).T / rgb_std)
    return np.column_stack(columns)


def exact(image, scores, params, penalties):
    filters = [exact_kernel(features(image, s)) for s in params.pos_xy_std]
    filters += [exact_kernel(features(image, s, c)) for s, c in zip(params.bi_xy_std, params.bi_rgb_std, strict=True)]
    terms = [(normalized(k, params.normalization), p) for k, p in zip(filters, penalties, strict=True)]
    flat = exact_mean_field(scores.reshape(len(scores), -1).astype(float), terms, params.iterations)
    return flat.reshape(scores.shape)


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_near_exact_mean_field(normalization: str) -> None:
    image, labels, scores = picture()
    params = CRFParameters(4, 20, 12, 3, 3, iterations=5, normalization=normalization)
    penalties = [w * (1 - np.eye(4)) for w in (3, 4)]
    q, truth = refine(image, scores, params), exact(image, scores, params, penalties)
    assert np.abs(q - truth).mean() < 0.02
    assert (q.argmax(0) == truth.argmax(0)).mean() > 0.98
    assert (q.argmax(0) == labels).mean() > (scores.argmax(0) == labels).mean() + 0.1


def test_full_compatibility_matrices() -> None:
    image, _, scores = picture()
    random = np.random.default_rng(5)
    given = [random.uniform(0, 1, (4, 4)) for _ in range(2)]
    params = CRFParameters(2, 20, 12, 1.5, 3, iterations=3, compatibility=given)
    q = refine(image, scores, params)
    truth = exact(image, scores, params, [1.5 * given[0], 2 * given[1]])
    assert np.abs(q - truth).mean() < 0.02
    transposed = CRFParameters(2, 20, 12, 1.5, 3, iterations=3, compatibility=[m.T for m in given])
    assert np.abs(q - refine(image, scores, transposed)).max() > 0.05


def test_potts_is_the_matrix_of_ones_without_diagonal() -> None:
    image, _, scores = picture(classes=3)
    matrix = CRFParameters(4, 20, 12, 3, 3, iterations=5, compatibility=1 - np.eye(3))
    np.testing.assert_allclose(refine(image, scores, matrix), refine(image, scores, POTTS), atol=2e-5)


@pytest.mark.parametrize("backend", [name for name in USABLE if name != "reference"])
@pytest.mark.parametrize("classes", [1, 2, 5, 21, 40])
def test_backends_agree(classes: int, backend: str) -> None:
    image, _, _ = picture()
    scores = np.random.default_rng(classes).normal(size=(classes, 24, 31)).astype(np.float32)
    q = refine(image, scores, POTTS, backend=backend)
    expected = refine(image, scores, POTTS, backend="reference")
    assert expected.dtype == np.float64
    assert np.abs(q - expected).mean() < 1e-4  # in double precision a few points lie in other simplices
    np.testing.assert_allclose(q.sum(axis=0), 1, atol=1e-5)


def test_the_number_of_threads_changes_no_bit() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (157, 163, 3), np.uint8)
    image[40:] = image[40:] // 64 * 64
    scores = random.normal(size=(21, 157, 163)).astype(np.float32)
    before, results = get_num_threads(), []
    try:
        for count in (1, 2, 3, 4, 7):
            set_num_threads(count)
            for normalization in ("after", "symmetric"):
                results.append(refine(image, scores, f"w=4,xy=60,rgb=13,iter=3,norm={normalization}"))
    finally:
        set_num_threads(before)
    for after, symmetric in zip(results[2::2], results[3::2], strict=True):
        assert np.array_equal(after, results[0])
        assert np.array_equal(symmetric, results[1])
    assert not np.array_equal(results[0], results[1])


def test_memory_is_reused_without_traces() -> None:
    crf = DenseCRF(POTTS)
    inputs = [picture(24, 31, 4, 1), picture(40, 50, 6, 2), picture(7, 9, 2, 3), picture(24, 31, 4, 1)]
    for image, _, scores in inputs:
        assert np.array_equal(crf.refine(image, scores), refine(image, scores, POTTS))


def test_callback_sees_every_iteration() -> None:
    image, _, scores = picture()
    seen: list[tuple[int, np.ndarray]] = []
    q = refine(image, scores, POTTS, callback=lambda i, beliefs: seen.append((i, beliefs)))
    assert [i for i, _ in seen] == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(seen[0][1], softmax(scores), atol=1e-6)
    assert np.array_equal(seen[5][1], q)
    two = refine(image, scores, CRFParameters(4, 20, 12, 3, 3, iterations=2))
    assert np.array_equal(seen[2][1], two)


def test_no_iterations_or_no_kernels_is_a_softmax() -> None:
    image, _, scores = picture()
    np.testing.assert_allclose(refine(image, scores, "voc12-largefov,iter=0"), softmax(scores), atol=1e-6)
    none = CRFParameters((), (), (), (), ())
    np.testing.assert_allclose(refine(None, scores, none), softmax(scores), atol=1e-6)


def test_channels_of_any_number_and_type() -> None:
    image, _, scores = picture()
    grey = image[:, :, 0]
    assert np.array_equal(refine(grey, scores, POTTS), refine(grey[:, :, None].astype(float), scores, POTTS))
    many = np.concatenate([image, image[:, :, ::-1], image], axis=2)
    assert refine(many, scores, POTTS).shape == scores.shape
    positional = CRFParameters((), (), (), 3, 3, iterations=2)
    assert np.array_equal(refine(None, scores, positional), refine(image, scores, positional))


def test_probabilities_are_scores_by_their_logarithm() -> None:
    image, _, scores = picture()
    p = softmax(scores)
    np.testing.assert_allclose(refine(image, probabilities=p, params=POTTS), refine(image, scores, POTTS), atol=1e-4)
    hard = (p == p.max(axis=0)).astype(np.float32)
    stubborn = refine(image, probabilities=hard, params=POTTS)
    assert np.array_equal(stubborn.argmax(0), hard.argmax(0))
    ready = CRFParameters(4, 20, 12, 3, 3, iterations=5, min_probability=0.1)
    assert (refine(image, probabilities=hard, params=ready).argmax(0) != hard.argmax(0)).any()


def test_crop_takes_the_top_left() -> None:
    image, _, scores = picture()
    padded = np.full((4, 33, 33), 9, np.float32)
    padded[:, :24, :31] = scores
    assert np.array_equal(refine(image, padded, POTTS, crop=True), refine(image, scores, POTTS))


def test_labels_become_scores() -> None:
    labels = np.array([[0, 1, 2], [255, 1, 0]], np.uint8)
    p = softmax(scores_from_labels(labels, 3, 0.7, unknown=255))
    np.testing.assert_allclose(p[:, 0, 2], [0.15, 0.15, 0.7], rtol=1e-5)
    np.testing.assert_allclose(p[:, 1, 0], 1 / 3, rtol=1e-5)
    np.testing.assert_allclose(p[labels[0], 0, range(3)], 0.7, rtol=1e-5)


@pytest.mark.parametrize(
    ("labels", "arguments", "error", "message"),
    [
        ([[0, 3]], {}, DataError, r"label 3 at row 0, column 1 is not in 0\.\.2 \(1 such pixels\).*unknown="),
        ([[-1, 0]], {}, DataError, "label -1 at row 0, column 0"),
        ([0, 1], {}, DataError, r"\(H, W\) array of integers, got int64 of shape \(2,\)"),
        ([[0.5]], {}, DataError, "got float64"),
        ([[0]], {"gt_prob": 0.2}, UsageError, "above 1/3"),
        ([[0]], {"gt_prob": 1.0}, UsageError, "below 1"),
        ([[0]], {"classes": 1}, UsageError, "at least 2 classes"),
    ],
)
def test_bad_labels(labels, arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        scores_from_labels(labels, **{"classes": 3, **arguments})


def test_probabilities_out_of_range() -> None:
    with pytest.raises(DataError, match=r"these go from -2 to 3\. Scores \(logits\)"):
        scores_from_probabilities(np.array([[[-2.0]], [[3.0]]]))


IMAGE, _, SCORES = picture()


@pytest.mark.parametrize(
    ("image", "scores", "message"),
    [
        (IMAGE, SCORES.transpose(1, 2, 0), r"Classes come first: pass scores.transpose\(2, 0, 1\)"),
        (IMAGE, SCORES.transpose(0, 2, 1), r"Rows and columns are exchanged: pass scores.transpose\(0, 2, 1\)"),
        (IMAGE, SCORES.reshape(4, -1), r"Flat maps: pass scores.reshape\(-1, 24, 31\)"),
        (IMAGE, np.zeros((4, 33, 33)), "crop=True takes their top left part"),
        (IMAGE, np.zeros((4, 3, 5)), "Resize the scores to the image first"),
        (IMAGE.transpose(2, 0, 1), SCORES, r"31 channels; .*channels first: pass image.transpose\(1, 2, 0\)"),
        (IMAGE[:, :20].transpose(2, 0, 1), SCORES[:, :, :20], r"channels first: pass image.transpose\(1, 2, 0\)"),
        (IMAGE[0, 0], SCORES, r"the image must have shape \(H, W\) or \(H, W, channels\), got \(3,\)"),
        (IMAGE.astype(str), SCORES, "array of numbers, uint8 as a rule"),
        (IMAGE, SCORES.astype(complex), "scores must be an array of numbers, got type complex"),
        (IMAGE, np.where(np.arange(31) == 7, np.nan, SCORES), r"class 0 at row 0, column 7 is nan \(96 such values\)"),
        (IMAGE, np.where(SCORES > 2, -np.inf, SCORES), "Logarithms of zero are better given as probabilities"),
        (np.zeros((0, 5, 3)), SCORES, r"got \(0, 5, 3\)"),
    ],
)
def test_wrong_arrays_are_explained(image, scores, message) -> None:
    with pytest.raises(DataError, match=message):
        refine(image, scores, POTTS)


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="either scores"):
        refine(IMAGE)
    with pytest.raises(UsageError, match="either scores"):
        refine(IMAGE, SCORES, probabilities=SCORES)
    with pytest.raises(UsageError, match="bilateral kernels need an image"):
        refine(None, SCORES)
    with pytest.raises(UsageError, match=r"one 4 x 4 matrix, or one for each of 2 kernels; got shape \(3, 3\)"):
        refine(IMAGE, SCORES, CRFParameters(compatibility=np.eye(3)))


def test_an_image_in_0_to_1_is_suspicious() -> None:
    with pytest.warns(UserWarning, match="multiply the image by 255"):
        refine(IMAGE / 255.0, SCORES, POTTS)
