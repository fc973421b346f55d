"""DomainTransform, DomainTransformForwardOnly and SpatialProduct."""

import numpy as np
import pytest

from pydeeplab.backend import get_backend
from pydeeplab.errors import DataError, LayerError, ShapeError
from tests.layers.nets import net_text, run
from tests.support.gradient import check_gradient
from tests.support.threads import num_threads

RANDOM = np.random.default_rng(4)
FEATURES = RANDOM.standard_normal((2, 3, 7, 6)).astype(np.float32)
EDGES = RANDOM.uniform(0, 1, (2, 1, 7, 6)).astype(np.float32)
SIZES = np.float32([[7, 6], [5, 4]]).reshape(2, 1, 1, 2)


def transform(x=FEATURES, edges=EDGES, sizes=SIZES, param: str = "", kind: str = "DomainTransform") -> np.ndarray:
    net = run(f'type: "{kind}" top: "y" domain_transform_param {{ {param} }}', {"x": x, "g": edges, "s": sizes})
    return net.blobs["y"].data


def test_no_edges_and_a_wide_filter_give_nearly_the_mean() -> None:
    y = transform(
        x=FEATURES[:1].copy(),
        edges=np.zeros((1, 1, 7, 6), np.float32),
        sizes=SIZES[:1].copy(),
        param="spatial_sigma: 5000",
    )
    np.testing.assert_allclose(y[0], np.broadcast_to(y[0].mean(axis=(1, 2), keepdims=True), y[0].shape), atol=5e-2)


def test_a_strong_edge_stops_the_filter() -> None:
    x = np.zeros((1, 1, 4, 8), np.float32)
    x[..., 4:] = 1
    edges = np.zeros_like(x)
    edges[..., 4] = 100
    sizes = np.float32([4, 8]).reshape(1, 1, 1, 2)
    np.testing.assert_allclose(transform(x, edges, sizes), x, atol=1e-6)
    assert np.abs(transform(x, 0 * edges, sizes) - x).max() > 0.3


def test_outside_the_real_size_nothing_changes() -> None:
    y = transform()
    np.testing.assert_array_equal(y[1, :, 5:], FEATURES[1, :, 5:])
    np.testing.assert_array_equal(y[1, :, :, 4:], FEATURES[1, :, :, 4:])
    assert (y[1, :, :5, :4] != FEATURES[1, :, :5, :4]).all()
    inner = transform(FEATURES[1:, :, :5, :4].copy(), EDGES[1:, :, :5, :4].copy(), SIZES[1:].copy())
    np.testing.assert_array_equal(inner[0], y[1, :, :5, :4])


def test_one_row_by_hand() -> None:
    x, g = np.float32([1, 5, 2]).reshape(1, 1, 1, 3), np.float32([0.3, 0.6, 0.1]).reshape(1, 1, 1, 3)
    sigma, ratio = 4 * np.sqrt(3) / np.sqrt(3), 4 / 2
    w = np.exp(-np.sqrt(2) / sigma * (1 + g[0, 0, 0] * ratio))
    a = [1.0, 5 + w[1] * (1 - 5)]
    a.append(2 + w[2] * (a[1] - 2))
    a[1] += w[2] * (a[2] - a[1])
    a[0] += w[1] * (a[1] - a[0])
    y = transform(x, g, np.float32([1, 3]).reshape(1, 1, 1, 2), "num_iter: 1 spatial_sigma: 4 range_sigma: 2")
    np.testing.assert_allclose(y.reshape(-1), a, rtol=1e-5)


def test_forward_only_is_the_same_where_nothing_is_clamped() -> None:
    np.testing.assert_array_equal(transform(kind="DomainTransformForwardOnly"), transform())
    assert (transform(kind="DomainTransformForwardOnly", param="min_weight: 0.9") == transform()).all()
    assert (transform(param="min_weight: 0.99") != transform()).any()


@pytest.mark.parametrize("param", ["", "num_iter: 1 spatial_sigma: 3 range_sigma: 2", "num_iter: 2 range_sigma: 30"])
def test_gradient(param: str) -> None:
    text = net_text(
        f'type: "DomainTransform" top: "y" domain_transform_param {{ {param} }}',
        x=(2, 2, 5, 4),
        g=(2, 1, 5, 4),
        s=(2, 1, 1, 2),
    )
    sizes = np.float32([[5, 4], [3, 4]]).reshape(2, 1, 1, 2)
    edges = RANDOM.uniform(0, 1, (2, 1, 5, 4))
    check_gradient(text, inputs={"g": edges, "s": sizes}, skip=("s",))


@pytest.mark.parametrize("wanted", [[True, False, False], [False, True, False], [False, False, False]])
def test_gradients_that_nobody_wants_are_not_written(wanted: list[bool]) -> None:
    net = run('type: "DomainTransform" top: "y"', {"x": FEATURES, "g": EDGES, "s": SIZES})
    bottoms = [net.blobs[n] for n in "xgs"]
    net.blobs["y"].diff[...] = 1
    for blob in bottoms:
        blob.diff[...] = 77
    net.layers[-1].backward([net.blobs["y"]], wanted, bottoms)
    assert [not (b.diff == 77).all() for b in bottoms] == wanted


def test_gradient_does_not_depend_on_the_number_of_threads() -> None:
    x, dy = (RANDOM.standard_normal((1, 5, 150, 160)).astype(np.float32) for _ in range(2))
    g = RANDOM.uniform(0, 1, (1, 150, 160)).astype(np.float32)
    results = []
    for threads in (1, 2, 3):
        dx, dg = np.empty_like(x), np.empty_like(g)
        with num_threads(threads):
            get_backend("cpu").kernels.domain_transform_backward(
                x, g, np.float32([[150, 160]]), dy, dx, dg, 3, 50, 5, 0
            )
        results.append((dx.tobytes(), dg.tobytes()))
    assert results[0] == results[1] == results[2]


def test_errors() -> None:
    with pytest.raises(DataError, match="item 1 has size 8 x 4, which does not fit into 7 x 6"):
        transform(sizes=np.float32([[7, 6], [8, 4]]).reshape(2, 1, 1, 2))
    with pytest.raises(ShapeError, match="edges N x 1 x H x W"):
        transform(edges=FEATURES)
    with pytest.raises(ShapeError, match="height, width"):
        transform(sizes=SIZES[:1].copy())
    with pytest.raises(LayerError, match="range_sigma must be positive"):
        transform(param="range_sigma: 0")
    with pytest.raises(LayerError, match="num_iter"):
        transform(param="num_iter: 0")


def test_spatial_product() -> None:
    net = run('type: "SpatialProduct" top: "y"', {"x": FEATURES, "m": EDGES})
    np.testing.assert_array_equal(net.blobs["y"].data, FEATURES * EDGES)
    check_gradient(net_text('type: "SpatialProduct" top: "y"', x=(2, 3, 4, 2), m=(2, 1, 4, 2)))
    with pytest.raises(ShapeError, match="N x 1 x H x W"):
        run('type: "SpatialProduct" top: "y"', {"x": FEATURES, "m": FEATURES})
