"""The wire format against protobuf's own encoder and decoder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydeeplab.formats.blobproto import encode_blob, parse_blob
from pydeeplab.proto import caffe_pb2, wire

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)


def joined(pieces):
    return b"".join(pieces)


@given(st.lists(INT64, max_size=5))
def test_packed_integers_are_what_protobuf_reads(dims):
    message = caffe_pb2.BlobShape.FromString(joined(wire.packed(1, dims)))
    assert list(message.dim) == dims


@given(st.lists(INT64, max_size=5))
def test_packed_integers_of_protobuf_are_read(dims):
    encoded = memoryview(caffe_pb2.BlobShape(dim=dims).SerializeToString())
    assert [n for _, value in wire.fields(encoded) for n in wire.integers(value)] == dims


@given(INT32, st.text(max_size=300), INT32)
def test_numbers_and_texts_agree_with_protobuf(iteration, text, step):
    encoded = joined(wire.number(1, iteration) + wire.text(2, text) + wire.number(4, step))
    message = caffe_pb2.SolverState(iter=iteration, learned_net=text, current_step=step)
    assert encoded == message.SerializeToString()


@given(st.binary(max_size=200))
def test_any_bytes_are_walked_or_refused(data):
    try:
        values = list(wire.fields(memoryview(data)))
    except wire.WireError:
        return
    assert all(isinstance(value, (int, memoryview)) for _, value in values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0a", "ends within a number"),
        (b"\x0a\x05abc", "field 1 announces 5 bytes, 3 are left"),
        (b"\x0b", "begins no protobuf field"),
        (b"\x02\x00", "numbered 0"),
        (b"\x08" + b"\xff" * 11, "more than ten bytes"),
    ],
)
def test_damage_is_named(data, message):
    with pytest.raises(wire.WireError, match=message):
        list(wire.fields(memoryview(data)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4, 5)])
def test_blobs_agree_with_protobuf(dtype, shape):
    data = np.asarray(np.random.default_rng(0).standard_normal(shape), dtype)
    message = caffe_pb2.BlobProto.FromString(joined(encode_blob(data, np.asarray(-data))))
    field = "double_" if dtype == np.float64 else ""
    assert list(message.shape.dim) == list(shape)
    np.testing.assert_array_equal(np.array(getattr(message, f"{field}data"), dtype), data.reshape(-1))
    np.testing.assert_array_equal(np.array(getattr(message, f"{field}diff"), dtype), -data.reshape(-1))
    back = parse_blob(memoryview(message.SerializeToString()))
    np.testing.assert_array_equal(back.data, data)
    if data.size:  # an empty list of doubles cannot be told from one of floats
        np.testing.assert_array_equal(back.diff, -data)
        assert back.data.dtype == dtype
    assert not back.legacy


def test_a_transposed_array_is_written_in_its_own_order():
    data = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(parse_blob(memoryview(joined(encode_blob(data)))).data, data)


def test_arrays_are_not_copied_for_writing():
    data = np.ones((4, 5), np.float32)
    pieces = encode_blob(data)
    assert any(isinstance(p, memoryview) and np.shares_memory(np.frombuffer(p, np.uint8), data) for p in pieces)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_are_not_copied_for_reading_unless_they_are_to_own_their_memory(dtype):
    data = np.arange(20, dtype=dtype).reshape(4, 5)
    buffer = joined(encode_blob(data, -data))
    whole = np.frombuffer(buffer, np.uint8)
    for own in (True, False):
        blob = parse_blob(memoryview(buffer), own=own)
        for array, expected in ((blob.data, data), (blob.diff, -data)):
            np.testing.assert_array_equal(array, expected)
            assert np.shares_memory(array, whole) != own
            assert array.flags.writeable == own


def test_unpacked_floats_are_read():
    unpacked = b"".join(b"\x2d" + np.float32(v).tobytes() for v in (1.5, -2.0))
    unpacked += joined(wire.nested(7, [b"\x08\x02"]))  # an unpacked dim, too
    np.testing.assert_array_equal(parse_blob(memoryview(unpacked)).data, [1.5, -2.0])


def test_half_precision_of_nvidias_fork_is_read():
    data = np.array([1.5, -0.25, 65504], np.float16)
    encoded = joined(wire.nested(7, wire.packed(1, [3])) + wire.number(10, 2) + wire.nested(12, [data.tobytes()]))
    blob = parse_blob(memoryview(encoded))
    np.testing.assert_array_equal(blob.data, data.astype(np.float32))
    assert blob.data.dtype == np.float32


def test_doubles_are_preferred():
    message = caffe_pb2.BlobProto(data=[1, 2], double_data=[3, 4], shape=caffe_pb2.BlobShape(dim=[2]))
    np.testing.assert_array_equal(parse_blob(memoryview(message.SerializeToString())).data, [3, 4])


@pytest.mark.parametrize(
    "message",
    [
        caffe_pb2.BlobProto(data=[1] * 9, shape=caffe_pb2.BlobShape(dim=[2, 5])),
        caffe_pb2.BlobProto(data=[1] * 9),
        caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2])),
        caffe_pb2.BlobProto(data=[1, 2], shape=caffe_pb2.BlobShape(dim=[-1, 2])),
        caffe_pb2.BlobProto(data=[1, 2], shape=caffe_pb2.BlobShape(dim=[2**40, 2**40])),
        caffe_pb2.BlobProto(data=[1, 2], num=3),
    ],
)
def test_a_wrong_number_of_values_is_refused(message):
    with pytest.raises(wire.WireError, match=r"has \d values"):
        parse_blob(memoryview(message.SerializeToString()))


def test_a_list_of_floats_that_breaks_off_is_refused():
    with pytest.raises(wire.WireError, match="no multiple"):
        parse_blob(memoryview(joined(wire.nested(5, [b"12345"]))))
