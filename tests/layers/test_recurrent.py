"""LSTM, LSTMUnit, RNN and Embed."""

import numpy as np
import pytest

from pydeeplab.errors import DataError, LayerError, ShapeError
from pydeeplab.layer import TRAIN
from tests.layers.nets import inputs_text, net_text, run
from tests.support.gradient import check_gradient

RANDOM = np.random.default_rng(6)
CONT = np.float32([[0, 0], [1, 1], [0, 1], [1, 1]])
X = RANDOM.standard_normal((4, 2, 3)).astype(np.float32)


def layer(kind: str, rest: str = "", tops: str = 'top: "y"') -> str:
    filler = 'weight_filler { type: "uniform" min: -0.8 max: 0.8 } bias_filler { type: "uniform" min: -0.3 max: 0.3 }'
    return f'type: "{kind}" {tops} recurrent_param {{ num_output: 3 {filler} {rest} }}'


def tops(kind: str) -> str:
    return 'top: "y" top: "hT"' + (' top: "cT"' if kind == "LSTM" else "")


def starts(kind: str) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(("h0", "c0") if kind == "LSTM" else ("h0",), (1, 2, 3))


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("exposed", [False, True])
def test_gradient(kind: str, static: bool, exposed: bool) -> None:
    """Without exposed states the sequences must start anew, since states go on from pass to pass."""
    cont = CONT.copy()
    cont[0] = exposed
    shapes = {"x": X.shape, "cont": CONT.shape} | ({"s": (2, 4)} if static else {}) | (starts(kind) if exposed else {})
    text = layer(kind, "expose_hidden: true", tops(kind)) if exposed else layer(kind)
    check_gradient(net_text(text, **shapes), inputs={"cont": cont}, skip=("cont",))


def test_gradient_of_the_unit() -> None:
    """With the gate's rate between 0 and 1, too."""
    text = net_text('type: "LSTMUnit" top: "c" top: "h"', c0=(1, 3, 2), x=(1, 3, 8), cont=(1, 3))
    check_gradient(text, inputs={"cont": np.float32([[0, 1, 0.5]])}, skip=("cont",))


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_states_go_on_from_pass_to_pass(kind: str) -> None:
    whole = run(layer(kind), {"x": X, "cont": CONT}, TRAIN)
    halves = run(layer(kind), {"x": X[:2], "cont": CONT[:2]}, TRAIN)
    for own, other in zip(halves.params["L"], whole.params["L"], strict=True):
        own.data[...] = other.data
    halves.layers[-1].reset()
    found = []
    for half in (slice(0, 2), slice(2, 4)):
        halves.blobs["x"].data[...], halves.blobs["cont"].data[...] = X[half], CONT[half]
        halves.forward()
        found.append(halves.blobs["y"].data.copy())
    np.testing.assert_allclose(np.concatenate(found), whole.blobs["y"].data, atol=1e-6)
    halves.forward()
    assert np.abs(halves.blobs["y"].data[0, 1] - found[1][0, 1]).max() > 1e-4


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_exposed_states_continue_a_sequence(kind: str) -> None:
    arrays = {"x": X, "cont": CONT} | {n: np.zeros(s, np.float32) for n, s in starts(kind).items()}
    text = layer(kind, "expose_hidden: true", tops(kind))
    whole = run(text, arrays)
    half = run(text, {n: a[:2] if n in ("x", "cont") else a for n, a in arrays.items()})
    for own, other in zip(half.params["L"], whole.params["L"], strict=True):
        own.data[...] = other.data
    half.forward()
    for name in starts(kind):
        half.blobs[name].data[...] = half.blobs[name[0] + "T"].data
    half.blobs["x"].data[...], half.blobs["cont"].data[...] = X[2:], CONT[2:]
    half.forward()
    np.testing.assert_allclose(half.blobs["y"].data, whole.blobs["y"].data[2:], atol=1e-6)
    for name in starts(kind):
        np.testing.assert_allclose(half.blobs[name[0] + "T"].data, whole.blobs[name[0] + "T"].data, atol=1e-6)


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_a_new_sequence_forgets(kind: str) -> None:
    net = run(layer(kind), {"x": np.repeat(X[:1], 4, axis=0), "cont": np.zeros((4, 2), np.float32)})
    y = net.blobs["y"].data
    np.testing.assert_array_equal(y[1:], np.repeat(y[:1], 3, axis=0))


def test_extreme_gates_do_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        net = run(layer("LSTM"), {"x": 1e4 * X, "cont": CONT})
    assert np.isfinite(net.blobs["y"].data).all()


def test_wrong_recurrences() -> None:
    with pytest.raises(ShapeError, match=r"cont of T x N, got shapes \(4, 2, 3\) and \(2, 4\)"):
        run(layer("LSTM"), {"x": X, "cont": CONT.T.copy()})
    with pytest.raises(ShapeError, match="static input of N x"):
        run(layer("RNN"), {"x": X, "cont": CONT, "s": np.zeros((3, 4), np.float32)})
    with pytest.raises(LayerError, match=r"2 start states.*got 2 bottoms and 1 tops"):
        run(layer("LSTM", "expose_hidden: true"), {"x": X, "cont": CONT})
    with pytest.raises(LayerError, match="num_output must be at least 1"):
        run('type: "RNN" top: "y"', {"x": X, "cont": CONT})
    with pytest.raises(ShapeError, match=r"start states of shape \(1, 2, 3\)"):
        run(
            layer("RNN", "expose_hidden: true", tops("RNN")),
            {"x": X, "cont": CONT, "h0": np.zeros((1, 2, 4), np.float32)},
        )
    with pytest.raises(ShapeError, match=r"LSTMUnit.*gates of 1 x N x 4 D"):
        run('type: "LSTMUnit" top: "c" top: "h"', {"c0": X[:1], "g": X[:1], "cont": CONT[:1]})
    net = run(layer("RNN"), {"x": X, "cont": CONT})
    net.blobs["x"].reshape(4, 2, 5)
    with pytest.raises(ShapeError, match="built for inputs of 3 values"):
        net.forward()


EMBED = (
    'type: "Embed" top: "y" '
    'embed_param {{ input_dim: 5 num_output: 3 bias_term: {} weight_filler {{ type: "gaussian" }} }}'
)
INDICES = np.float32([[0, 4, 4], [2, 1, 4]])


@pytest.mark.parametrize("bias", ["true", "false"])
def test_embed(bias: str) -> None:
    net = run(EMBED.format(bias), {"x": INDICES})
    table = net.params["L"][0].data
    np.testing.assert_array_equal(net.blobs["y"].data, table[INDICES.astype(int)])
    loss = (
        inputs_text({"t": (2, 3, 3)})
        + 'layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }'
    )
    check_gradient(net_text(EMBED.format(bias), x=INDICES.shape) + loss, inputs={"x": INDICES}, skip=("x",))


@pytest.mark.parametrize("value", [5, -1, np.nan])
def test_embed_of_an_index_out_of_range(value: float) -> None:
    with pytest.raises(DataError, match=rf"index {value:g} \(element 4\) is not in 0\.\.4"):
        run(EMBED.format("true"), {"x": np.where(np.arange(6).reshape(2, 3) == 4, value, INDICES)})
