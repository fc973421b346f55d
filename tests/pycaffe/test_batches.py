"""forward_all and forward_backward_all: any number of items through a net of fixed batch size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

NET = """
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 dim: 1 } } }
layer { name: "square" type: "Power" bottom: "x" top: "squared" power_param { power: 2 } }
layer { name: "double" type: "Power" bottom: "squared" top: "result" power_param { scale: 2 } }
"""


@pytest.fixture
def net(caffe: Any, tmp_path: Path) -> Any:
    (tmp_path / "net.prototxt").write_text(NET)
    return caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)


def items(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, 2, 1)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7])
def test_forward_all(net: Any, count: int) -> None:
    x = items(count)
    outputs = net.forward_all(blobs=["squared"], x=x)
    assert set(outputs) == {"result", "squared"}
    np.testing.assert_allclose(outputs["result"], 2 * x**2, rtol=1e-5)
    np.testing.assert_allclose(outputs["squared"], x**2, rtol=1e-5)
    net.forward(x=np.zeros((3, 2, 1)))
    assert outputs["result"].any()


@pytest.mark.parametrize("count", [2, 3, 7])
def test_forward_backward_all(net: Any, count: int) -> None:
    x, gradient = items(count), items(count + 100)[:count]
    outputs, gradients = net.forward_backward_all(blobs=["squared"], diffs=["squared"], x=x, result=gradient)
    assert set(outputs) == {"result", "squared"}
    assert set(gradients) == {"x", "squared"}
    np.testing.assert_allclose(outputs["result"], 2 * x**2, rtol=1e-5)
    np.testing.assert_allclose(gradients["squared"], 2 * gradient, rtol=1e-5)
    np.testing.assert_allclose(gradients["x"], 4 * x * gradient, rtol=1e-4, atol=1e-6)


def test_batches_are_filled_up_with_zeros(net: Any) -> None:
    batches = list(net._batch({"x": items(4), "y": np.arange(4)}))
    assert [b["x"].shape for b in batches] == [(3, 2, 1), (3, 2, 1)]
    np.testing.assert_array_equal(batches[1]["x"][0], items(4)[3])
    assert not batches[1]["x"][1:].any()
    np.testing.assert_array_equal(batches[1]["y"], [3, 0, 0])


def test_a_scalar_gives_one_value_per_batch(caffe: Any, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        NET + 'layer { name: "sum" type: "Reduction" bottom: "result" top: "sum" loss_weight: 1 }'
    )
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    sums = net.forward_all(x=np.ones((4, 2, 1)))["sum"]
    np.testing.assert_allclose(sums, [12, 4])


def test_wrong_calls(net: Any) -> None:
    with pytest.raises(Exception, match="Input blob arguments do not match net inputs"):
        net.forward_all(y=items(2))
    with pytest.raises(Exception, match="Input blob arguments do not match net inputs"):
        net.forward_backward_all(y=items(2))
    with pytest.raises(Exception, match="name=array"):
        net.forward_all()
    with pytest.raises(Exception, match="same number of items"):
        list(net._batch({"x": items(2), "y": items(3)}))
