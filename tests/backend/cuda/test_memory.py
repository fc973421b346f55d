"""Arrays on the device, the allocator, and blobs that live on both sides."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.backend.cuda.memory import Allocator, DeviceArray
from pydeeplab.blob import Blob, MemoryPool
from pydeeplab.errors import DataError, DeviceError, DeviceMemoryError, UsageError

VALUES = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.fixture
def array(backend: CudaBackend) -> DeviceArray:
    return DeviceArray.upload(backend.allocator, VALUES)


class TestArrays:
    def test_comes_back_as_it_went(self, array: DeviceArray) -> None:
        np.testing.assert_array_equal(array.host(), VALUES)
        np.testing.assert_array_equal(np.asarray(array), VALUES)
        assert (array.size, array.ndim, array.nbytes, len(array)) == (24, 2, 96, 4)

    def test_views_share_memory(self, array: DeviceArray) -> None:
        array.reshape(2, -1, 3)[1][...] = 0
        array[0:1] = 7
        array[1, 5] = -1
        expected = VALUES.copy()
        expected[2:], expected[0], expected[1, 5] = 0, 7, -1
        np.testing.assert_array_equal(array.host(), expected)

    def test_large_arrays_pass_the_staging_memory(self, backend: CudaBackend) -> None:
        values = np.random.default_rng(0).random(5_000_001).astype(np.float32)
        np.testing.assert_array_equal(DeviceArray.upload(backend.allocator, values).host(), values)

    def test_copies_on_the_device(self, backend: CudaBackend, array: DeviceArray) -> None:
        other = DeviceArray(backend.allocator, (4, 6), np.dtype(np.float32))
        before = backend.allocator.traffic.copies
        other[...] = array
        assert backend.allocator.traffic.copies == before
        np.testing.assert_array_equal(other.host(), VALUES)

    @pytest.mark.parametrize("shape", [(5, 5), (-1, 7)])
    def test_impossible_views(self, array: DeviceArray, shape: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="cannot see an array"):
            array.reshape(shape)

    def test_steps_and_strangers_are_refused(self, array: DeviceArray) -> None:
        with pytest.raises(IndexError, match="runs only"):
            array[::2]
        with pytest.raises(ValueError, match="cannot copy"):
            array[...] = array[:2]
        with pytest.raises(IndexError):
            array[4]

    def test_empty_arrays(self, backend: CudaBackend) -> None:
        empty = DeviceArray(backend.allocator, (0, 3), np.dtype(np.float32))
        empty[...] = 1
        assert empty.host().shape == (0, 3)
        assert empty.pointer == 0


class TestAllocator:
    def test_memory_is_used_again(self, backend: CudaBackend) -> None:
        allocator = Allocator(backend.library, keep=True)
        first = allocator.take(1000)
        assert first is not None
        pointer = first.pointer
        del first
        gc.collect()
        assert allocator.in_use == 0 < allocator.kept
        again = allocator.take(900)
        assert again is not None
        assert again.pointer == pointer
        assert allocator.kept == 0
        del again
        allocator.release()
        assert allocator.kept == 0

    def test_without_keeping_sizes_are_exact(self, backend: CudaBackend) -> None:
        allocator = Allocator(backend.library, keep=False)
        block = allocator.take(1001)
        assert allocator.in_use == allocator.peak == 1001
        del block
        assert allocator.in_use == allocator.kept == 0

    def test_too_much_is_an_error_with_figures(self, backend: CudaBackend) -> None:
        with pytest.raises(DeviceMemoryError, match=r"MiB of device memory were asked for .*out of memory.* are free"):
            backend.empty(2**55, np.dtype(np.float32))


class TestBlobs:
    def test_the_newer_side_is_known(self, backend: CudaBackend) -> None:
        blob = Blob((4, 6), backend=backend)
        assert not blob.data.any()
        blob.data[...] = VALUES
        backend.kernels.axpby(blob.read().reshape(-1), blob.write_diff().reshape(-1), 2.0, 0.0)
        np.testing.assert_array_equal(blob.diff, 2 * VALUES)
        backend.kernels.fill(blob.modify()[0], 5.0)
        np.testing.assert_array_equal(blob.look(), np.concatenate([np.full((1, 6), 5), VALUES[1:]]))

    def test_looking_costs_one_copy_and_no_way_back(self, backend: CudaBackend) -> None:
        blob = Blob((4, 6), backend=backend)
        blob.data[...] = VALUES
        blob.read()
        traffic = backend.allocator.traffic
        before = traffic.uploads, traffic.downloads
        backend.kernels.fill(blob.write().reshape(-1), 1.0)
        for _ in range(3):
            blob.look()
            blob.read()
        assert (traffic.uploads, traffic.downloads) == (before[0], before[1] + 1)

    def test_reshaping_and_sharing(self, backend: CudaBackend) -> None:
        blob, other = Blob((4, 6), backend=backend), Blob((24,), backend=backend)
        other.share_data(blob)
        blob.data[...] = VALUES
        np.testing.assert_array_equal(other.read().host(), VALUES.reshape(-1))
        blob.reshape(2, 6)
        np.testing.assert_array_equal(blob.read().host(), VALUES[:2])
        blob.reshape(100, 6)
        assert blob.look().shape == (100, 6)

    def test_memory_is_not_shared_with_the_host(self, backend: CudaBackend) -> None:
        here, there = Blob((4, 6)), Blob((4, 6), backend=backend)
        for one, two in ((here, there), (there, here)):
            names = f"backend {one._backend.name} and one of backend {two._backend.name}"
            with pytest.raises(UsageError, match=f"{names}.*same backend.*or copy"):
                one.share_data(two)
        there.data[...] = VALUES
        np.testing.assert_array_equal(there.read().host(), VALUES)

    def test_a_write_to_a_part_loses_nothing_behind_it(self, backend: CudaBackend) -> None:
        blob = Blob((4, 6), backend=backend)
        blob.data[...] = VALUES
        blob.reshape(1, 6)
        backend.kernels.fill(blob.write().reshape(-1), 9.0)
        blob.reshape(4, 6)
        np.testing.assert_array_equal(blob.look(), np.concatenate([np.full((1, 6), 9), VALUES[1:]]))

    def test_only_what_the_host_may_have_changed_is_brought_along(self, backend: CudaBackend) -> None:
        blob = Blob((4, 6), backend=backend)
        blob.data[...] = VALUES
        blob.read()
        blob.reshape(2, 6)
        blob.data[...] = -VALUES[:2]
        with backend.allocator.no_copies():
            backend.kernels.fill(blob.write().reshape(-1), 9.0)
        blob.reshape(4, 6)
        np.testing.assert_array_equal(blob.look(), np.concatenate([np.full((2, 6), 9), VALUES[2:]]))

    def test_what_the_host_wrote_survives_its_growing_into_larger_memory(self, backend: CudaBackend) -> None:
        blob, pool = Blob((6,), backend=backend), MemoryPool(backend, np.dtype(np.float32))
        pool.give(pool.take(24))
        blob.data_storage.pool = pool
        blob.data[...] = 3
        blob.read()  # takes the piece of 24 elements
        blob.data[...] = 5
        blob.reshape(12)
        np.testing.assert_array_equal(blob.look()[:6], np.full(6, 5))


class TestKernels:
    def test_host_arrays_are_taken_along(self, backend: CudaBackend) -> None:
        x = np.array([-1.0, 2.0], np.float32)
        backend.kernels.relu_forward(x, x, 0.5)
        np.testing.assert_array_equal(x, [-0.5, 2.0])

    def test_what_is_only_written_is_not_sent_there(self, backend: CudaBackend) -> None:
        x, y = np.array([-1.0, 2.0], np.float32), np.full(2, np.nan, np.float32)
        use = backend.memory_use()
        backend.kernels.relu_forward(x, y, 0.5)
        np.testing.assert_array_equal(y, [-0.5, 2.0])
        after = backend.memory_use()
        traffic = [after[key] - use[key] for key in ("uploads", "uploaded_bytes", "downloads", "downloaded_bytes")]
        assert traffic == [1, 8, 1, 8]

    def test_a_failure_names_kernel_shapes_and_cause(self, backend: CudaBackend) -> None:
        x = np.zeros((1, 4, 4), np.float32)
        with pytest.raises(DeviceError, match=r"copy_window \(x 1x4x4, y 1x4x4, x_top=3.*do not fit each other"):
            backend.kernels.copy_window(x, x, 3, 0, 0, 0, 2, 2)
        with pytest.raises(DataError, match=r"unpool_forward .*out of range"):
            backend.kernels.unpool_forward(
                *(np.full((1, 1, 2, 2), 9, np.float32),) * 2, np.zeros((1, 1, 2, 2), np.float32)
            )
