"""UniqueLabel, BiasChannel, AdaptiveBiasChannel and the label maps of DeepLab v1."""

import numpy as np
import pytest

from pydeeplab.errors import DataError, LayerError, ShapeError
from tests.layers.nets import net_text, run
from tests.support.gradient import check_gradient

RANDOM = np.random.default_rng(8)


def top(layer: str, **arrays: np.ndarray) -> np.ndarray:
    return run(f'{layer} top: "y"', arrays).blobs["y"].data


def column(*values: float) -> np.ndarray:
    """A label list of one item."""
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


MAPS = np.float32([[[[0, 15, 255], [15, 0, 3]]], [[[255, 255, 255], [255, 255, 7]]]])


def test_unique_label() -> None:
    y = top('type: "UniqueLabel" unique_label_param { max_labels: 5 ignore_label: 255 }', x=MAPS)
    assert y.shape == (2, 5, 1, 1)
    np.testing.assert_array_equal(y[:, :, 0, 0], [[0, 3, 15, -1, -1], [7, -1, -1, -1, -1]])


def test_unique_label_with_forced_ones() -> None:
    param = "unique_label_param { max_labels: 4 ignore_label: 255 force_label: 0 force_label: 9 }"
    y = top(f'type: "UniqueLabel" {param}', x=MAPS[1:].copy())
    np.testing.assert_array_equal(y.reshape(-1), [0, 7, 9, -1])


def test_wrong_unique_labels() -> None:
    with pytest.raises(DataError, match="item 0 has 4 distinct labels, but max_labels is 3"):
        top('type: "UniqueLabel" unique_label_param { max_labels: 3 }', x=MAPS)
    with pytest.raises(LayerError, match="room for 2 forced"):
        top('type: "UniqueLabel" unique_label_param { max_labels: 1 force_label: [0, 1] }', x=MAPS)
    with pytest.raises(ShapeError, match="N x 1 x H x W"):
        top('type: "UniqueLabel" unique_label_param { max_labels: 1 }', x=np.zeros((1, 2, 2, 2), np.float32))


SCORES = RANDOM.standard_normal((1, 4, 2, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("labels", "added"),
    [((0, 2, -1, -1), (1.5, 0, 4, 0)), ((2, 3), (0, 0, 4, 4)), ((-1,), (0, 0, 0, 0)), ((9, 1), (0, 4, 0, 0))],
)
def test_bias_of_listed_labels(labels: tuple[int, ...], added: tuple[float, ...]) -> None:
    layer = 'type: "BiasChannel" bias_channel_param { bg_bias: 1.5 fg_bias: 4 ignore_label: 9 }'
    np.testing.assert_allclose(
        top(layer, x=SCORES, t=column(*labels)) - SCORES,
        np.broadcast_to(np.float32(added).reshape(1, 4, 1, 1), SCORES.shape),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("param", "background"),
    [("bg_bias: 1.5", 0), ("background_label: 2", 2), ("bg_bias: 1.5 background_label: 1", 1), ("", None)],
)
def test_bias_of_labelled_pixels(param: str, background: int | None) -> None:
    labels = np.float32([[0, 1, 2], [3, 255, 1]]).reshape(1, 1, 2, 3)
    layer = f'type: "BiasChannel" bias_channel_param {{ label_type: PIXEL fg_bias: 4 ignore_label: 255 {param} }}'
    expected = np.zeros_like(SCORES)
    bg_bias = 1.5 if "bg_bias" in param else 1
    for y in range(2):
        for x in range(3):
            label = int(labels[0, 0, y, x])
            if label == 255:
                continue
            if background is not None:
                expected[0, background, y, x] += bg_bias
            if label != background:
                expected[0, label, y, x] += 4
    np.testing.assert_allclose(top(layer, x=SCORES, t=labels) - SCORES, expected, atol=1e-6)


def test_bias_gradient() -> None:
    labels = column(0, 2, -1)
    check_gradient(
        net_text('type: "BiasChannel" top: "y"', x=SCORES.shape, t=labels.shape), inputs={"t": labels}, skip=("t",)
    )


@pytest.mark.parametrize("layer", ["BiasChannel", "AdaptiveBiasChannel"])
def test_label_without_a_channel(layer: str) -> None:
    with pytest.raises(DataError, match=r"unexpected label 4 at item 0.*0\.\.3"):
        top(f'type: "{layer}"', x=SCORES, t=column(1, 4))
    with pytest.raises(ShapeError, match="label lists N x L x 1 x 1"):
        top(f'type: "{layer}"', x=SCORES, t=np.zeros((1, 1, 2, 3), np.float32))


def test_wrong_biases() -> None:
    with pytest.raises(LayerError, match="fg_bias must not be negative"):
        top('type: "BiasChannel" bias_channel_param { fg_bias: -1 }', x=SCORES, t=column(1))
    with pytest.raises(LayerError, match=r"background_label must be in 0\.\.3"):
        top(
            'type: "BiasChannel" bias_channel_param { label_type: PIXEL background_label: 7 }',
            x=SCORES,
            t=np.zeros((1, 1, 2, 3), np.float32),
        )
    with pytest.raises(LayerError, match=r"bg_portion must be in \[0, 1\]"):
        top('type: "AdaptiveBiasChannel" adaptive_bias_channel_param { bg_portion: 1.5 }', x=SCORES, t=column(1))
    with pytest.raises(LayerError, match="num_iter"):
        top('type: "AdaptiveBiasChannel" adaptive_bias_channel_param { num_iter: 0 }', x=SCORES, t=column(1))


LARGE = RANDOM.standard_normal((2, 6, 20, 25)).astype(np.float32)
LISTS = np.float32([[0, 3, 5, -1], [2, 4, -1, -1]]).reshape(2, 4, 1, 1)


def test_adaptive_bias_gives_each_present_class_its_portion() -> None:
    param = "num_iter: 5 bg_portion: 0.4 fg_portion: 0.2 margin_others: 1e-5"
    y = top(f'type: "AdaptiveBiasChannel" adaptive_bias_channel_param {{ {param} }}', x=LARGE, t=LISTS)
    won = np.argmax(y, axis=1)
    for n, present in enumerate(([0, 3, 5], [2, 4])):
        assert set(np.unique(won[n])) == set(present)
        for label in present:
            shared = np.isclose(y[n, label], y[n, present].max(axis=0), atol=1e-5).mean()
            assert shared >= (0.4 if label == 0 else 0.2) - 0.01
        mean = np.mean(LARGE[n, present].max(axis=0))
        assert np.mean(y[n, present].max(axis=0)) == pytest.approx(mean, abs=1e-5)


def test_adaptive_bias_only_adds_a_constant_to_present_classes() -> None:
    y = top('type: "AdaptiveBiasChannel"', x=LARGE, t=LISTS)
    shift = (y - LARGE)[0, [0, 3, 5]].reshape(3, -1)
    assert np.ptp(shift, axis=1).max() < 1e-5
    assert (y[0, [1, 2, 4]] < y[0, [0, 3, 5]].max(axis=0)).all()


def test_adaptive_bias_by_hand() -> None:
    """Class 1 lags by 4, 1, 2 and 3: rank 1 of 4 (portion 0.25) is 2."""
    x = np.float32([[5, 2, 4, 4], [1, 1, 2, 1]]).reshape(1, 2, 2, 2)
    param = "bg_portion: 0 fg_portion: 0.25"
    y = top(f'type: "AdaptiveBiasChannel" adaptive_bias_channel_param {{ {param} }}', x=x, t=column(0, 1))
    np.testing.assert_allclose(y[0, 0].reshape(-1), np.float32([5, 2, 4, 4]) - 0.25, atol=1e-6)
    np.testing.assert_allclose(y[0, 1].reshape(-1), np.float32([3, 3, 4, 3]) - 0.25, atol=1e-6)


def test_adaptive_bias_without_suppression_leaves_others_but_the_mean() -> None:
    param = "adaptive_bias_channel_param { suppress_others: false }"
    y = top(f'type: "AdaptiveBiasChannel" {param}', x=LARGE, t=LISTS)
    assert np.ptp((y - LARGE)[0, [1, 2, 4]]) < 1e-5


def test_adaptive_bias_without_labels_copies() -> None:
    np.testing.assert_array_equal(top('type: "AdaptiveBiasChannel"', x=SCORES, t=column(-1, -1)), SCORES)


def test_censor_label() -> None:
    lists = np.float32([[0, 3, -1], [-1, -1, -1]]).reshape(2, 3, 1, 1)
    y = top('type: "CensorLabel" censor_label_param { ignore_label: 99 }', x=MAPS, t=lists)
    np.testing.assert_array_equal(y[0, 0], [[0, 99, 99], [99, 0, 3]])
    assert (y[1] == 99).all()
    with pytest.raises(LayerError, match="ignore_label must be given"):
        top('type: "CensorLabel"', x=MAPS, t=lists)


def test_ignore_overlay() -> None:
    other = np.arange(12, dtype=np.float32).reshape(MAPS.shape)
    y = top('type: "IgnoreOverlay" ignore_overlay_param { ignore_label: 255 }', x=MAPS, t=other)
    np.testing.assert_array_equal(y, np.where(MAPS == 255, 255, other))


def test_histogram() -> None:
    y = top('type: "Histogram" histogram_param { num_labels: 16 ignore_label: 255 }', x=MAPS)
    assert y.shape == (2, 16, 1, 1)
    np.testing.assert_array_equal(y[0, :, 0, 0], np.bincount([0, 15, 15, 0, 3, 7], minlength=16))
    assert not y[1].any()
    with pytest.raises(DataError, match="unexpected label 255 at item 0, pixel y=0, x=2"):
        top('type: "Histogram" histogram_param { num_labels: 16 }', x=MAPS)
    with pytest.raises(DataError, match="no whole number"):
        top('type: "Histogram" histogram_param { num_labels: 16 ignore_label: 255 }', x=np.where(MAPS == 3, 3.5, MAPS))


def test_one_hot() -> None:
    labels = np.float32([[[[0, -1]], [[2, 2]], [[2, -1]]]])
    y = top('type: "OneHot" onehot_param { num_labels: 3 }', x=labels)
    np.testing.assert_array_equal(y[0, :, 0].T, [[1, 0, 1], [0, 0, 1]])
    with pytest.raises(DataError, match="unexpected label 2"):
        top('type: "OneHot" onehot_param { num_labels: 2 }', x=labels)


def test_relative_error() -> None:
    a, b = LARGE, LARGE[::-1] * 2
    expected = np.sqrt(((a - b) ** 2).mean() / (b**2).mean())
    y = top('type: "RelativeError"', x=a, t=b)
    assert y.shape == (1, 1, 1, 1)
    assert y[0, 0, 0, 0] == pytest.approx(expected, rel=1e-6)
    assert top(
        'type: "RelativeError"', x=np.full((1, 1), 1e-3, np.float32), t=np.zeros((1, 1), np.float32)
    ) == pytest.approx(1)


def test_dominant_channel() -> None:
    """Channels 0 and 2 win two pixels each; channel 0 is second more often."""
    x = np.float32([[9, 9, 5, 4], [1, 2, 3, 8], [7, 1, 9, 9]]).reshape(1, 3, 2, 2)
    np.testing.assert_array_equal(
        top('type: "DominantChannel" dominant_channel_param { top_k: 2 }', x=x).reshape(-1), [0, 2]
    )
    x = np.float32([[9, 1, 1, 1], [1, 9, 9, 2], [2, 2, 2, 9]]).reshape(1, 3, 2, 2)
    np.testing.assert_array_equal(top('type: "DominantChannel"', x=x).reshape(-1), [1])
    np.testing.assert_array_equal(
        top('type: "DominantChannel" dominant_channel_param { top_k: 2 }', x=x).reshape(-1), [1, 2]
    )
    with pytest.raises(LayerError, match=r"top_k must be in 1\.\.2"):
        top('type: "DominantChannel" dominant_channel_param { top_k: 3 }', x=x)


def test_channel_aggregator(tmp_path) -> None:
    path = tmp_path / "map.txt"
    path.write_text("0 3\n1\n1 2 3\n")
    layer = f'type: "ChannelAggregator" channel_aggregator_param {{ label_map_file: "{path}" }}'
    e = np.exp(SCORES.astype(np.float64))
    expected = np.log(np.stack([e[:, [0, 3]].sum(axis=1), e[:, 1], e[:, 1:].sum(axis=1)], axis=1))
    np.testing.assert_allclose(top(layer, x=SCORES), expected, atol=1e-5)
    check_gradient(net_text(f'{layer} top: "y"', x=SCORES.shape))
    path.write_text("0 4\n")
    with pytest.raises(DataError, match=r"channel 4, but there are only 0\.\.3"):
        top(layer, x=SCORES)
    path.write_text("0\n\n1\n")
    with pytest.raises(DataError, match="at least one channel in each"):
        top(layer, x=SCORES)
    path.write_text("a\n")
    with pytest.raises(DataError, match="whole numbers"):
        top(layer, x=SCORES)


GAIN = 'type: "GainChannel" gain_channel_param {{ num_output_nz: 2 gain_filler {{ value: 1 }} {} }}'


def gains(param: str, values: list[float]):
    net = run(GAIN.format(param) + ' top: "y" param { lr_mult: 1 }', {"x": SCORES})
    net.params["L"][0].data.reshape(-1)[...] = values
    net.forward()
    return net


def test_gain_channel_keeps_gains_positive_and_of_mean_1() -> None:
    net = gains("thresh: 0.1", [-1, 0.5, 2, 1])
    gain = np.float32([0.1, 0.5, 2, 1]) / 0.9
    np.testing.assert_allclose(net.params["L"][0].data.reshape(-1), gain, rtol=1e-6)
    np.testing.assert_allclose(net.blobs["y"].data, SCORES * gain[:, None, None], rtol=1e-5)


def test_gain_channel_gradient() -> None:
    check_gradient(
        net_text(GAIN.format("norm_mean: false") + ' top: "y"', x=SCORES.shape),
        params={("L", 0): np.float32([0.5, 1, 2, 3]).reshape(1, 4, 1, 1)},
    )


def test_gain_channel_drift_and_mean() -> None:
    net = gains("drift: 0.25", [0.5, 0.5, 1, 2])
    layer, x, y = net.layers[-1], net.blobs["x"], net.blobs["y"]
    y.diff[...] = RANDOM.standard_normal(y.shape)
    layer.param_propagate_down = [True]
    layer.backward([y], [True], [x])
    expected = (y.diff * SCORES).sum(axis=(0, 2, 3)) + np.float32([0.25, 0.25, 0, 0])
    np.testing.assert_allclose(layer.blobs[0].diff.reshape(-1), expected - expected.mean(), atol=1e-5)


def test_wrong_gains() -> None:
    with pytest.raises(LayerError, match=r"num_output_nz must be in 1\.\.4"):
        run('type: "GainChannel" top: "y"', {"x": SCORES})
    with pytest.raises(LayerError, match="gain_filler"):
        run('type: "GainChannel" top: "y" gain_channel_param { num_output_nz: 1 }', {"x": SCORES})
