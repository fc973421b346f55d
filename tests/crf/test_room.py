"""What the CRF takes of the memory."""

from __future__ import annotations

import numpy as np
import pytest

from pydeeplab.crf import DenseCRF
from pydeeplab.crf.room import crf_bytes
from pydeeplab.data.synthetic import scene

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("classes", "params"), [(2, "voc12-largefov"), (19, "w=4,xy=60,rgb=8"), (21, "w=1,xy=9,rgb=3")]
)
def test_the_crf_takes_no_less_than_foretold(classes: int, params: str) -> None:
    image, _ = scene(1, 200, 300)
    crf = DenseCRF(params)
    result = crf.refine(image, RANDOM.standard_normal((classes, 200, 300)).astype(np.float32))
    foretold = crf_bytes(200, 300, classes, crf.params)
    taken = crf._memory.nbytes + 2 * result.nbytes
    assert 0.3 * taken < foretold <= taken
