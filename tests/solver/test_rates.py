"""Learning-rate policies by hand."""

from __future__ import annotations

import math

import pytest

from pydeeplab.errors import PrototxtError, UsageError
from pydeeplab.proto import parse_solver
from pydeeplab.solver import LearningRate


def rate(text: str) -> LearningRate:
    source = parse_solver(text, filename="solver.prototxt")
    return LearningRate(source.param, source.where)


@pytest.mark.parametrize(
    ("text", "iteration", "expected"),
    [
        ('base_lr: 0.5 lr_policy: "fixed"', 1000, 0.5),
        ('base_lr: 0.5 lr_policy: "step" gamma: 0.5 stepsize: 10', 9, 0.5),
        ('base_lr: 0.5 lr_policy: "step" gamma: 0.5 stepsize: 10', 10, 0.25),
        ('base_lr: 0.5 lr_policy: "step" gamma: 0.5 stepsize: 10', 35, 0.0625),
        ('base_lr: 2 lr_policy: "exp" gamma: 0.5', 3, 0.25),
        ('base_lr: 1 lr_policy: "inv" gamma: 0.5 power: 2', 4, 1 / 9),
        ('base_lr: 3 lr_policy: "poly" power: 0.5 max_iter: 100', 0, 3.0),
        ('base_lr: 3 lr_policy: "poly" power: 0.5 max_iter: 100', 75, 1.5),
        ('base_lr: 3 lr_policy: "poly" power: 2 max_iter: 100', 99, 3e-4),
        ('base_lr: 1 lr_policy: "sigmoid" gamma: -1 stepsize: 5', 5, 0.5),
        ('base_lr: 1 lr_policy: "sigmoid" gamma: -1 stepsize: 5', 7, 1 / (1 + math.exp(2))),
    ],
)
def test_policy(text: str, iteration: int, expected: float) -> None:
    assert rate(text).at(iteration) == pytest.approx(expected, rel=1e-6)


def test_deeplab_policy() -> None:
    """The paper's: base 0.001 and power 0.9 over 20000 iterations."""
    lr = rate('base_lr: 0.001 lr_policy: "poly" power: 0.9 max_iter: 20000')
    assert lr.at(10000) == pytest.approx(0.001 * 0.5**0.9, rel=1e-6)
    assert lr.at(19999) == pytest.approx(0.001 * 20000**-0.9, rel=1e-6)


class TestMultistep:
    TEXT = 'base_lr: 1 lr_policy: "multistep" gamma: 0.5 stepvalue: 3 stepvalue: 5'

    def test_every_iteration(self) -> None:
        lr = rate(self.TEXT)
        assert [lr.advance(t) for t in range(7)] == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]
        assert lr.steps == 2

    def test_at_most_one_step_per_call(self) -> None:
        lr = rate(self.TEXT)
        assert [lr.advance(100), lr.advance(100), lr.advance(100)] == [0.5, 0.25, 0.25]

    def test_looking_takes_no_step(self) -> None:
        lr = rate(self.TEXT)
        assert [lr.at(3), lr.at(3), lr.steps] == [0.5, 0.5, 0]


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ('base_lr: 1\nlr_policy: "poli"', r"solver\.prototxt:2:12: unknown lr_policy 'poli'.*Did you mean 'poly'"),
            ('lr_policy: "step" gamma: 0.1', "stepsize above 0, got 0"),
            ('lr_policy: "step" gamma: -1 stepsize: 5', r"solver\.prototxt:1:26: gamma must not be negative"),
            ('lr_policy: "poly" power: 1', "max_iter above 0"),
            ('lr_policy: "multistep" gamma: 1 stepvalue: 5 stepvalue: 3', "stepvalue must rise, got 5, 3"),
        ],
    )
    def test_at_once(self, text: str, says: str) -> None:
        with pytest.raises(PrototxtError, match=says):
            rate(text)

    def test_no_policy(self) -> None:
        with pytest.raises(UsageError, match="no lr_policy"):
            rate("base_lr: 1").at(0)

    def test_poly_beyond_its_end(self) -> None:
        with pytest.raises(UsageError, match="max_iter 10; iteration 11"):
            rate('base_lr: 1 lr_policy: "poly" power: 0.9 max_iter: 10').at(11)
