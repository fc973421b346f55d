"""Blobs: shapes, live views, sharing, and the pool that lean nets draw on."""

import numpy as np
import pytest

from pydeeplab.backend import get_backend
from pydeeplab.blob import Blob, BlobVec, MemoryPool
from pydeeplab.errors import ShapeError, UsageError


def test_data_and_diff_are_live_zeroed_views() -> None:
    blob = Blob((2, 3))
    assert blob.data.shape == blob.diff.shape == (2, 3)
    assert not blob.data.any()
    blob.data[1, 2] = 5
    assert blob.read()[1, 2] == 5
    assert blob.diff[1, 2] == 0


def test_views_outlive_the_blob() -> None:
    blob = Blob((4,))
    view = blob.data
    view[...] = 7
    del blob
    assert (view == 7).all()


def test_reshaping_within_the_capacity_keeps_contents() -> None:
    blob = Blob((2, 6))
    blob.data[...] = np.arange(12).reshape(2, 6)
    blob.reshape(3, 4)
    np.testing.assert_array_equal(blob.data, np.arange(12).reshape(3, 4))
    blob.reshape(2, 2)
    np.testing.assert_array_equal(blob.data.reshape(-1), np.arange(4))


def test_scalar_blobs() -> None:
    blob = Blob(())
    blob.data[()] = 3
    assert blob.count == 1
    assert blob.shape == ()
    assert float(blob.data) == 3


def test_legacy_axes() -> None:
    assert (Blob((5,)).num, Blob((5,)).channels, Blob((5, 4, 3, 2)).width) == (5, 1, 2)
    with pytest.raises(UsageError, match="up to 4 axes"):
        _ = Blob((1, 1, 1, 1, 1)).num


@pytest.mark.parametrize("shape", [(2**16, 2**16), (-1, 3)])
def test_impossible_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        Blob(shape)


def test_sharing() -> None:
    a, b = Blob((2, 3)), Blob((6,))
    b.share_data(a)
    a.data[1, 0] = 9
    assert b.data[3] == 9
    assert b.data_storage is a.data_storage
    with pytest.raises(ShapeError, match=r"\(7,\).*\(2, 3\)"):
        Blob((7,)).share_data(a)
    with pytest.raises(UsageError, match=r"blobs of float64 and float32\..*or copy"):
        Blob((6,), dtype=np.float64).share_diff(a)


def test_versions_count_writes() -> None:
    blob = Blob((2,))
    before = blob.data_storage.version
    blob.read()
    assert blob.data_storage.version == before
    blob.write()
    assert blob.data_storage.version > before


def test_pool_hands_on_the_best_fit_and_allocates_nothing_in_the_steady_state() -> None:
    pool = MemoryPool(get_backend("cpu"), np.dtype(np.float32))
    big, small = pool.take(100), pool.take(10)
    pool.give(big)
    pool.give(small)
    assert pool.take(8) is small
    assert pool.take(50) is big
    assert pool.nbytes == 440


def test_blob_vectors_make_blobs() -> None:
    blobs = BlobVec()
    blobs.add_blob(2, 3).data[...] = 1
    assert len(blobs) == 1
    assert blobs[0].data.sum() == 6
