"""Dropout and its random numbers."""

from __future__ import annotations

import numpy as np
import pytest

import pydeeplab
from pydeeplab import TEST, TRAIN, Net
from pydeeplab.backend.reference.dropout import philox
from pydeeplab.errors import LayerError
from tests.layers.one_layer import net_text, normal, one_layer, run
from tests.support.gradient import check_gradient

SHAPE = (2, 3, 50, 70)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, 2**64 - 1, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            0x299F31D0A4093822,
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_generator_gives_the_published_numbers(counter: list[int], key: int, expected: list[int]) -> None:
    """The known answers of Random123 (philox4x32 10)."""
    assert [int(w[0]) for w in philox([np.array([c], np.uint64) for c in counter], key)] == expected


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("top", ["y", "x0"])
def test_drops_a_share_and_scales_the_rest(ratio: float, top: str) -> None:
    net = one_layer("Dropout", [SHAPE], f"dropout_param {{ dropout_ratio: {ratio} }}", [top])
    run(net, [np.ones(SHAPE)], {})
    y = net.blobs[top].data
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - ratio)], rtol=1e-6)
    deviation = np.sqrt(ratio * (1 - ratio) / y.size)
    assert abs(np.mean(y == 0) - ratio) < 5 * deviation


def test_gradient_passes_through_the_same_mask() -> None:
    net = one_layer("Dropout", [SHAPE])
    dy = normal(*SHAPE)
    run(net, [np.ones(SHAPE)], {"y": dy})
    np.testing.assert_allclose(net.blobs["x0"].diff, dy * net.blobs["y"].data, rtol=1e-6)


def test_every_pass_has_its_own_mask_and_a_seed_repeats_them() -> None:
    def masks(backend: str) -> list[np.ndarray]:
        pydeeplab.set_random_seed(42)
        net = one_layer("Dropout", [SHAPE], backend=backend)
        found = []
        for _ in range(2):
            run(net, [np.ones(SHAPE)])
            found.append(net.blobs["y"].data.copy())
        return found

    first, second = masks("cpu"), masks("cpu")
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, masks("reference"))
    assert 0.4 < np.mean(first[0] == first[1]) < 0.6


def test_two_layers_have_independent_masks() -> None:
    text = net_text("Dropout", [SHAPE]) + 'layer { name: "M" type: "Dropout" bottom: "x0" top: "z" }'
    net = Net.from_text(text, TRAIN)
    run(net, [np.ones(SHAPE)])
    assert 0.4 < np.mean(net.blobs["y"].data == net.blobs["z"].data) < 0.6


@pytest.mark.parametrize(("phase", "params"), [(TEST, ""), (TRAIN, "dropout_param { dropout_ratio: 0 }")])
@pytest.mark.parametrize("top", ["y", "x0"])
def test_identity(phase: int, params: str, top: str) -> None:
    net = one_layer("Dropout", [SHAPE], params, [top], phase)
    x, dy = normal(*SHAPE), normal(*SHAPE, seed=1)
    run(net, [x], {top: dy})
    np.testing.assert_array_equal(net.blobs[top].data, x)
    np.testing.assert_array_equal(net.blobs["x0"].diff, dy)


def test_sample_weights_test_drops_in_test_too() -> None:
    net = one_layer("Dropout", [SHAPE], "dropout_param { sample_weights_test: true }", phase=TEST)
    run(net, [np.ones(SHAPE)])
    assert 0.45 < np.mean(net.blobs["y"].data == 0) < 0.55


def test_gradient_by_differences() -> None:
    def same_mask_every_time(net: Net) -> None:
        layer = net.layers[1]
        forward = layer.forward

        def first_pass(bottom: object, top: object) -> None:
            layer._passes = 0
            forward(bottom, top)

        layer._seed, layer.forward = 7, first_pass

    check_gradient(net_text("Dropout", [(2, 3, 4)]), freeze=same_mask_every_time)


@pytest.mark.parametrize("ratio", [1.0, -0.1])
def test_ratio_error(ratio: float) -> None:
    with pytest.raises(LayerError, match=r"dropout_ratio must lie in \[0, 1\)"):
        one_layer("Dropout", [(1, 2)], f"dropout_param {{ dropout_ratio: {ratio} }}")
