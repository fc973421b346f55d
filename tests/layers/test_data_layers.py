"""Layers that bring data into a net: recorded batches of Caffe, semantics, and errors that say which file."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import pydeeplab
from pydeeplab import TEST, TRAIN, Net
from pydeeplab.data import resize, voc_palette, write_label_png
from pydeeplab.data.prefetch import set_data_workers
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError, LayerError, UnsupportedError
from pydeeplab.formats import write_mean
from pydeeplab.proto import caffe_pb2
from pydeeplab.randomness import data_seeds
from tests.support.external import shared, shared_root

CASES = sorted(p.stem for p in shared_root().glob("reference/imageseg/*.prototxt")) if shared_root() else ["pad"]


@pytest.fixture
def recorded() -> Iterator[Path]:
    """The folder of recorded ImageSegData batches, as working folder."""
    folder = shared("reference/imageseg")
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture
def workers() -> Iterator[Callable[[int], None]]:
    """`set_data_workers`, undone afterwards."""
    yield set_data_workers
    set_data_workers(None)


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("case", CASES)
def test_batches_of_caffe(recorded: Path, case: str, count: int, workers: Callable[[int], None]) -> None:
    """Four passes of each recorded net; random ones with Caffe's draws for random_seed 1701."""
    workers(count)
    pydeeplab.set_random_seed(1701)
    net = Net(recorded / f"{case}.prototxt", TRAIN if case.startswith("train") else TEST)
    with np.load(recorded / f"{case}.npz") as expected:
        for step in range(4):
            net.forward()
            for blob in ("data", "label", "data_dim"):
                if blob == "label" and case.startswith("new_size"):
                    continue  # Caffe blends label numbers here; ours are those of the nearest pixel
                np.testing.assert_array_equal(net.blobs[blob].data, expected[f"{blob}/{step}"])


class Dataset:
    """A small data set in a folder."""

    def __init__(self, folder: Path, sizes: list[tuple[int, int]]):
        random = np.random.default_rng(3)
        self.folder = folder
        self.images = [random.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in sizes]
        self.labels = [random.integers(0, 5, (h, w), dtype=np.uint8) for h, w in sizes]
        for i, (image, label) in enumerate(zip(self.images, self.labels, strict=True)):
            Image.fromarray(image).save(folder / f"{i}.png")
            write_label_png(folder / f"{i}_label.png", label, voc_palette() if i % 2 else None)
        self.write("".join(f"/{i}.png /{i}_label.png\n" for i in range(len(sizes))))

    def write(self, text: str) -> None:
        (self.folder / "list.txt").write_text(text)

    def net(self, transform: str, options: str = "", phase: int = TEST, kind: str = "ImageSegData") -> Net:
        """A net of one data layer."""
        message = {"DenseImageData": "dense_image_data_param"}.get(kind, "image_data_param")
        tops = {"ImageSegData": 'top: "label" top: "size"'}.get(kind, 'top: "label"')
        return Net.from_text(
            f'layer {{ name: "in" type: "{kind}" top: "data" {tops} transform_param {{ {transform} }} {message} '
            f'{{ source: "{self.folder}/list.txt" root_folder: "{self.folder}" batch_size: 1 {options} }} }}',
            phase,
            filename="net.prototxt",
        )


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(tmp_path, [(8, 10), (8, 10), (11, 7)])


def planes(image: np.ndarray) -> np.ndarray:
    return image[:, :, ::-1].transpose(2, 0, 1)


def test_each_image_has_its_own_size_in_batches_of_one(dataset: Dataset) -> None:
    net = dataset.net("", "label_type: PIXEL")
    for _ in range(2):
        for image, label in zip(dataset.images, dataset.labels, strict=True):
            net.forward()
            np.testing.assert_array_equal(net.blobs["data"].data[0], planes(image))
            np.testing.assert_array_equal(net.blobs["label"].data[0, 0], label)
            assert net.blobs["size"].data.ravel().tolist() == list(label.shape)


def test_reshaping_a_net_does_not_skip_images(dataset: Dataset) -> None:
    net = dataset.net("", "label_type: PIXEL")
    for _ in range(3):
        net.reshape()
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data[0], planes(dataset.images[0]))


def test_larger_batches_of_several_sizes_need_a_crop(dataset: Dataset) -> None:
    net = Net.from_text(
        f'layer {{ name: "in" type: "ImageSegData" top: "data" top: "label" image_data_param {{ source: '
        f'"{dataset.folder}/list.txt" root_folder: "{dataset.folder}" batch_size: 2 label_type: PIXEL }} }}',
        TEST,
    )
    net.forward()
    with pytest.raises(DataError, match=r"list\.txt:1: the image is 8 x 10 .* the batch 11 x 7"):
        net.forward()


def test_the_list_starts_again_at_its_end(dataset: Dataset) -> None:
    net = dataset.net("crop_size: 5", "label_type: PIXEL")
    starts = []
    for _ in range(4):
        net.forward()
        starts.append(net.blobs["data"].data.copy())
    np.testing.assert_array_equal(starts[0], starts[3])


def test_new_size_resizes_images_smoothly_and_labels_to_the_nearest(dataset: Dataset) -> None:
    net = dataset.net("", "label_type: PIXEL new_height: 5 new_width: 9")
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data[0], planes(resize(dataset.images[0], 5, 9)))
    np.testing.assert_array_equal(net.blobs["label"].data[0, 0], resize(dataset.labels[0], 5, 9, "nearest"))


def test_shuffled_rounds_show_every_image_once(dataset: Dataset) -> None:
    pydeeplab.set_random_seed(4)
    net = dataset.net("crop_size: 12", "label_type: PIXEL shuffle: true", TRAIN)
    rounds = []
    for _ in range(6):
        seen = []
        for _ in range(3):
            net.forward()
            seen.append(float(net.blobs["data"].data.sum()))
        rounds.append(seen)
    assert {tuple(sorted(seen)) for seen in rounds} == {tuple(sorted(rounds[0]))}
    assert len({tuple(seen) for seen in rounds}) > 1


def test_the_same_seed_gives_the_same_items(dataset: Dataset) -> None:
    def run() -> list[np.ndarray]:
        pydeeplab.set_random_seed(8)
        net = dataset.net("crop_size: 4 mirror: true", "label_type: PIXEL shuffle: true rand_skip: 3", TRAIN)
        return [net.forward()["data"].copy() for _ in range(5)]

    for first, second in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(first, second)


AUGMENTED = "crop_size: 6 mirror: true scale_factors: 0.5 scale_factors: 1 scale_factors: 1.5"


@pytest.mark.parametrize("kind", ["ImageSegData", "ImageData", "DenseImageData"])
def test_workers_change_nothing(dataset: Dataset, kind: str, workers: Callable[[int], None]) -> None:
    if kind == "ImageData":
        dataset.write("/0.png 1\n/1.png 2\n/2.png 3\n")

    def run(count: int) -> list[np.ndarray]:
        workers(count)
        pydeeplab.set_random_seed(8)
        options = "shuffle: true rand_skip: 3 new_height: 9 new_width: 13"
        if kind == "ImageSegData":
            options += " label_type: PIXEL"
        net = dataset.net("crop_size: 4 mirror: true", options, TRAIN, kind)
        return [np.concatenate([net.forward()[top].ravel() for top in ("data", "label")]) for _ in range(25)]

    alone = run(0)
    assert any((alone[0] != other).any() for other in alone)
    for count in (1, 4):
        np.testing.assert_array_equal(alone, run(count))


def test_shuffling_and_skipping_take_caffes_numbers(dataset: Dataset) -> None:
    """The global generator's numbers: transformation, shuffle, skip, transformation again, thread."""
    pydeeplab.set_random_seed(8)
    layer = dataset.net("crop_size: 4 mirror: true", "label_type: PIXEL shuffle: true rand_skip: 3", TRAIN).layers[0]
    numbers = Twister(8)
    numbers.next()
    order = [0, 1, 2]
    Twister(numbers.next()).shuffle(order)
    skip = numbers.next() % 3
    transformation = Twister(numbers.next())
    assert layer.order.next() == order[skip]
    assert layer.augmenter.draw().mirror == transformation.next()
    numbers.next()
    assert data_seeds().next() == numbers.next()


def test_nothing_random_leaves_the_global_generator_to_others(dataset: Dataset) -> None:
    pydeeplab.set_random_seed(8)
    dataset.net("crop_size: 4", "label_type: PIXEL", TEST)
    numbers = Twister(8)
    numbers.next()
    assert data_seeds().next() == numbers.next()


@pytest.mark.parametrize("transform", [AUGMENTED, ""], ids=["crops", "sizes of images"])
@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0), (3, 3)])
def test_a_saved_state_goes_on_exactly(
    dataset: Dataset, transform: str, before: int, after: int, workers: Callable[[int], None]
) -> None:
    workers(before)
    options = "label_type: PIXEL shuffle: true"
    net = dataset.net(transform, options, TRAIN)
    for _ in range(7):
        net.forward()
    saved = net.layers[0].state
    copy = pickle.loads(pickle.dumps(saved))
    straight = [net.forward()["data"].copy() for _ in range(12)]
    workers(after)
    for target in (dataset.net(transform, options, TRAIN), net):
        target.forward()
        target.layers[0].state = copy
        for expected in straight:
            np.testing.assert_array_equal(target.forward()["data"], expected)


def test_the_state_can_be_read_at_any_time(dataset: Dataset, workers: Callable[[int], None]) -> None:
    """Reading it changes nothing, and before the first batch it is the beginning."""
    workers(2)
    net = dataset.net("", "label_type: PIXEL")
    start = net.layers[0].state
    for step in range(5):
        assert net.layers[0].state["order"]["position"] == step % 3
        net.forward()
    net.layers[0].state = start
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data[0], planes(dataset.images[0]))


@pytest.mark.parametrize("count", [0, 3])
def test_a_state_of_another_list_is_refused_and_changes_nothing(
    dataset: Dataset, count: int, workers: Callable[[int], None]
) -> None:
    workers(count)
    state = dataset.net("crop_size: 4", "label_type: PIXEL").layers[0].state
    dataset.write("/0.png /0_label.png\n/2.png /2_label.png\n")
    net = dataset.net("crop_size: 4 mirror: true", "label_type: PIXEL")
    net.forward()
    before = net.layers[0].state
    with pytest.raises(DataError, match="the saved order has 3 items, the data set 2"):
        net.layers[0].state = state
    with pytest.raises(KeyError):
        net.layers[0].state = {"order": before["order"]}
    after = net.layers[0].state
    assert after["order"]["position"] == before["order"]["position"] == 1
    np.testing.assert_array_equal(after["draws"]["state"]["key"], before["draws"]["state"]["key"])
    assert after["draws"]["state"]["pos"] == before["draws"]["state"]["pos"]


@pytest.mark.parametrize("count", [0, 4])
def test_an_unreadable_file_is_told_at_its_batch(dataset: Dataset, count: int, workers: Callable[[int], None]) -> None:
    workers(count)
    (dataset.folder / "1.png").write_bytes(b"no picture")
    net = dataset.net("crop_size: 4", "label_type: PIXEL")
    for _ in range(3):
        net.forward()
        with pytest.raises(
            DataError, match=r"layer 'in' \(ImageSegData\).*list\.txt:2: image '.*1\.png' cannot be read"
        ):
            net.forward()
        net.forward()
        assert net.layers[0].state["order"]["position"] == 0


def test_labels_of_whole_images_and_none(dataset: Dataset) -> None:
    dataset.write("/0.png 7\n")
    net = dataset.net("crop_size: 9 mean_value: 100", "label_type: IMAGE ignore_label: 99")
    net.forward()
    label = net.blobs["label"].data[0, 0]
    assert (label[:8] == 7).all()
    assert (label[8:] == 99).all()
    net = dataset.net("crop_size: 9", "label_type: NONE ignore_label: 99")
    net.forward()
    assert (net.blobs["label"].data == 99).all()
    assert net.blobs["size"].data.ravel().tolist() == [8, 9]


@pytest.mark.parametrize(("kind", "value"), [("PIXEL", 255), ("IMAGE", 0)])
def test_a_list_without_labels_is_read_with_a_warning(dataset: Dataset, kind: str, value: int) -> None:
    dataset.write("/0.png\n/1.png\n")
    with pytest.warns(UserWarning, match="lists no labels"):
        net = dataset.net("crop_size: 4", f"label_type: {kind}")
    net.forward()
    assert (net.blobs["label"].data == value).all()


def test_tops_may_be_left_out(dataset: Dataset) -> None:
    net = Net.from_text(
        f'layer {{ name: "in" type: "ImageSegData" top: "x" transform_param {{ crop_size: 4 }} image_data_param '
        f'{{ source: "{dataset.folder}/list.txt" root_folder: "{dataset.folder}" label_type: NONE }} }}',
        TEST,
    )
    assert net.outputs == ["x"]
    assert net.forward()["x"].shape == (1, 3, 4, 4)


def test_missing_files_are_named_when_the_net_is_built(dataset: Dataset) -> None:
    dataset.write("/0.png /0_label.png\n/absent.png /1_label.png\n/1.png /gone.png\n")
    with pytest.raises(DataError) as caught:
        dataset.net("crop_size: 4", "label_type: PIXEL")
    message = str(caught.value)
    for part in (
        "net.prototxt:1:1",
        "layer 'in' (ImageSegData)",
        "list.txt:2",
        "absent.png'",
        "2 files",
        "--define DATA_ROOT=",
    ):
        assert part in message
    (dataset.folder / "list.txt").unlink()
    with pytest.raises(DataError, match=r"list\.txt' does not exist.*--define DATA_ROOT=FOLDER"):
        dataset.net("crop_size: 4")


@pytest.mark.parametrize(
    ("transform", "options", "message"),
    [
        ("", "new_height: 5", "go together"),
        ("crop_size: 4 crop_height: 4", "", "not both"),
        ("mean_value: 1 mean_value: 2", "", "2 mean_value entries for 3"),
        ('mean_file: "none.binaryproto"', "", r"none\.binaryproto"),
    ],
)
def test_bad_options_name_the_layer(dataset: Dataset, transform: str, options: str, message: str) -> None:
    with pytest.raises(pydeeplab.errors.PydeeplabError, match=message) as caught:
        dataset.net(transform, options)
    assert "net.prototxt:1:1: layer 'in' (ImageSegData)" in str(caught.value)


def test_errors_of_items_name_their_line(dataset: Dataset) -> None:
    write_label_png(dataset.folder / "1_label.png", np.zeros((3, 3), np.uint8))
    net = dataset.net("crop_size: 4", "label_type: PIXEL")
    net.forward()
    with pytest.raises(DataError, match=r"list\.txt:2: the image is 8 x 10 .*label map 3 x 3"):
        net.forward()


def test_image_data(dataset: Dataset) -> None:
    (dataset.folder / "a b.png").write_bytes((dataset.folder / "2.png").read_bytes())
    dataset.write("/0.png 3\n/a b.png -2\n")
    net = dataset.net("mean_value: 10 scale: 0.5", kind="ImageData")
    for image, label in ((dataset.images[0], 3), (dataset.images[2], -2)):
        net.forward()
        np.testing.assert_array_equal(net.blobs["data"].data[0], (planes(image) - np.float32(10)) * np.float32(0.5))
        assert net.blobs["label"].data.tolist() == [label]
    dataset.write("/0.png three\n")
    with pytest.raises(DataError, match=r"list\.txt:1: expected a whole number after the image, got 'three'"):
        dataset.net("crop_size: 3", kind="ImageData").forward()


def test_grey_image_data(dataset: Dataset) -> None:
    dataset.write("/0.png 3\n")
    net = dataset.net("crop_size: 3", "is_color: false", kind="ImageData")
    assert net.forward()["data"].shape == (1, 1, 3, 3)


def test_dense_image_data_as_segnet_uses_it(dataset: Dataset) -> None:
    net = dataset.net("", kind="DenseImageData")
    for image, label in zip(dataset.images, dataset.labels, strict=True):
        net.forward()
        np.testing.assert_array_equal(net.blobs["data"].data[0], planes(image))
        np.testing.assert_array_equal(net.blobs["label"].data[0, 0], label)


def test_dense_image_data_as_enet_uses_it(dataset: Dataset) -> None:
    options = "new_height: 12 new_width: 8 label_divide_factor: 4 mirror: true"
    net = dataset.net("", options, kind="DenseImageData")
    image, label = (
        resize(dataset.images[0], 12, 8),
        resize(resize(dataset.labels[0], 12, 8, "nearest"), 3, 2, "nearest"),
    )
    seen = set()
    for step in range(30):
        net.forward()
        if step % 3 == 0:
            data, labels = net.blobs["data"].data[0], net.blobs["label"].data[0, 0]
            mirrored = not np.array_equal(data, planes(image))
            np.testing.assert_array_equal(data, planes(image[:, ::-1] if mirrored else image))
            np.testing.assert_array_equal(labels, label[:, ::-1] if mirrored else label)
            seen.add(mirrored)
    assert seen == {True, False}
    with pytest.raises(LayerError, match="exclude each other"):
        dataset.net("", "label_divide_factor: 4 crop_height: 4 crop_width: 4", kind="DenseImageData")


# Input, DummyData, MemoryData ----------------------------------------------------------------------------


def test_input_shapes() -> None:
    text = 'layer {{ name: "in" type: "Input" top: "a" top: "b" input_param {{ {} }} }}'
    one, two = "shape { dim: 2 dim: 3 }", "shape { dim: 4 }"
    assert Net.from_text(text.format(one), TEST).blobs["b"].shape == (2, 3)
    assert Net.from_text(text.format(one + two), TEST).blobs["b"].shape == (4,)
    assert Net.from_text(text.format(""), TEST).blobs["a"].shape == ()
    with pytest.raises(LayerError, match="2 tops but 3 shapes"):
        Net.from_text(text.format(one + two + two), TEST)


def test_dummy_data_refills_what_is_random() -> None:
    net = Net.from_text(
        'layer { name: "in" type: "DummyData" top: "a" top: "b" dummy_data_param { shape { dim: 5 } '
        'shape { dim: 2 dim: 2 } data_filler { type: "gaussian" std: 2 } data_filler { value: 3 } } }',
        TEST,
    )
    first = net.forward()["a"].copy()
    assert not np.array_equal(net.forward()["a"], first)
    assert (net.blobs["b"].data == 3).all()
    net.blobs["b"].data[0] = 9
    net.forward()
    assert net.blobs["b"].data.tolist() == [[9, 9], [3, 3]]


def test_dummy_data_of_old() -> None:
    text = 'layer {{ name: "in" type: "DummyData" top: "a" dummy_data_param {{ {} }} }}'
    net = Net.from_text(text.format("num: 2 channels: 3 height: 4 width: 5"), TEST)
    assert net.forward()["a"].shape == (2, 3, 4, 5)
    assert not net.blobs["a"].data.any()
    for wrong, message in (("num: 2", "equally often"), ("num: 1 shape { dim: 1 }", "not both"), ("", "needs shape")):
        with pytest.raises(LayerError, match=message):
            Net.from_text(text.format(wrong), TEST)


@pytest.fixture
def memory_net() -> Net:
    return Net.from_text(
        'layer { name: "in" type: "MemoryData" top: "x" top: "y" memory_data_param '
        "{ batch_size: 2 channels: 3 height: 4 width: 5 } }",
        TEST,
    )


def test_memory_data_goes_round(memory_net: Net) -> None:
    data = np.random.default_rng(0).standard_normal((4, 3, 4, 5), np.float32)
    labels = np.arange(4, dtype=np.float32)
    memory_net.layers[0].set_arrays(data, labels)
    for start in (0, 2, 0):
        memory_net.forward()
        np.testing.assert_array_equal(memory_net.blobs["x"].data, data[start : start + 2])
        assert memory_net.blobs["y"].data.tolist() == [start, start + 1]
    data[2:] = 7
    memory_net.forward()
    assert (memory_net.blobs["x"].data == 7).all()
    memory_net.layers[0].set_arrays(data, labels)
    memory_net.forward()
    assert memory_net.blobs["y"].data.tolist() == [0, 1]


def test_memory_data_state(memory_net: Net) -> None:
    data = np.zeros((6, 3, 4, 5), np.float32)
    memory_net.layers[0].set_arrays(data, np.arange(6, dtype=np.float32))
    memory_net.forward()
    saved = memory_net.layers[0].state
    memory_net.forward()
    memory_net.layers[0].state = saved
    memory_net.forward()
    assert memory_net.blobs["y"].data.tolist() == [2, 3]


def test_memory_data_checks_its_arrays(memory_net: Net) -> None:
    layer = memory_net.layers[0]
    with pytest.raises(DataError, match="set_input_arrays"):
        memory_net.forward()
    data, labels = np.zeros((2, 3, 4, 5), np.float32), np.zeros(2, np.float32)
    for wrong_data, wrong_labels, message in (
        (data[0], labels, "must be 4-d"),
        (data[:, :2], labels, r"shape \(N, 3, 4, 5\), got \(2, 2, 4, 5\)"),
        (data.astype(np.float64), labels, "must be float32"),
        (np.asfortranarray(data), labels, "C contiguous"),
        (data, labels[:1], "same first dimension"),
        (data[:1], labels[:1], "multiple of batch size 2"),
    ):
        with pytest.raises(DataError, match=message):
            layer.set_arrays(wrong_data, wrong_labels)


# HDF5Data ------------------------------------------------------------------------------------------------


class Rows:
    """HDF5 files of 5 and 3 rows; row i holds i in every value."""

    def __init__(self, folder: Path):
        self.folder = folder
        values = np.arange(8, dtype=np.float64)
        for name, part in (("a", values[:5]), ("b", values[5:])):
            with h5py.File(folder / f"{name}.h5", "w") as file:
                file["x"] = np.broadcast_to(part[:, None, None], (len(part), 2, 3))
                file["y"] = part
        (folder / "list.txt").write_text(f"{folder}/a.h5\n{folder}/b.h5\n")

    def net(self, options: str = "", tops: str = 'top: "x" top: "y"') -> Net:
        return Net.from_text(
            f'layer {{ name: "in" type: "HDF5Data" {tops} hdf5_data_param '
            f'{{ source: "{self.folder}/list.txt" batch_size: 4 {options} }} }}',
            TRAIN,
        )


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    return Rows(tmp_path)


def test_hdf5_batches_cross_files_and_rounds(rows: Rows) -> None:
    net = rows.net()
    seen = []
    for _ in range(6):
        net.forward()
        x, y = net.blobs["x"].data, net.blobs["y"].data
        assert x.shape == (4, 2, 3)
        assert (x == y[:, None, None]).all()
        seen += y.tolist()
    assert seen == [*range(8)] * 3


def test_hdf5_shuffling_keeps_rows_of_a_file_together(rows: Rows) -> None:
    net = rows.net("shuffle: true")
    seen = []
    for _ in range(20):
        net.forward()
        seen += net.blobs["y"].data.astype(int).tolist()
    rounds = [seen[i : i + 8] for i in range(0, len(seen), 8)]
    assert all(sorted(r) == list(range(8)) for r in rounds)
    assert all(set(r[:5]) == {0, 1, 2, 3, 4} or set(r[:3]) == {5, 6, 7} for r in rounds)
    assert len({tuple(r) for r in rounds}) > 3


@pytest.mark.parametrize("options", ["", "shuffle: true"])
def test_hdf5_state(rows: Rows, options: str) -> None:
    net = rows.net(options)
    for _ in range(3):
        net.forward()
    saved = net.layers[0].state
    straight = [net.forward() and net.blobs["y"].data.tolist() for _ in range(9)]
    again = rows.net(options)
    again.layers[0].state = saved
    assert [again.forward() and again.blobs["y"].data.tolist() for _ in range(9)] == straight
    with h5py.File(rows.folder / "a.h5", "w") as file:
        file["x"], file["y"] = np.zeros((2, 2, 3)), np.zeros(2)
    with h5py.File(rows.folder / "b.h5", "w") as file:
        file["x"], file["y"] = np.zeros((2, 2, 3)), np.zeros(2)
    with pytest.raises(DataError, match=r"the saved state is of a file of \d rows; '.*h5' has 2 now"):
        rows.net(options).layers[0].state = saved


def test_hdf5_errors(rows: Rows) -> None:
    with pytest.raises(DataError, match=r"has no dataset 'z'.* it has x, y"):
        rows.net(tops='top: "z"')
    with h5py.File(rows.folder / "a.h5", "a") as file:
        file["w"] = np.zeros(2)
    with pytest.raises(DataError, match=r"same number of rows.* x 5, w 2"):
        rows.net(tops='top: "x" top: "w"')
    (rows.folder / "b.h5").write_text("no")
    net = rows.net()
    with pytest.raises(DataError, match=r"b\.h5' is no HDF5 file"):
        net.forward() and net.forward()
    (rows.folder / "b.h5").unlink()
    net = rows.net()
    with pytest.raises(DataError, match=r"b\.h5', listed in .*list\.txt', does not exist"):
        net.forward() and net.forward()


def _compound(file: h5py.File) -> None:
    file["x"] = np.zeros(4, [("a", "f4"), ("b", "i4")])


def _huge(file: h5py.File) -> None:
    file.create_dataset("x", (10**7, 10**7), "f4", chunks=(1024, 1024))


def _dangling(file: h5py.File) -> None:
    file["x"] = h5py.SoftLink("/nowhere")


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda f: f.create_group("x"), "'x' is a group; a top needs a dataset"),
        (lambda f: f.create_dataset("x", data=[b"cat", b"dog"]), r"'x' holds values of type .*; a top needs"),
        (lambda f: f.create_dataset("x", data=["cat"], dtype=h5py.string_dtype()), "'x' holds values of type object"),
        (lambda f: f.create_dataset("x", data=np.ones(3, complex)), "'x' holds values of type complex128"),
        (lambda f: f.create_dataset("x", data=h5py.Empty("f4")), "'x' holds nothing"),
        (lambda f: f.create_dataset("x", data=3.0), "at least one; got x a scalar"),
        (lambda f: f.create_dataset("x", (0, 4), "f4"), "at least one; got x 0"),
        (_compound, "'x' holds values of type"),
        (_huge, r"shape \(10000000, 10000000\) takes 372529.0 GiB in memory"),
        (_dangling, r"a\.h5' is no HDF5 file, or damaged: .*component not found"),
    ],
)
def test_hdf5_files_without_rows_of_numbers(rows: Rows, fill: Callable[[h5py.File], object], message: str) -> None:
    with h5py.File(rows.folder / "a.h5", "w") as file:
        fill(file)
    with pytest.raises(DataError, match=message):
        rows.net(tops='top: "x"')


def test_damaged_hdf5_files_end_in_words(rows: Rows) -> None:
    """Cut short anywhere, or with any few bytes overwritten: rows, or an error that names the file."""
    whole = (rows.folder / "a.h5").read_bytes()
    random = np.random.default_rng(0)
    damaged = [whole[:size] for size in range(0, len(whole), len(whole) // 40)]
    for _ in range(200):
        broken = np.frombuffer(whole, np.uint8).copy()
        at = random.integers(0, len(whole) - 8)
        broken[at : at + 8] = random.integers(0, 256, 8)
        damaged.append(broken.tobytes())
    refused = []
    for data in damaged:
        (rows.folder / "a.h5").write_bytes(data)
        try:
            rows.net(tops='top: "x"').forward()
        except DataError as error:
            refused.append(str(error))
    assert len(refused) >= 40
    assert all("a.h5" in text for text in refused)


# Data and WindowData -------------------------------------------------------------------------------------


def data_net(folder: Path, transform: str = "", options: str = "backend: LMDB") -> Net:
    return Net.from_text(
        f'layer {{ name: "in" type: "Data" top: "x" top: "y" transform_param {{ {transform} }} data_param '
        f'{{ source: "{folder}/db" batch_size: 2 {options} }} }}',
        TEST,
    )


def datum(pixels: np.ndarray, label: int, **fields: object) -> bytes:
    message = caffe_pb2.Datum(channels=pixels.shape[0], height=pixels.shape[1], width=pixels.shape[2], label=label)
    message.data = pixels.tobytes()
    for name, value in fields.items():
        setattr(message, name, value)
    return message.SerializeToString()


def test_lmdb_records_in_key_order(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb", reason="the optional package lmdb is not installed")
    random = np.random.default_rng(0)
    pixels = [random.integers(0, 256, (3, 6, 7), dtype=np.uint8) for _ in range(3)]
    Image.fromarray(pixels[1][::-1].transpose(1, 2, 0)).save(tmp_path / "one.png")
    encoded = caffe_pb2.Datum(encoded=True, data=(tmp_path / "one.png").read_bytes(), label=11)
    with lmdb.open(str(tmp_path / "db")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"2", datum(pixels[2], 12))
        transaction.put(b"0", datum(pixels[0], 10))
        transaction.put(b"1", encoded.SerializeToString())
    net = data_net(tmp_path)
    seen = []
    for _ in range(3):
        net.forward()
        for x, y in zip(net.blobs["x"].data, net.blobs["y"].data, strict=True):
            np.testing.assert_array_equal(x, pixels[int(y) - 10])
            seen.append(int(y))
    assert seen == [10, 11, 12] * 2
    net = data_net(tmp_path, "crop_size: 4 mean_value: 5 scale: 2")
    net.forward()
    np.testing.assert_array_equal(net.blobs["x"].data[0], (pixels[0][:, 1:5, 1:5] - np.float32(5)) * 2)


def test_lmdb_state_and_workers(tmp_path: Path, workers: Callable[[int], None]) -> None:
    lmdb = pytest.importorskip("lmdb", reason="the optional package lmdb is not installed")
    random = np.random.default_rng(0)
    with lmdb.open(str(tmp_path / "db"), map_size=2**22) as environment, environment.begin(write=True) as transaction:
        for i in range(7):
            transaction.put(b"%03d" % i, datum(random.integers(0, 256, (3, 9, 9), dtype=np.uint8), i))

    def run(net: Net) -> list[np.ndarray]:
        return [np.concatenate([net.forward()[top].ravel() for top in ("x", "y")]) for _ in range(6)]

    def build() -> Net:
        pydeeplab.set_random_seed(5)
        return data_net(tmp_path, "crop_size: 4 mirror: true", "backend: LMDB rand_skip: 5")

    workers(0)
    alone = build()
    first, second = run(alone), run(alone)
    workers(3)
    net = build()
    np.testing.assert_array_equal(run(net), first)
    saved = net.layers[0].state
    np.testing.assert_array_equal(run(net), second)
    again = build()
    again.layers[0].state = saved
    np.testing.assert_array_equal(run(again), second)
    with pytest.raises(DataError, match="has no record 'zz' any more"):
        again.layers[0].state = {**saved, "key": b"zz".hex()}


def test_lmdb_errors(tmp_path: Path) -> None:
    pytest.importorskip("lmdb", reason="the optional package lmdb is not installed")
    with pytest.raises(DataError, match=r"layer 'in' \(Data\): database '.*db' does not exist"):
        data_net(tmp_path)
    (tmp_path / "db").mkdir()
    with pytest.raises(DataError, match="no LMDB database"):
        data_net(tmp_path)


def test_databases_that_cannot_be_read_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedError, match=r"layer 'in' \(Data\): LEVELDB .* backend: LMDB"):
        data_net(tmp_path, options="")
    monkeypatch.setitem(__import__("sys").modules, "lmdb", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'pydeeplab\[lmdb\]'"):
        data_net(tmp_path)


WINDOWS = "# 0\n/0.png\n3\n20\n30\n3\n2 0.9 4 2 13 11\n0 0.1 0 0 29 19\n1 0.4 1 1 2 2\n"


class Windows:
    """A window file over one image."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.image = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(self.image).save(folder / "0.png")
        self.write(WINDOWS)

    def write(self, text: str) -> None:
        (self.folder / "windows.txt").write_text(text)

    def net(self, transform: str = "", options: str = "") -> Net:
        return Net.from_text(
            f'layer {{ name: "in" type: "WindowData" top: "x" top: "y" transform_param {{ crop_size: 10 {transform} }} '
            f'window_data_param {{ source: "{self.folder}/windows.txt" root_folder: "{self.folder}" batch_size: 4 '
            f"fg_threshold: 0.5 bg_threshold: 0.3 fg_fraction: 0.5 {options} }} }}",
            TRAIN,
        )


@pytest.fixture
def windows(tmp_path: Path) -> Windows:
    return Windows(tmp_path)


def test_windows_are_background_then_foreground(windows: Windows) -> None:
    net = windows.net("mean_value: 7")
    net.forward()
    assert net.blobs["y"].data.tolist() == [0, 0, 2, 2]
    whole, object_ = resize(windows.image, 10, 10), windows.image[2:12, 4:14]
    for x, expected in zip(net.blobs["x"].data, (whole, whole, object_, object_), strict=True):
        np.testing.assert_array_equal(x, planes(expected) - np.float32(7))


def test_window_context_and_mean_file(windows: Windows) -> None:
    mean = np.full((3, 12, 12), 20, np.float32)
    write_mean(windows.folder / "mean.binaryproto", mean)
    net = windows.net(f'mean_file: "{windows.folder}/mean.binaryproto"', "context_pad: 2")
    net.forward()
    # 10 pixels become 6 in the crop: the window grows by 10/6 about its centre, to rows -1..15 and columns 1..17.
    piece = resize(windows.image[0:16, 1:18], 9, 10)
    data = net.blobs["x"].data[2]
    assert not data[:, 0].any()
    np.testing.assert_array_equal(data[:, 1:], planes(piece) - np.float32(20))


def test_mirrored_windows(windows: Windows) -> None:
    net = windows.net("mirror: true")
    seen = set()
    for _ in range(10):
        net.forward()
        for x in net.blobs["x"].data[2:]:
            seen.add(
                next(m for m in (0, 1) if np.array_equal(x[:, :, ::-1] if m else x, planes(windows.image[2:12, 4:14])))
            )
    assert seen == {0, 1}


def test_windows_state(windows: Windows) -> None:
    net = windows.net("mirror: true")
    net.forward()
    saved = net.layers[0].state
    straight = [net.forward() and net.blobs["x"].data.copy() for _ in range(8)]
    net.layers[0].state = saved
    for expected in straight:
        net.forward()
        np.testing.assert_array_equal(net.blobs["x"].data, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no windows"),
        ("# 0 /0.png 3 20 30 1 2 0.9 4 2 13", "word 12: expected corner y2, got 'the end of the file'"),
        ("# 0 /0.png 3 20 thirty 1", "word 6: expected width, got 'thirty'"),
        ("0 /0.png", r"word 1: expected '#', got '0'"),
        ("# 0 /0.png 3 20 30 1 2 0.9 4 2 13 11", "no window with an overlap below bg_threshold 0.3"),
        ("# 0 /0.png 3 20 30 1 2 0.1 4 2 13 11", "no window with an overlap of fg_threshold 0.5 or more"),
    ],
)
def test_damaged_window_files(windows: Windows, text: str, message: str) -> None:
    windows.write(text)
    with pytest.raises(DataError, match=message):
        windows.net()


def test_no_warnings_for_ordinary_lists(dataset: Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset.net("crop_size: 4", "label_type: PIXEL").forward()
