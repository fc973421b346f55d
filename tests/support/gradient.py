"""Numerical checks of gradients: central differences in double precision, then the fast backends against that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pydeeplab.layer import TRAIN
from pydeeplab.net import Net
from pydeeplab.proto import parse_net
from tests.support.backends import USABLE
from tests.support.kernels import relative_error


def _build(text: str, phase: int, backend: str, dtype: type, engine: str, freeze: Callable[[Net], None] | None) -> Net:
    source = parse_net(text)
    source.param.force_backward = True
    net = Net.from_source(source, phase, backend=backend, dtype=dtype, engine=engine)
    if freeze:
        freeze(net)
    return net


def _set(net: Net, inputs: Mapping[str, np.ndarray], params: Mapping[tuple[str, int], np.ndarray]) -> None:
    for name, values in inputs.items():
        net.blobs[name].data[...] = values
    for (layer, index), values in params.items():
        net.params[layer][index].data[...] = values


def _seed_diffs(net: Net, weights: Mapping[str, np.ndarray]) -> None:
    for name, values in weights.items():
        net.blobs[name].diff[...] = values


def check_gradient(
    text: str,
    *,
    inputs: Mapping[str, np.ndarray] | None = None,
    params: Mapping[tuple[str, int], np.ndarray] | None = None,
    skip: Sequence[str] = (),
    phase: int = TRAIN,
    step: float = 1e-5,
    tolerance: float = 1e-5,
    native_tolerance: float = 1e-4,
    samples: int = 60,
    seed: int = 1,
    freeze: Callable[[Net], None] | None = None,
    native: bool = True,
) -> None:
    """Check the gradients of a small net with respect to all inputs and parameters.

    The objective is the net's loss, or the inner product of outputs that are no loss with random weights. On the
    reference backend in float64, up to ``samples`` elements of every array are compared with central differences; then
    the cpu backend's gradients (both engines, float32) are compared with those.

    Parameters
    ----------
    text
        The net; its Input layers' tops are the inputs.
    inputs, params
        Values to use instead of random normal ones. ``params`` by (layer name, blob index).
    skip
        Inputs that have no gradient (labels), and "layer/index" of parameters that have none.
    tolerance, native_tolerance
        Largest error as a share of the array's largest gradient.
    freeze
        Called on every net after building, for layers that draw random numbers.
    """
    random = np.random.default_rng(seed)
    net = _build(text, phase, "reference", np.float64, "CAFFE", freeze)
    x = {
        n: np.asarray((inputs or {}).get(n, random.standard_normal(net.blobs[n].shape)), np.float32).astype(np.float64)
        for n in net.inputs
    }
    p = {
        (layer, i): np.asarray(
            (params or {}).get((layer, i), 0.5 * random.standard_normal(b.shape)), np.float32
        ).astype(np.float64)
        for layer, blobs in net.params.items()
        for i, b in enumerate(blobs)
    }
    _set(net, x, p)
    net.forward()
    losses = net.blob_loss_weights
    weights = {
        n: random.standard_normal(net.blobs[n].shape) if not losses[n] else np.full(net.blobs[n].shape, losses[n])
        for n in net.outputs
    }

    def objective() -> float:
        net.forward()
        return sum(float(np.sum(net.blobs[n].data * w)) for n, w in weights.items())

    def gradients(of: Net) -> dict[str, np.ndarray]:
        _set(of, x, p)
        of.clear_param_diffs()
        of.forward()
        _seed_diffs(of, weights)
        of.backward()
        found = {n: of.blobs[n].diff.copy() for n in of.inputs}
        found.update({f"{layer}/{i}": b.diff.copy() for layer, blobs in of.params.items() for i, b in enumerate(blobs)})
        return {n: g for n, g in found.items() if n not in skip}

    exact = gradients(net)
    for name, gradient in exact.items():
        layer, _, index = name.rpartition("/")
        blob = net.params[layer][int(index)] if layer else net.blobs[name]
        chosen = random.permutation(blob.count)[:samples]
        scale = max(float(np.abs(gradient).max(initial=0)), 1e-6)
        for k in chosen:
            flat = blob.data.reshape(-1)
            original = flat[k]
            flat[k] = original + step
            above = objective()
            flat[k] = original - step
            below = objective()
            flat[k] = original
            numeric = (above - below) / (2 * step)
            analytic = gradient.reshape(-1)[k]
            assert abs(numeric - analytic) <= tolerance * max(scale, 1.0), (
                f"gradient of {name}, element {k}: {analytic:.8g}, by differences {numeric:.8g}"
            )
    if not native:
        return
    for backend in USABLE:
        for engine in ("DEFAULT", "CAFFE") if backend != "reference" else ():
            fast = gradients(_build(text, phase, backend, np.float32, engine, freeze))
            for name, gradient in exact.items():
                error = relative_error(fast[name], gradient)
                assert error <= native_tolerance, f"{backend} gradient ({engine}) of {name}: error {error:.3g}"
