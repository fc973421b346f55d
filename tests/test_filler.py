"""Fillers: the distributions that FillerParameter describes."""

import numpy as np
import pytest

from pydeeplab.blob import Blob
from pydeeplab.errors import PrototxtError
from pydeeplab.filler import fill
from pydeeplab.proto import caffe_pb2


def filled(shape: tuple[int, ...], **fields: object) -> np.ndarray:
    blob = Blob(shape)
    fill(blob, caffe_pb2.FillerParameter(**fields), np.random.default_rng(0))
    return blob.data


def test_constant_is_the_default_and_zero() -> None:
    assert not filled((3,)).any()
    assert (filled((3,), value=2.5) == 2.5).all()


def test_gaussian() -> None:
    values = filled((100, 1000), type="gaussian", mean=3, std=0.5)
    assert abs(values.mean() - 3) < 0.01
    assert abs(values.std() - 0.5) < 0.01


def test_sparse_gaussian_keeps_that_many_per_output() -> None:
    values = filled((100, 1000), type="gaussian", sparse=10)
    assert abs((values != 0).mean() - 0.1) < 0.01


def test_uniform() -> None:
    values = filled((100, 100), type="uniform", min=-2, max=1)
    assert values.min() >= -2
    assert values.max() <= 1
    assert abs(values.mean() + 0.5) < 0.05


@pytest.mark.parametrize(("norm", "n"), [("FAN_IN", 27), ("FAN_OUT", 144), ("AVERAGE", 85.5)])
def test_msra_and_xavier_scale_with_the_fan(norm: str, n: float) -> None:
    shape = (16, 3, 3, 3)
    kind = caffe_pb2.FillerParameter.VarianceNorm.Value(norm)
    draws = np.concatenate([filled(shape, type="msra", variance_norm=kind).ravel() for _ in range(1)])
    assert abs(draws.std() - np.sqrt(2 / n)) < 0.15 * np.sqrt(2 / n)
    bound = np.sqrt(3 / n)
    xavier = filled(shape, type="xavier", variance_norm=kind)
    assert np.abs(xavier).max() <= bound
    assert np.abs(xavier).max() > 0.95 * bound


def test_positive_unitball_rows_sum_to_one() -> None:
    values = filled((5, 4, 2), type="positive_unitball")
    np.testing.assert_allclose(values.reshape(5, -1).sum(axis=1), 1, rtol=1e-5)
    assert (values >= 0).all()


def test_bilinear_interpolates() -> None:
    kernel = filled((1, 1, 4, 4), type="bilinear")[0, 0]
    np.testing.assert_allclose(kernel, np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25]))


@pytest.mark.parametrize(
    ("shape", "fields", "message"),
    [
        ((3,), {"type": "gausian"}, "Did you mean 'gaussian'"),
        ((3,), {"type": "uniform", "sparse": 3}, "only for type gaussian"),
        ((1, 1, 3, 4), {"type": "bilinear"}, "square"),
    ],
)
def test_errors(shape: tuple[int, ...], fields: dict[str, object], message: str) -> None:
    with pytest.raises(PrototxtError, match=message):
        filled(shape, **fields)
