"""MatWrite and MatRead."""

import numpy as np
import pytest
import scipy.io

from pydeeplab.errors import DataError, LayerError
from pydeeplab.formats.mat import read_mat, write_mat
from pydeeplab.net import Net
from pydeeplab.solver.state import capture, decode, encode, restore
from tests.layers.nets import inputs_text, net_text

X = np.random.default_rng(1).standard_normal((1, 3, 4, 5)).astype(np.float32)


def writer(param: str, **shapes: tuple[int, ...]) -> Net:
    net = Net.from_text(net_text(f'type: "MatWrite" mat_write_param {{ {param} }}', **(shapes or {"x": X.shape})))
    net.blobs["x"].data[...] = X
    return net


def reader(param: str, tops: str = 'top: "y"') -> Net:
    return Net.from_text(f'layer {{ name: "L" type: "MatRead" {tops} mat_read_param {{ {param} }} }}')


def test_write_numbers_files_where_there_is_no_list(tmp_path) -> None:
    net = writer(f'prefix: "{tmp_path}/new/fc8_" period: 2')
    for _ in range(3):
        net.forward()
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["fc8_iter_0_blob_0.mat", "fc8_iter_2_blob_0.mat"]
    np.testing.assert_array_equal(read_mat(tmp_path / "new" / "fc8_iter_0_blob_0.mat"), X)


def test_write_names_files_by_the_list(tmp_path) -> None:
    (tmp_path / "ids.txt").write_text("a.jpg label.png\nbc.jpg\n")
    net = writer(f'prefix: "{tmp_path}/" source: "{tmp_path}/ids.txt" strip: 4', x=X.shape, z=(2, 3))
    net.blobs["z"].data[...] = 7
    net.forward()
    net.forward()
    names = sorted(p.name for p in tmp_path.glob("*.mat"))
    assert names == ["a_blob_0.mat", "a_blob_1.mat", "bc_blob_0.mat", "bc_blob_1.mat"]
    assert read_mat(tmp_path / "a_blob_1.mat").shape == (2, 3, 1, 1)
    with pytest.raises(DataError, match=r"forward pass 3 has no name.*2 lines"):
        net.forward()


def test_write_has_no_say_in_back_propagation(tmp_path) -> None:
    text = (
        inputs_text({"x": X.shape})
        + f"""
        layer {{ name: "m" type: "MatWrite" bottom: "x" mat_write_param {{ prefix: "{tmp_path}/" }} }}
        layer {{ name: "r" type: "ReLU" bottom: "x" top: "y" }}"""
    )
    net = Net.from_text("force_backward: true\n" + text)
    net.blobs["x"].data[...] = X
    net.forward()
    net.blobs["y"].diff[...] = 3
    net.backward()
    np.testing.assert_array_equal(net.blobs["x"].diff, np.where(X > 0, 3, 0))


@pytest.mark.parametrize(
    ("param", "error", "message"),
    [
        ("", LayerError, "prefix must be given"),
        ('prefix: "x" period: 0', LayerError, "period must be at least 1"),
        ('prefix: "x" source: "/no/such/list"', DataError, "mat_write_param.source"),
    ],
)
def test_wrong_writers(param: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        writer(param)


def test_names_too_short_to_strip(tmp_path) -> None:
    (tmp_path / "ids.txt").write_text("abcd.jpg\nabcd\n")
    with pytest.raises(DataError, match=r"ids.txt:2: name 'abcd' is not longer than the 4 characters"):
        writer(f'prefix: "x" source: "{tmp_path}/ids.txt" strip: 4')


def test_unwritable_folder(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        writer(f'prefix: "{tmp_path}/file/x"').forward()


def test_read_fills_batches_and_starts_again(tmp_path) -> None:
    (tmp_path / "ids.txt").write_text("a\nb\nc\n")
    for i, name in enumerate("abc"):
        for blob in range(2):
            write_mat(tmp_path / f"{name}_blob_{blob}.mat", X * (i + 1) + blob)
    net = reader(f'prefix: "{tmp_path}/" source: "{tmp_path}/ids.txt" batch_size: 2', 'top: "y" top: "z"')
    assert net.blobs["y"].shape == (2, 3, 4, 5)
    for first, second in ((1, 2), (3, 1), (2, 3)):
        net.forward()
        np.testing.assert_array_equal(net.blobs["y"].data, np.concatenate([X * first, X * second]))
        np.testing.assert_array_equal(net.blobs["z"].data, np.concatenate([X * first, X * second]) + 1)


def test_read_of_numbered_files_and_of_gradients(tmp_path) -> None:
    for i in range(2):
        variables = {"data": np.asfortranarray((X + i).T), "diff": np.asfortranarray((X - i).T)}
        scipy.io.savemat(tmp_path / f"iter_{i}_blob_0.mat", variables, do_compression=True)
    net = reader(f'prefix: "{tmp_path}/"')
    for i in range(2):
        net.forward()
        np.testing.assert_array_equal(net.blobs["y"].data, X + i)
        np.testing.assert_array_equal(net.blobs["y"].diff, X - i)
    with pytest.raises(DataError, match=r"layer 'L'.*iter_2_blob_0.mat: no such file"):
        net.forward()


def test_read_of_other_shapes_and_types(tmp_path) -> None:
    write_mat(tmp_path / "iter_0_blob_0.mat", X)
    write_mat(tmp_path / "iter_1_blob_0.mat", X[:, :2])
    net = reader(f'prefix: "{tmp_path}/"')
    net.forward()
    with pytest.raises(DataError, match=r"shape \(2, 4, 5\), but the first file had \(3, 4, 5\)"):
        net.forward()
    write_mat(tmp_path / "iter_0_blob_0.mat", np.zeros((2, 1, 1, 1), np.float32))
    with pytest.raises(DataError, match=r"\[W, H, C, 1\], got float32 of size \[1, 1, 1, 2\]"):
        reader(f'prefix: "{tmp_path}/"')
    with pytest.raises(LayerError, match="batch_size"):
        reader(f'prefix: "{tmp_path}/" batch_size: 0')


def test_reading_and_writing_go_on_where_a_state_says(tmp_path) -> None:
    for i in range(3):
        write_mat(tmp_path / f"iter_{i}_blob_0.mat", X + i)
    net, resumed = (reader(f'prefix: "{tmp_path}/"') for _ in range(2))
    net.forward()
    net.forward()
    restore(resumed, decode(encode(capture(net))))
    np.testing.assert_array_equal(resumed.forward()["y"], X + 2)

    first, second = (writer(f'prefix: "{tmp_path}/out/"') for _ in range(2))
    first.forward()
    restore(second, capture(first))
    second.forward()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["iter_0_blob_0.mat", "iter_1_blob_0.mat"]


def test_written_files_can_be_read_back(tmp_path) -> None:
    writer(f'prefix: "{tmp_path}/"').forward()
    net = reader(f'prefix: "{tmp_path}/"')
    np.testing.assert_array_equal(net.forward()["y"], X)
