"""MultiStageMeanfield: against the iterations written out with filters as matrices, and its gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pydeeplab import TEST, Net
from pydeeplab.crf import PermutohedralLattice
from pydeeplab.errors import DataError, LayerError, ShapeError
from tests.layers.nets import net_text, run
from tests.support.external import shared
from tests.support.gradient import check_gradient

PARAM = "num_iterations: {0} theta_alpha: 4 theta_beta: 30 theta_gamma: 2 {1}"
WEIGHTS = "spatial_filter_weight: 0.7 bilateral_filter_weight: 1.5"


def layer(iterations: int = 3, more: str = WEIGHTS) -> str:
    param = PARAM.format(iterations, more)
    return f'type: "MultiStageMeanfield" top: "y" multi_stage_meanfield_param {{ {param} }}'


def arrays(items: int = 2, classes: int = 3, height: int = 5, width: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    image = 60 * random.random((items, 3, height, width))
    unary = random.standard_normal((items, classes, height, width))
    start = random.standard_normal((items, classes, height, width))
    return {"u": unary.astype(np.float32), "q": start.astype(np.float32), "im": image.astype(np.float32)}


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=0))
    return e / e.sum(axis=0)


def by_definition(given: dict[str, np.ndarray], blobs: list[np.ndarray], iterations: int) -> np.ndarray:
    """The iterations of the paper with filters as matrices: the lattice applied to unit vectors."""
    results = []
    for u, x, image in zip(given["u"], given["q"], given["im"], strict=True):
        classes, height, width = u.shape
        y_, x_ = np.mgrid[:height, :width].reshape(2, -1)
        spatial = np.stack([x_, y_], 1) / 2
        bilateral = np.concatenate([np.stack([x_, y_], 1) / 4, image.reshape(3, -1).T / 30], 1)
        filters = []
        for features in (spatial, bilateral):
            k = PermutohedralLattice(features, backend="reference").filter(np.eye(len(features)))
            filters.append(k / k.sum(axis=1, keepdims=True))
        u, x = u.reshape(classes, -1).astype(np.float64), x.reshape(classes, -1).astype(np.float64)
        for _ in range(iterations):
            q = softmax(x)
            message = blobs[0] @ (q @ filters[0].T) + blobs[1] @ (q @ filters[1].T)
            x = u - blobs[2] @ message
        results.append(x.reshape(classes, height, width))
    return np.stack(results)


@pytest.mark.parametrize("iterations", [1, 4])
def test_the_iterations_are_those_of_the_paper(iterations: int) -> None:
    given = arrays()
    net = run(layer(iterations), given)
    random = np.random.default_rng(5)
    blobs = [b.data[0, 0] for b in net.params["L"]]
    assert [b.shape for b in net.params["L"]] == [(1, 1, 3, 3)] * 3
    for expected, blob in zip((0.7, 1.5, -1), blobs, strict=True):
        np.testing.assert_allclose(blob, expected * np.eye(3), rtol=1e-6)
        blob[...] = random.standard_normal(blob.shape)
    net.forward()
    expected = by_definition(given, [b.astype(np.float64) for b in blobs], iterations)
    np.testing.assert_allclose(net.blobs["y"].data, expected, atol=2e-5 * np.abs(expected).max())


def test_gradients_of_both_scores_and_of_all_parameters() -> None:
    shapes = {n: a.shape for n, a in arrays(2, 3, 4, 5).items()}
    text = net_text(layer(3), **shapes)
    check_gradient(text, inputs=arrays(2, 3, 4, 5), skip=["im"], native_tolerance=3e-4)


@pytest.mark.parametrize("normalization", ["none", "after", "before", "symmetric"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_the_adjoint_filter_is_the_transpose(normalization: str, backend: str) -> None:
    random = np.random.default_rng(2)
    lattice = PermutohedralLattice(2 * random.standard_normal((41, 5)), backend=backend)
    identity = np.eye(41)
    forward = lattice.filter(identity, normalization)
    np.testing.assert_allclose(lattice.filter(identity, normalization, adjoint=True), forward.T, atol=3e-6)
    assert normalization in ("none", "symmetric") or np.abs(forward - forward.T).max() > 1e-3
    np.testing.assert_array_equal(lattice.filter(identity, normalization), forward)


def test_batches_and_changing_sizes_do_not_mix() -> None:
    given = arrays(3)
    whole = run(layer(), given).blobs["y"].data.copy()
    net = run(layer(), arrays(1, height=9, width=4))
    for item in range(3):
        for name, array in given.items():
            net.blobs[name].reshape(1, *array.shape[1:])
            net.blobs[name].data[...] = array[item : item + 1]
        net.reshape()
        net.forward()
        np.testing.assert_allclose(net.blobs["y"].data[0], whole[item], atol=1e-5)


def test_weights_begin_from_par_files_beside_the_prototxt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = net_text(layer(1, ""), **{n: a.shape for n, a in arrays(1).items()})
    (tmp_path / "net.prototxt").write_text(text)
    blobs = Net(tmp_path / "net.prototxt", TEST).params["L"]
    assert [b.data[0, 0, 1, 1] for b in blobs] == [3, 5, -1]
    (tmp_path / "spatial.par").write_text("1\n2\n4\n")
    blobs = Net(tmp_path / "net.prototxt", TEST).params["L"]
    np.testing.assert_array_equal(blobs[0].data[0, 0], np.diag([1, 2, 4]))
    (tmp_path / "bilateral.par").write_text("1 2")
    with pytest.raises(DataError, match="must hold 3 numbers"):
        Net(tmp_path / "net.prototxt", TEST)


def test_mistakes_are_named() -> None:
    given = arrays(1)
    with pytest.raises(LayerError, match="num_iterations must be at least 1"):
        run(layer(0), given)
    with pytest.raises(LayerError, match="theta_beta must be positive"):
        run(layer(1).replace("theta_beta: 30", ""), given)
    with pytest.raises(ShapeError, match="both scores must have the same shape"):
        run(layer(), {**given, "q": given["q"][:, :, :-1]})
    with pytest.raises(ShapeError, match="the image must have shape"):
        run(layer(), {**given, "im": given["im"][..., :-1]})


@pytest.mark.parametrize("name", ["python-scripts/TVG_CRFRNN_new_deploy", "matlab-scripts/TVG_CRFRNN_COCO_VOC"])
def test_the_published_nets_run(name: str) -> None:
    path = shared(f"data/prototxt_corpus/torrvision+crfasrnn/{name}.prototxt")
    net = Net(path, TEST, inputs={"data": (1, 3, 40, 48)})
    assert [b.data[0, 0, 20, 20] for b in net.params["inference1"]] == [3, 5, -1]
    net.blobs["data"].data[...] = 50 * np.random.default_rng(0).standard_normal(net.blobs["data"].shape)
    net.forward()
    assert net.blobs["pred"].shape == (1, 21, 40, 48)
    # Without weights all classes are alike, and each is told 3/21 + 5/21 by both filters.
    np.testing.assert_allclose(net.blobs["pred"].data, 8 / 21, rtol=1e-5)
