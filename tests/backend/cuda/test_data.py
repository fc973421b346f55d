"""Batches of pictures go to the device as bytes, and are there what they are on the CPU, in every bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab import get_solver, set_random_seed
from pydeeplab.backend import get_backend
from pydeeplab.backend.cuda.backend import CudaBackend
from pydeeplab.data import write_label_png
from pydeeplab.data.prefetch import set_data_workers
from pydeeplab.errors import DataError
from pydeeplab.formats import write_mean
from pydeeplab.layer import TRAIN
from pydeeplab.layers._pictures import PictureLayer
from pydeeplab.net import Net
from pydeeplab.proto import caffe_pb2
from pydeeplab.segmentation import Segmenter
from tests.data_package.test_training import NET, SOLVER, weights

BATCH, HEIGHT, WIDTH = 3, 16, 19
MEANS = "mean_value: 104.008 mean_value: 116.669 mean_value: 122.675"
MESSAGES = {"Data": "data_param", "DenseImageData": "dense_image_data_param"}
LABELS = {"ImageData": "0.png 5\n1.png 700\n2.png -2\n3.png 0\n"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Four pictures, as files and as records, their label maps, and a mean image; the working folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    for i in range(4):
        image = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(image).save(f"{i}.png")
        write_label_png(f"{i}_label.png", random.integers(0, 5, (HEIGHT, WIDTH), dtype=np.uint8))
    write_mean("mean.binaryproto", random.uniform(90, 130, (3, HEIGHT, WIDTH)).astype(np.float32))
    yield tmp_path
    set_data_workers(None)


def datum(**fields: object) -> bytes:
    return caffe_pb2.Datum(channels=3, height=HEIGHT, width=WIDTH, **fields).SerializeToString()


def write_records(records: list[bytes]) -> None:
    lmdb = pytest.importorskip("lmdb", reason="the optional package lmdb is not installed")
    with lmdb.open("records") as environment, environment.begin(write=True) as transaction:
        for i, record in enumerate(records):
            transaction.put(b"%d" % i, record)


def write_pictures_as_records() -> None:
    planes = [np.asarray(Image.open(f"{i}.png")).transpose(2, 0, 1).tobytes() for i in range(4)]
    write_records([datum(data=data, label=i) for i, data in enumerate(planes)])


def data_net(backend: str, kind: str, transform: str, options: str = "", batch: int = BATCH) -> Net:
    """A net of one data layer; the first crops, and their order, are always the same."""
    text = LABELS.get(kind) or "".join(f"{i}.png {i}_label.png\n" for i in range(4))
    Path("list.txt").write_text(text)
    source = 'source: "records" backend: LMDB' if kind == "Data" else 'source: "list.txt" shuffle: true'
    tops = 'top: "data" top: "label"' + (' top: "size"' if kind == "ImageSegData" else "")
    set_random_seed(8)
    return Net.from_text(
        f'layer {{ name: "in" type: "{kind}" {tops} transform_param {{ {transform} }} '
        f"{MESSAGES.get(kind, 'image_data_param')} {{ {source} batch_size: {batch} {options} }} }}",
        TRAIN,
        backend=backend,
    )


def batches(net: Net, count: int = 5) -> list[bytes]:
    found = []
    for _ in range(count):
        net.forward()
        found.append(b"".join(blob.data.tobytes() for blob in net.blobs.values()))
    return found


def sent(backend: CudaBackend, net: Net, before: int = 1) -> int:
    """Bytes that go to the device for the batch after the first ``before`` ones, when layers read all of it."""
    for _ in range(before):
        _take(net)
    first = backend.allocator.traffic.uploaded_bytes
    _take(net)
    return backend.allocator.traffic.uploaded_bytes - first


def _take(net: Net) -> None:
    net._forward(0, 0)
    for blob in net.blobs.values():
        blob.read()


CROP = "mirror: true crop_size: 11"
TRANSFORMS = {
    "plain": "",
    "crops": CROP,
    "means": f"{CROP} {MEANS} scale: 0.017",
    "mean image": f'{CROP} mean_file: "mean.binaryproto" scale: 0.017',
    "whole with mean image": 'mirror: true mean_file: "mean.binaryproto"',
}
SCALES = "scale_factors: 0.5 scale_factors: 1 scale_factors: 1.5"
CASES = [(kind, name, text) for kind in ("ImageSegData", "ImageData", "Data") for name, text in TRANSFORMS.items()] + [
    ("ImageSegData", "scaled and padded", f"mirror: true crop_size: 15 {MEANS} scale: 0.3 {SCALES}"),
    ("DenseImageData", "crops", CROP),
]


@pytest.mark.parametrize(("kind", "transform"), [(c[0], c[2]) for c in CASES], ids=[f"{c[0]}-{c[1]}" for c in CASES])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_cpu(name: str, folder: Path, kind: str, transform: str, workers: int) -> None:
    if kind == "Data":
        write_pictures_as_records()
    options = "label_type: PIXEL" if kind == "ImageSegData" else ""
    set_data_workers(workers)
    expected, found = (batches(data_net(backend, kind, transform, options)) for backend in ("cpu", name))
    assert found == expected
    assert len(set(found)) > 1


@pytest.mark.parametrize("kind", ["ImageSegData", "ImageData", "Data", "DenseImageData"])
@pytest.mark.parametrize("transform", ["means", "mean image"])
def test_pixels_and_label_maps_are_sent_as_bytes(
    backend: CudaBackend, name: str, folder: Path, kind: str, transform: str
) -> None:
    if kind == "Data":
        write_pictures_as_records()
    options = "label_type: PIXEL" if kind == "ImageSegData" else ""
    crop = 11 * 11
    others = {"ImageSegData": crop + 2 * 4, "DenseImageData": crop}.get(kind, 4)
    assert sent(backend, data_net(name, kind, TRANSFORMS[transform], options)) == BATCH * (3 * crop + others)


@pytest.mark.parametrize(
    ("options", "deep", "numbers"),
    [
        ("label_type: PIXEL", 300, 1),
        ("label_type: PIXEL", 255, 0),
        ("label_type: PIXEL ignore_label: -1", 0, 4),
        ("label_type: NONE ignore_label: 1000", 0, 4),
        ("label_type: NONE ignore_label: 21", 0, 0),
    ],
)
def test_labels_that_are_no_bytes(
    backend: CudaBackend, name: str, folder: Path, options: str, deep: int, numbers: int
) -> None:
    """Maps of 16 bits, and ignored labels beyond 0..255: their items are sent as numbers, beside the bytes."""
    if deep:
        label = np.full((HEIGHT, WIDTH), deep, np.uint16)
        Image.fromarray(label).save("1_label.png")
    transform = f"mirror: true crop_size: 17 {MEANS}"
    expected, found = (batches(data_net(b, "ImageSegData", transform, options, 4)) for b in ("cpu", name))
    assert found == expected
    net = data_net(name, "ImageSegData", transform, options, 4)
    assert sent(backend, net) == 4 * (17 * 17 * 4 + 2 * 4) + numbers * 17 * 17 * 4


def test_smaller_label_maps(name: str, folder: Path) -> None:
    options = "label_divide_factor: 4 mirror: true new_height: 12 new_width: 20"
    expected, found = (batches(data_net(backend, "DenseImageData", "", options)) for backend in ("cpu", name))
    assert found == expected


def test_records_of_floats_and_bytes_mix(backend: CudaBackend, name: str, folder: Path) -> None:
    """Floats are sent as floats, their window only, and bytes as bytes."""
    random = np.random.default_rng(0)
    numbers = random.standard_normal((4, 3 * HEIGHT * WIDTH))
    pixels = random.integers(0, 256, (3, HEIGHT, WIDTH), dtype=np.uint8).tobytes()
    write_records([datum(float_data=row) for row in numbers] + [datum(data=pixels)])
    transform = TRANSFORMS["mean image"]
    expected, found = (batches(data_net(b, "Data", transform, batch=2)) for b in ("cpu", name))
    assert found == expected
    net = data_net(name, "Data", transform, batch=2)
    window = 3 * 11 * 11
    assert sent(backend, net, 1) == 2 * 4 * window + 2 * 4  # records 2 and 3
    assert sent(backend, net, 0) == 2 * window + 4 * window + 2 * 4  # records 4 and 0


def test_pictures_of_several_sizes(name: str, folder: Path) -> None:
    """Batches of one take each picture's own size."""
    for i in range(4):
        Image.fromarray(np.full((9 + i, 12 - i, 3), 40 * i, np.uint8)).save(f"{i}.png")
        write_label_png(f"{i}_label.png", np.full((9 + i, 12 - i), i, np.uint8))
    expected, found = (
        batches(data_net(backend, "ImageSegData", MEANS, "label_type: PIXEL", 1), 9) for backend in ("cpu", name)
    )
    assert found == expected


def test_a_mean_image_cannot_be_padded(name: str, folder: Path) -> None:
    for backend in ("cpu", name):
        net = data_net(backend, "ImageSegData", 'crop_size: 17 mean_file: "mean.binaryproto"', "label_type: PIXEL")
        with pytest.raises(DataError, match=r"list\.txt:\d.* 16 x 19 .*smaller than the crop 17 x 17.*no mean"):
            net.forward()


def test_goes_on_where_it_was_saved(name: str, folder: Path) -> None:
    net = data_net(name, "ImageSegData", TRANSFORMS["means"], "label_type: PIXEL")
    batches(net, 3)
    saved = net.layers[0].state
    expected = batches(net, 4)
    again = data_net("cpu", "ImageSegData", TRANSFORMS["means"], "label_type: PIXEL")
    again.layers[0].state = saved
    assert batches(again, 4) == expected


def test_training_is_that_with_batches_of_the_host(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same weights in every bit as when the host makes the batches."""
    monkeypatch.setenv("PYDEEPLAB_BACKEND", name)
    Path("net.prototxt").write_text(NET)
    Path("solver.prototxt").write_text(SOLVER.format(extra="test_iter: 2 test_interval: 3"))
    Path("list.txt").write_text("".join(f"/{i}.png /{i}_label.png\n" for i in range(4)))
    for i in range(4):
        write_label_png(f"{i}_label.png", np.asarray(Image.open(f"{i}_label.png")) % 3)

    def train() -> dict[str, bytes]:
        solver = get_solver("solver.prototxt")
        solver.step(5)
        return weights(solver)

    on_device = train()
    monkeypatch.setattr(PictureLayer, "pixel_backend", property(lambda _: get_backend("cpu")))
    assert train() == on_device


SCORES = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 33 dim: 33 } } }
layer { name: "score" type: "Pooling" bottom: "data" top: "score" pooling_param { kernel_size: 1 } }
"""


@pytest.mark.parametrize("flip", [False, True])
def test_segmenting_sends_the_pictures_bytes(backend: CudaBackend, name: str, flip: bool) -> None:
    """A net that gives back what it is shown: the same on both, and no more is sent than the pixels of each view."""
    image = np.random.default_rng(0).integers(0, 256, (21, 33, 3), dtype=np.uint8)
    host, device = (Segmenter(Net.from_text(SCORES, backend=b), flip=flip, scale=0.017) for b in ("cpu", name))
    expected = host.scores(image)
    device.scores(image)
    before = backend.allocator.traffic.uploaded_bytes
    np.testing.assert_array_equal(device.scores(image), expected)
    assert backend.allocator.traffic.uploaded_bytes - before == image.nbytes * (2 if flip else 1)
