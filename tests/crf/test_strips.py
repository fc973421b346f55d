"""Iterations in strips of pixels compute what gathering at the vertices does."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.crf.gathers import Gathers
from pydeeplab.crf.lattice import NORMALIZATIONS
from pydeeplab.crf.mean_field import MeanField
from pydeeplab.crf.strips import Strips
from tests.crf.support import picture

HEIGHT, WIDTH, CLASSES = 131, 170, 5
SCORES = picture(HEIGHT, WIDTH, CLASSES)[2]


def fields(normalization: str, matrix: np.ndarray | None = None) -> tuple[MeanField, MeanField]:
    """Two equal fields, the second of which gathers."""
    image = np.ascontiguousarray(picture(HEIGHT, WIDTH, CLASSES)[0].transpose(2, 0, 1), np.float32)
    made = []
    for _ in range(2):
        field = MeanField(HEIGHT, WIDTH, CLASSES)
        field.add_term(3, 3, normalization=normalization, compatibility=matrix)
        field.add_term(4, 30, image, np.full(3, 12, np.float32), normalization=normalization)
        made.append(field)
    gather(made[1])
    return made[0], made[1]


def gather(field: MeanField) -> None:
    field._messages = Gathers(field._grid, field._terms)


def beliefs(field: MeanField, steps: int = 3) -> np.ndarray:
    q = np.empty_like(SCORES)
    field.start(SCORES)
    for _ in range(steps):
        field.step()
    field.read(q)
    return q


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_strips_agree_with_gathering(normalization: str) -> None:
    strips, gathers = fields(normalization)
    got, expected = beliefs(strips), beliefs(gathers)
    assert np.abs(expected - beliefs(gathers, 0)).max() > 0.3
    np.testing.assert_allclose(got, expected, atol=2e-6 if normalization == "after" else 5e-5)


def test_compatibilities_weights_and_fewer_terms() -> None:
    strips, gathers = fields("after", np.random.default_rng(1).uniform(0, 1, (CLASSES, CLASSES)))
    for change in ("nothing", "weight", "terms"):
        for field in (strips, gathers):
            if change == "weight":
                field.set_weight(1, 1.5)
            if change == "terms":
                field.remove_terms(1)
        if change == "terms":
            gather(gathers)
        np.testing.assert_allclose(beliefs(strips), beliefs(gathers), atol=2e-6, err_msg=change)


def test_beliefs_can_be_read_at_any_time() -> None:
    strips, gathers = fields("after")
    got, expected = np.empty_like(SCORES), np.empty_like(SCORES)
    strips.start(SCORES)
    gathers.start(SCORES)
    for _ in range(3):
        strips.read(got)
        gathers.read(expected)
        np.testing.assert_allclose(got, expected, atol=2e-6)
        strips.step()
        gathers.step()


def test_the_fields_of_these_tests_have_several_strips() -> None:
    strips, _ = fields("after")
    beliefs(strips, 0)
    assert isinstance(strips._messages, Strips)
    assert len(strips._messages._first) - 1 > 3
