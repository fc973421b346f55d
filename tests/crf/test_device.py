"""The CRF on a device: what is copied there and back, and that it computes what the CPU computes."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.backend import get_backend
from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.backend.cuda.memory import Traffic
from pydeeplab.crf import CRFParameters, DenseCRF
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from tests.crf.support import picture
from tests.support.backends import USABLE

DEVICES = [name for name in USABLE if name.startswith("cuda")]
pytestmark = pytest.mark.skipif(not DEVICES, reason="there is no GPU, and the emulation has not been built")

NET = """
layer { name: "in" type: "Input" top: "scores" top: "sizes" top: "image" input_param {
  shape { dim: 2 dim: 4 dim: 24 dim: 31 } shape { dim: 2 dim: 1 dim: 1 dim: 2 }
  shape { dim: 2 dim: 3 dim: 24 dim: 31 } } }
layer { name: "crf" type: "DenseCRF" bottom: "scores" bottom: "sizes" bottom: "image" top: "q" dense_crf_param {
  max_iter: 3 pos_w: 3 pos_xy_std: 3 bi_w: 4 bi_xy_std: 20 bi_rgb_std: 12 } }
"""


def traffic_of(name: str) -> Traffic:
    backend = get_backend(name)
    assert isinstance(backend, CudaBackend)
    return backend.allocator.traffic


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_scores_go_up_and_beliefs_come_down(name: str, normalization: str) -> None:
    """Beside them: the picture, its deviations, and for each kernel the number of its vertices."""
    image, _, scores = picture()
    crf = DenseCRF(CRFParameters(4, 20, 12, 3, 3, iterations=4, normalization=normalization), backend=name)
    crf.refine(image, scores)
    traffic = traffic_of(name)
    before = traffic.uploads, traffic.uploaded_bytes, traffic.downloads, traffic.downloaded_bytes
    crf.refine(image, scores)
    uploads, uploaded, downloads, downloaded = (
        now - then
        for now, then in zip(
            (traffic.uploads, traffic.uploaded_bytes, traffic.downloads, traffic.downloaded_bytes), before, strict=True
        )
    )
    assert (uploads, uploaded) == (3, scores.nbytes + 4 * image.size + 3 * 4)
    assert (downloads, downloaded) == (1 + 2, scores.nbytes + 2 * 4)


@pytest.mark.parametrize("name", DEVICES)
def test_two_runs_give_the_same_bits(name: str) -> None:
    image, _, scores = picture()
    crf = DenseCRF("iter=3", backend=name)
    np.testing.assert_array_equal(crf.refine(image, scores), crf.refine(image, scores))


@pytest.mark.parametrize("name", DEVICES)
def test_compatibility_and_callbacks(name: str) -> None:
    image, _, scores = picture(classes=3)
    matrix = np.random.default_rng(5).uniform(0, 1, (3, 3))
    params = CRFParameters(2, 20, 12, 1.5, 3, iterations=2, compatibility=matrix)
    seen: dict[str, list[np.ndarray]] = {}
    for backend in ("cpu", name):
        steps = seen.setdefault(backend, [])
        DenseCRF(params, backend=backend).refine(image, scores, callback=lambda _, q, steps=steps: steps.append(q))
    for ours, theirs in zip(seen["cpu"], seen[name], strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.mark.parametrize("name", DEVICES)
def test_the_layer_keeps_scores_on_the_device(name: str) -> None:
    image, _, scores = picture()
    results = []
    for backend in ("cpu", name):
        net = Net.from_text(NET, TEST, backend=backend)
        net.blobs["scores"].data[...] = scores
        net.blobs["sizes"].data[...] = np.reshape([24, 31, 20, 17], (2, 1, 1, 2))
        net.blobs["image"].data[...] = image.transpose(2, 0, 1)
        results.append(net.forward()["q"].copy())
    np.testing.assert_allclose(results[1], results[0], atol=1e-4)
    traffic = traffic_of(name)
    before = traffic.uploaded_bytes, traffic.downloaded_bytes
    net._forward(0, len(net.layers) - 1)
    assert traffic.uploaded_bytes - before[0] <= 64
    assert traffic.downloaded_bytes - before[1] <= 64
