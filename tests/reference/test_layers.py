"""Every recorded single layer and small graph of reference Caffe, through the public API."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import pydeeplab
from tests.support.backends import USABLE
from tests.support.external import DATA
from tests.support.kernels import relative_error

FOLDER = DATA / "reference" / "layers"
WAYS = [(b, e, 1e-4 if e == "DEFAULT" else 1e-5) for b in USABLE if b != "reference" for e in ("DEFAULT", "CAFFE")]
"""Backend, engine and the largest error as a share of an array's largest value."""

with (FOLDER / "index.csv").open() as index:
    CASES = list(csv.DictReader(index))


def halves(recorded: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    return {key[len(kind) + 1 :]: value for key, value in recorded.items() if key.startswith(f"{kind}/")}


def parameter(net: pydeeplab.Net, key: str) -> pydeeplab.Blob:
    layer, _, i = key.rpartition("/")
    return net.params[layer][int(i)]


@pytest.mark.parametrize(("backend", "engine", "tolerance"), WAYS)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["case"])
def test_agrees_with_caffe(case: dict[str, str], backend: str, engine: str, tolerance: float) -> None:
    text: Path = FOLDER / f"{case['case']}.prototxt"
    recorded = dict(np.load(FOLDER / f"{case['case']}.npz"))
    net = pydeeplab.Net(text, getattr(pydeeplab, case["phase"]), engine=engine, backend=backend)
    for name, values in halves(recorded, "in").items():
        net.blobs[name].data[...] = values
    for key, values in halves(recorded, "param").items():
        blob = parameter(net, key)
        assert blob.shape == values.shape, key
        blob.data[...] = values
    net.forward()
    found = {f"data/{n}": net.blobs[n].data.copy() for n in halves(recorded, "data")}
    found |= {f"param_after/{k}": parameter(net, k).data.copy() for k in halves(recorded, "param_after")}
    if case["backward"] == "1":
        for name, values in halves(recorded, "topdiff").items():
            if name != "loss":
                net.blobs[name].diff[...] = values
        net.clear_param_diffs()
        net.backward()
        found |= {f"diff/{n}": net.blobs[n].diff.copy() for n in halves(recorded, "diff")}
        found |= {f"pdiff/{k}": parameter(net, k).diff.copy() for k in halves(recorded, "pdiff")}
    compared = [k for k in recorded if k.split("/")[0] in ("data", "param_after", "diff", "pdiff")]
    assert set(compared) == set(found)
    for key in compared:
        assert found[key].shape == recorded[key].shape, key
        error = relative_error(found[key], recorded[key])
        assert error <= tolerance, f"{key}: error {error:.3g} of the largest value"
