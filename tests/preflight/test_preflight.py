"""What a preflight finds, on a small data set into which one mistake at a time is put."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import pydeeplab
from pydeeplab.cli import main
from pydeeplab.data import colorize, voc_palette, write_label_png
from pydeeplab.errors import DataError, PrototxtError
from pydeeplab.preflight import Report, check_net, check_training
from pydeeplab.preflight import nets as nets_module

TRAIN_NET = """
layer {{ name: "data" type: "ImageSegData" top: "data" top: "label" include {{ phase: TRAIN }}
  transform_param {{ mirror: true crop_size: {crop} mean_value: 104.008 mean_value: 116.669 mean_value: 122.675 {t} }}
  image_data_param {{ source: "train.txt" root_folder: "{root}" batch_size: 2 shuffle: true label_type: PIXEL {i} }} }}
layer {{ name: "data" type: "ImageSegData" top: "data" top: "label" include {{ phase: TEST }}
  transform_param {{ crop_size: 41 mean_value: 104.008 mean_value: 116.669 mean_value: 122.675 }}
  image_data_param {{ source: "val.txt" root_folder: "{root}" batch_size: 1 label_type: PIXEL }} }}
layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param {{ lr_mult: 1 }}
  param {{ lr_mult: 2 decay_mult: 0 }} convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 stride: 8 {filler} }} }}
layer {{ name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }}
layer {{ name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2" param {{ lr_mult: 1 }}
  param {{ lr_mult: 2 decay_mult: 0 }}
  convolution_param {{ num_output: 4 kernel_size: 3 pad: 2 dilation: 2 {filler} }} }}
layer {{ name: "fc8_x" type: "Convolution" bottom: "conv2" top: "fc8" param {{ lr_mult: {lr} }}
  param {{ lr_mult: 20 decay_mult: 0 }}
  convolution_param {{ num_output: 5 kernel_size: 1 weight_filler {{ type: "gaussian" std: 0.01 }} }} }}
layer {{ name: "shrink" type: "Interp" bottom: "label" top: "small" interp_param {{ shrink_factor: 8 }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "small" top: "loss" loss_param {{ {ignore} }}
  include {{ phase: TRAIN }} }}
layer {{ name: "acc" type: "SegAccuracy" bottom: "fc8" bottom: "small" top: "acc" include {{ phase: TEST }}
  seg_accuracy_param {{ ignore_label: 255 }} }}
"""
SOLVER = """
net: "net.prototxt" test_iter: 2 test_interval: 10 base_lr: 0.001 lr_policy: "poly" power: 0.9 max_iter: 20
momentum: 0.9 weight_decay: 0.0005 iter_size: 5 snapshot_prefix: "snapshots/x"
"""
MSRA = 'weight_filler { type: "msra" }'


class Project:
    """A solver, its net, and lists of 6 and 2 images of 41 x 41 with labels of 5 classes."""

    def __init__(self, folder: Path):
        self.folder = folder
        random = np.random.default_rng(0)
        (folder / "snapshots").mkdir()
        for name in [f"t{i}" for i in range(6)] + ["v0", "v1"]:
            Image.fromarray(random.integers(0, 256, (41, 41, 3), dtype=np.uint8)).save(folder / f"{name}.png")
            labels = random.integers(0, 5, (41, 41), dtype=np.uint8)
            labels[0, :3] = 255
            self.write_label(name, labels)
        self.write_list("train", [f"t{i}" for i in range(6)])
        self.write_list("val", ["v0", "v1"])
        self.net()
        self.solver(SOLVER)

    def write_label(self, name: str, labels: np.ndarray) -> None:
        write_label_png(self.folder / f"{name}_label.png", labels)

    def write_list(self, name: str, images: list[str]) -> None:
        (self.folder / f"{name}.txt").write_text("".join(f"/{i}.png /{i}_label.png\n" for i in images))

    def net(self, **changes: object) -> None:
        values = {
            "crop": 33,
            "t": "",
            "i": "",
            "filler": MSRA,
            "lr": 10,
            "ignore": "ignore_label: 255",
            "root": self.folder,
        }
        (self.folder / "net.prototxt").write_text(TRAIN_NET.format(**(values | changes)))

    def solver(self, text: str) -> None:
        (self.folder / "solver.prototxt").write_text(text)

    def check(self, **options: object) -> Report:
        return check_training(self.folder / "solver.prototxt", **options)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def has(report: Report, severity: str, *parts: str) -> bool:
    """Whether a finding of this severity has all these parts in its net, topic, message or advice."""
    texts = [f"{f.net} {f.topic} {f.message} {f.advice}" for f in report.of(severity)]
    found = any(all(part in text for part in parts) for text in texts)
    assert found, f"no {severity} with {parts} among\n" + "\n".join(texts)
    return found


def test_a_sound_training_has_neither_errors_nor_warnings(project: Project) -> None:
    report = project.check()
    assert report.ok
    assert not report.of("warning")
    assert report.facts["train images"] == 6
    assert report.facts["epochs"] == pytest.approx(20 * 2 * 5 / 6)
    assert set(report.facts["train pixels by label"]) == {"0", "1", "2", "3", "4", "255"}
    assert has(report, "note", "epochs", "20 steps of 10 images are 33.3 rounds through the 6 images")
    assert has(report, "note", "memory", "training needs about")
    assert report.facts["memory bytes"] > 0
    assert not list((project.folder / "snapshots").iterdir())


def test_every_file_is_looked_at(project: Project) -> None:
    (project.folder / "t3.png").write_bytes(b"")
    (project.folder / "t4.png").write_bytes((project.folder / "t0.png").read_bytes()[:-200])
    (project.folder / "t5_label.png").unlink()
    (project.folder / "v1_label.png").write_text("no picture")
    report = project.check()
    assert has(report, "error", "train.txt:4", "t3.png' cannot be read: the file is empty")
    assert has(report, "error", "train.txt:5", "t4.png' is damaged")
    assert has(report, "error", "train.txt:6", "t5_label.png' does not exist")
    assert has(report, "error", "1 of its files do not exist", "--define DATA_ROOT=FOLDER")
    assert has(report, "error", "val.txt:2", "v1_label.png' cannot be read")


@pytest.mark.parametrize("workers", [1, 3])
def test_findings_come_in_the_order_of_the_list(project: Project, workers: int) -> None:
    """However many threads look, and progress counts every line."""
    for i in (1, 4):
        (project.folder / f"t{i}.png").write_bytes(b"")
    seen: list[tuple[str, int, int]] = []
    report = project.check(workers=workers, watch=lambda *progress: seen.append(progress))
    empty = [f.message for f in report.of("error") if "the file is empty" in f.message]
    assert [m.partition(": ")[0] for m in empty] == ["train.txt:2", "train.txt:5"]
    assert [done for label, done, total in seen if label == "checking train.txt"] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(pydeeplab.errors.UsageError, match="at least 1, got 0"):
        project.check(workers=0)


def test_fast_checks_decode_a_sample(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.folder / "t3.png").write_bytes((project.folder / "t0.png").read_bytes()[:-200])
    assert not project.check(fast=True).ok, "few images are all decoded"
    monkeypatch.setattr("pydeeplab.preflight.lists.SAMPLE", 2)
    assert project.check(fast=True).ok
    write_label_png(project.folder / "t2_label.png", np.zeros((5, 5), np.uint8))
    assert has(project.check(fast=True), "error", "train.txt:3", "is 5 x 5 (height x width), its image")


def test_sizes_of_image_and_label(project: Project) -> None:
    project.write_label("t1", np.zeros((41, 40), np.uint8))
    assert has(project.check(), "error", "train.txt:2", "41 x 40 (height x width), its image", "41 x 41")


def test_values_that_are_no_class_are_named(project: Project) -> None:
    labels = np.zeros((41, 41), np.uint8)
    labels[7, 30:] = 9
    project.write_label("t1", labels)
    labels[2, 5] = 9
    project.write_label("t2", labels)
    report = project.check()
    assert has(report, "error", "train.txt:2: unexpected label 9", "row 7, column 30", "23 pixels in 2 files")
    assert has(report, "error", "layer 'loss' takes labels 0..4 or ignored (255)", "Set ignore_label")


def test_palettes_read_as_grey_are_recognised(project: Project) -> None:
    project.write_label("t1", np.full((41, 41), 38, np.uint8))
    project.write_label("t2", np.full((41, 41), 75, np.uint8))
    report = project.check()
    assert has(report, "error", "38 and 75 are the greys of classes 1 and 2 in the palette of PASCAL VOC", "original")


def test_palette_files_are_read_as_indices_and_said_so(project: Project) -> None:
    labels = np.random.default_rng(0).integers(0, 5, (41, 41), dtype=np.uint8)
    write_label_png(project.folder / "t1_label.png", labels, voc_palette())
    report = project.check()
    assert report.ok
    assert has(report, "note", "1 palette PNG among the label maps")


def test_coloured_labels_are_explained(project: Project) -> None:
    labels = np.random.default_rng(0).integers(0, 5, (41, 41), dtype=np.uint8)
    Image.fromarray(colorize(labels, voc_palette())).save(project.folder / "t1_label.png")
    report = project.check()
    assert has(report, "error", "train.txt:2", "holds colours, not classes", "All of its colours are those of 'voc12'")


def test_labels_that_are_all_ignored_and_classes_that_never_occur(project: Project) -> None:
    for i in range(6):
        project.write_label(f"t{i}", np.full((41, 41), 255 if i == 1 else min(i, 3), np.uint8))
    report = project.check()
    assert report.ok
    assert has(report, "warning", "train.txt:2: every pixel of", "is ignored")
    assert has(report, "warning", "class(es) 1, 4 occur in no label map of 'train.txt'")


def test_padding_must_be_ignored(project: Project) -> None:
    project.net(crop=49, ignore="")
    for i in range(6):
        project.write_label(f"t{i}", np.full((41, 41), i % 5, np.uint8))
    text = "the image (41 x 41) is smaller than the crop 49 x 49 (and 5 more images)"
    assert has(project.check(), "error", text, "its padding gets label 255", "Add ignore_label: 255")
    project.net(crop=49, ignore="", i="ignore_label: 0")
    assert has(project.check(), "warning", text, "its padding gets label 0, which is a class")
    project.net(crop=33, t="scale_factors: 0.5 scale_factors: 1", ignore="")
    assert has(project.check(), "error", "at scale 0.5 is smaller than the crop 33 x 33")


def test_crops_that_do_not_suit_the_net(project: Project) -> None:
    project.net(crop=32)
    report = project.check()
    assert report.ok
    assert has(report, "warning", "train", "a crop of 32 does not suit", "8k+1", "'shrink'", "does is 33")
    project.net(crop=30)
    assert has(project.check(), "warning", "does is 33")


def test_columns_of_lists(project: Project) -> None:
    one_column = "".join(f"/t{i}.png\n" for i in range(6))
    (project.folder / "train.txt").write_text(one_column)
    report = project.check()
    assert has(report, "error", "train", "label_type is PIXEL, but 'train.txt' lists no labels", "'image label'")
    (project.folder / "train.txt").write_text("/t0.png /t0_label.png\n/t1.png\n/t2.png\n")
    assert has(project.check(), "error", "train.txt:2: no label, unlike other lines (2 such lines)")
    project.write_list("train", ["t0", "t1"])
    (project.folder / "val.txt").write_text("/v0.png\n/v1.png\n")
    report = project.check()
    assert report.ok
    assert has(report, "note", "test", "label_type is PIXEL, but 'val.txt' lists no labels", "label_type: NONE")


def test_a_slash_missing_after_the_root_folder_is_pointed_out(project: Project) -> None:
    (project.folder / "train.txt").write_text("t0.png t0_label.png\n")
    finding = next(f for f in project.check().findings if "2 of its files" in f.message)
    assert finding.advice.endswith(f'write root_folder: "{project.folder}/".')
    with pytest.raises(DataError, match="is put before each path as it stands"):
        pydeeplab.Net(project.folder / "net.prototxt", pydeeplab.TRAIN)


def test_the_default_label_type_is_pointed_out(project: Project) -> None:
    text = (project.folder / "net.prototxt").read_text().replace("label_type: PIXEL", "", 1)
    (project.folder / "net.prototxt").write_text(text)
    report = project.check()
    assert has(report, "error", "train.txt:1: expected a whole number", "t0_label.png", "label_type: PIXEL")
    (project.folder / "train.txt").write_text("/t0.png 4\n/t1.png 5\n")
    assert has(project.check(), "error", "train.txt:2: label 5, but layer 'loss' takes 0..4")


def test_repeated_and_copied_images(project: Project) -> None:
    (project.folder / "t5.png").write_bytes((project.folder / "t2.png").read_bytes())
    project.write_list("train", ["t0", "t1", "t0", "t2", "t5"])
    report = project.check()
    assert has(report, "warning", "train.txt:3", "t0.png' is already in line 1")
    assert has(report, "warning", "train.txt:5", "t5.png' is a copy of line 4's image")


def test_images_that_are_trained_and_tested_on(project: Project) -> None:
    (project.folder / "v1.png").write_bytes((project.folder / "t2.png").read_bytes())
    (project.folder / "val.txt").write_text(f"/../{project.folder.name}/t4.png /t4_label.png\n/v1.png /v1_label.png\n")
    report = project.check()
    assert report.ok
    assert has(
        report, "warning", "2 of the 2 images of 'val.txt' are in the training list 'train.txt' too", "val.txt:1"
    )


@pytest.mark.parametrize(
    ("count", "severity", "parts"),
    [
        (1, "warning", ("a test sees 1 of the 2 images", "Write test_iter: 2")),
        (3, "warning", ("a test sees 1 of the 2 images", "more than once", "Write test_iter: 2")),
    ],
)
def test_test_iter_covers_the_list(project: Project, count: int, severity: str, parts: tuple[str, ...]) -> None:
    project.solver(SOLVER.replace("test_iter: 2", f"test_iter: {count}"))
    assert has(project.check(), severity, "test_iter", *parts)


def test_layers_that_start_at_zero(project: Project) -> None:
    project.net(filler="")
    report = project.check()
    assert has(report, "error", "weights", "2 layers would start at zero, since no weights are given", "conv1, conv2")
    assert project.check(resumed=True).ok
    net = pydeeplab.Net(project.folder / "net.prototxt", pydeeplab.TEST)
    for blobs in net.params.values():
        blobs[0].data[...] = 1
    net.save(project.folder / "all.caffemodel")
    report = project.check(weights=project.folder / "all.caffemodel")
    assert report.ok
    assert has(report, "note", "loaded 3 layers")
    text = (project.folder / "net.prototxt").read_text().replace('"conv2"', '"other"')
    (project.folder / "net.prototxt").write_text(text)
    report = project.check(weights=project.folder / "all.caffemodel")
    assert has(report, "error", "1 layer would start at zero, since no loaded file holds it", "other")
    assert has(report, "note", "not in the file: other (all ZERO)")


def test_what_a_filler_starts_is_not_called_zero(project: Project) -> None:
    net = pydeeplab.Net(project.folder / "net.prototxt", pydeeplab.TEST)
    net.save(project.folder / "all.caffemodel")
    text = (project.folder / "net.prototxt").read_text().replace('"fc8_x"', '"fc8_y"')
    (project.folder / "net.prototxt").write_text(text)
    report = project.check(weights=project.folder / "all.caffemodel")
    assert has(report, "note", "not in the file: fc8_y (left at its filler)")


def test_a_classifier_may_start_at_zero_with_a_warning(project: Project) -> None:
    text = (project.folder / "net.prototxt").read_text()
    text = text.replace('weight_filler { type: "gaussian" std: 0.01 }', "")
    (project.folder / "net.prototxt").write_text(text)
    report = project.check()
    assert report.ok
    assert has(report, "warning", "start at zero", "fc8_x")


def test_frozen_statistics_that_nobody_gave(project: Project) -> None:
    text = (project.folder / "net.prototxt").read_text()
    layer = 'layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { %s } }\n'
    for setting, ok in (("use_global_stats: true", False), ("", True)):
        (project.folder / "net.prototxt").write_text(
            text.replace('layer { name: "relu1"', layer % setting + 'layer { name: "relu1"')
        )
        report = project.check()
        assert report.ok is ok
        assert ok or has(report, "error", "statistics of 1 BatchNorm layer would stay unset", "bn")


def test_weights_that_do_not_fit(project: Project) -> None:
    report = project.check(weights=project.folder / "none.caffemodel")
    assert has(report, "error", "weights", "none.caffemodel")
    other = pydeeplab.Net.from_text(
        'layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 1 dim: 2 } } } '
        'layer { name: "else" type: "InnerProduct" bottom: "in" top: "out" inner_product_param { num_output: 2 } }',
        pydeeplab.TEST,
    )
    other.save(project.folder / "other.caffemodel")
    report = project.check(weights=project.folder / "other.caffemodel")
    assert has(report, "error", "no layer of the weight files has the name of one in the net", "or none")
    arguments = ["train", "--solver", str(project.folder / "solver.prototxt"), "--weights", "other.caffemodel"]
    assert main([*arguments, "--quiet"]) == 1
    assert main([*arguments, "--quiet", "--check", "none", "--iterations", "1"]) == 0


def test_snapshots_can_be_written(project: Project) -> None:
    (project.folder / "file").write_text("")
    project.solver(SOLVER.replace("snapshots/x", "file/x"))
    assert has(project.check(), "error", "snapshots go to 'file', but", "is a file")
    project.solver(SOLVER.replace("snapshots/x", "new/folder/x"))
    report = project.check()
    assert report.ok
    assert has(report, "note", "'new/folder', which does not exist; `pydeeplab train` makes it")
    assert not (project.folder / "new").exists()
    project.solver(SOLVER.replace("snapshots/x", "file/x") + "snapshot_after_train: false")
    assert project.check().ok


def test_folders_that_may_not_be_written(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert has(project.check(), "error", "snapshot", "is not writable")


def test_snapshots_larger_than_the_disk(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    full = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    assert has(project.check(), "error", "snapshot", "would not fit", "0 MiB are free")


def test_more_memory_than_there_is(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (nets_module.available_memory() or 1) > 0
    monkeypatch.setattr(nets_module, "available_memory", lambda: 1000)
    assert has(project.check(), "warning", "memory", "are available", "smaller crop")


def test_deviations_from_the_paper(project: Project) -> None:
    project.solver(SOLVER.replace('"poly"', '"step" gamma: 0.1 stepsize: 5').replace("0.0005", "0.001"))
    project.net(lr=1, crop=33)
    report = project.check()
    assert report.ok
    for parts in (
        ("weight_decay 0.001; the paper: 0.0005",),
        ("lr_policy step; the paper: poly with power 0.9",),
        ("weights of classifier 'fc8_x' is 1 times the trunk's; the paper: 10 times", "lr_mult: 10"),
        ("crop 33; the paper: 321",),
    ):
        assert has(report, "note", "recipe", *parts)
    messages = [finding.message for finding in report.findings]
    assert not any("biases" in m or "momentum 0" in m or "mirror" in m or "images per step" in m for m in messages)


def test_what_costs_accuracy_with_trained_weights_is_a_warning(project: Project) -> None:
    pydeeplab.Net(project.folder / "net.prototxt", pydeeplab.TEST).save(project.folder / "w.caffemodel")
    project.net(lr=1)
    report = project.check(weights=project.folder / "w.caffemodel")
    assert has(report, "warning", "recipe", "is 1 times the trunk's")


def test_means_in_the_wrong_order(project: Project) -> None:
    text = (project.folder / "net.prototxt").read_text()
    swapped = "mean_value: 123 mean_value: 117 mean_value: 104"
    text = text.replace("mean_value: 104.008 mean_value: 116.669 mean_value: 122.675", swapped, 1)
    (project.folder / "net.prototxt").write_text(text)
    report = project.check()
    assert has(report, "warning", "recipe", "mean_value is in the order red, green, blue", "blue, green, red")


def test_a_net_that_cannot_be_built_is_a_finding(project: Project) -> None:
    text = (project.folder / "net.prototxt").read_text().replace('bottom: "conv2"', 'bottom: "conv3"')
    (project.folder / "net.prototxt").write_text(text)
    report = project.check()
    assert has(report, "error", "train net", "bottom 'conv3' is no layer's top. Did you mean 'conv2'?")
    assert has(report, "error", "test net", "bottom 'conv3'")
    project.solver("base_lr: 1")
    assert has(project.check(), "error", "solver", "exactly one net to train")
    project.solver("base_lr: one")
    with pytest.raises(PrototxtError, match=r"solver\.prototxt:1"):
        project.check()


def test_lists_without_a_crop(project: Project) -> None:
    text = (project.folder / "net.prototxt").read_text()
    (project.folder / "net.prototxt").write_text(text.replace("crop_size: 41", ""))
    assert project.check().ok
    (project.folder / "net.prototxt").write_text(text.replace("crop_size: 33", ""))
    Image.fromarray(np.zeros((41, 49, 3), np.uint8)).save(project.folder / "t1.png")
    project.write_label("t1", np.zeros((41, 49), np.uint8))
    report = project.check()
    assert has(report, "error", "train.txt:2: the image is 41 x 49", "the first one 41 x 41", "batch_size: 1")
    (project.folder / "train.txt").unlink()
    assert has(
        project.check(), "error", "train net", "layer 'data' (ImageSegData): list file 'train.txt' does not exist"
    )


def test_other_data_layers_are_tried(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["x"], file["y"] = np.zeros((4, 3)), np.zeros(4)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/rows.h5\n")
    net = tmp_path / "net.prototxt"
    net.write_text(
        f'layer {{ name: "in" type: "HDF5Data" top: "x" top: "y" hdf5_data_param {{ source: "{tmp_path}/list.txt" '
        'batch_size: 2 } } layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param '
        '{ num_output: 2 weight_filler { type: "xavier" } } } '
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "y" top: "loss" }'
    )
    report = check_net(net)
    assert report.ok
    assert has(report, "note", "layer 'in' (HDF5Data): its first batch can be read")
    (tmp_path / "rows.h5").unlink()
    assert has(check_net(net), "error", "rows.h5', listed in", "does not exist")


def test_image_data_labels(project: Project) -> None:
    (project.folder / "classes.txt").write_text("/t0.png 0\n/t1.png 3\n")
    net = project.folder / "classify.prototxt"
    net.write_text(
        f'layer {{ name: "in" type: "ImageData" top: "x" top: "y" image_data_param {{ source: "classes.txt" '
        f'root_folder: "{project.folder}" batch_size: 1 }} transform_param {{ crop_size: 9 }} }} '
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param '
        '{ num_output: 3 weight_filler { type: "xavier" } } } '
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "y" top: "loss" }'
    )
    assert has(check_net(net), "error", "classes.txt:2: label 3, but layer 'loss' takes 0..2")


# The command ---------------------------------------------------------------------------------------------------


def test_command(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--solver", "solver.prototxt"]) == 0
    out, err = capsys.readouterr()
    assert "0 errors, 0 warnings" in out.splitlines()[-1]
    assert "checking train.txt 6/6" in err
    project.write_label("t1", np.full((41, 41), 77, np.uint8))
    assert main(["check", "--solver", "solver.prototxt", "--quiet", "--workers", "1"]) == 1
    out, err = capsys.readouterr()
    assert "unexpected label 77" in " ".join(out.split())
    assert "note " not in out
    assert not err
    assert main(["check", "--net", "net.prototxt", "--json"]) == 1
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert answer["ok"] is False
    assert answer["facts"]["train images"] == 6
    assert {f["severity"] for f in answer["findings"]} >= {"error", "note"}
    assert not err
    assert main(["check", "--net", "net.prototxt", "--phase", "TEST", "--fast"]) == 0


def test_command_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--solver", str(tmp_path / "none.prototxt")]) == 2
    assert "none" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["check"])
