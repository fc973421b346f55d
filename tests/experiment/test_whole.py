"""Whole runs: a handful of rows in miniature, and an experiment folder of DeepLab's own scripts that is continued."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab.cli import main
from pydeeplab.data.images import read_label
from pydeeplab.data.palette import voc_palette, write_label_png
from pydeeplab.data.synthetic import scene
from pydeeplab.experiment import find_experiment
from pydeeplab.experiment.running import in_folder
from pydeeplab.experiment.smoke import prepare_smoke, smoke_workspace
from pydeeplab.experiment.subject import Subject
from pydeeplab.formats import read_weights
from pydeeplab.formats.bin_map import read_bin, write_bin
from pydeeplab.formats.mat import write_mat


def run(*arguments: object) -> int:
    return main(["experiment", "run", *map(str, arguments)])


def test_rows_in_miniature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ("table1/4x4_rate4", "table1/3x3_rate12", "table4/msc_coco_aug_aspp", "table9/vgg16_half")
    assert run(*rows, "--smoke", "--out", tmp_path, "--json") == 0
    entries = {e["name"]: e for e in json.loads(capsys.readouterr().out)}
    assert set(entries) == set(rows)
    for entry in entries.values():
        assert entry["status"] == "done", entry
        assert entry["ours"]["before_crf"] is not None
        assert (entry["ours"].get("after_crf") is not None) is ("crf" in entry["stages"])
    for page in tmp_path.glob("*/res/features/*/val/*/*_report.html"):
        text = page.read_text()
        assert "<svg" in text
        assert "the numbers mean nothing" in text
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert run(*rows, "--smoke", "--out", tmp_path) == 0
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before


def test_scores_in_files_give_the_same_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As DeepLab's scripts do it (test net, MatWrite, CRF program) and in one go."""
    rows = ("table1/3x3_rate12", "table9/vgg16_half", "table7/base")
    assert run(*rows, "--smoke", "--out", tmp_path / "files", "--scores") == 0
    assert run(*rows, "--smoke", "--out", tmp_path / "streamed") == 0
    pages = sorted(p.relative_to(tmp_path / "streamed") for p in (tmp_path / "streamed").glob("*/res/**/comp6*/*.png"))
    assert len(pages) == 3 * 4
    kinds = set()
    for page in pages:
        labels = read_label(tmp_path / "streamed" / page)
        np.testing.assert_array_equal(read_label(tmp_path / "files" / page), labels)
        kinds |= set(np.unique(labels).tolist())
        if "post_densecrf" in str(page):
            post = next(p for p in page.parents if p.name.startswith("post_densecrf"))
            np.testing.assert_array_equal(read_bin(tmp_path / "files" / post / f"{page.stem}.bin"), labels)
    assert len(kinds) > 3
    assert len(list((tmp_path / "files").glob("voc12/features/*/val/fc8/*_blob_0.mat"))) == 3


def test_layers_are_copied_to_branches(tmp_path: Path) -> None:
    subject = Subject(find_experiment("table3/aspp_l"), smoke_workspace(tmp_path))
    with in_folder(tmp_path):
        prepare_smoke(subject)
    assert run("table3/aspp_l", "--smoke", "--out", tmp_path, "--until", "train") == 0
    start = read_weights(tmp_path / "init/vgg16_20M.caffemodel").arrays()
    copied = read_weights(tmp_path / "voc12/model/table3_aspp_l/init_copies.caffemodel").arrays()
    assert not any(name.startswith("fc6_") for name in start)
    for branch in "1234":
        for blob in "01":
            np.testing.assert_array_equal(copied[f"fc6_{branch}/{blob}"], start[f"fc6/{blob}"])
    np.testing.assert_array_equal(copied["conv1_1/0"], start["conv1_1/0"])


TRAIN = """\
# ${NOT_SET} in a comment is left alone
name: "${NET_ID}"
layers { name: "data" type: IMAGE_SEG_DATA top: "data" top: "label"
  image_data_param { root_folder: "${DATA_ROOT}" source: "${EXP}/list/${TRAIN_SET}.txt" batch_size: 2 shuffle: true
    label_type: PIXEL }
  transform_param { mean_value: 104 mean_value: 117 mean_value: 123 crop_size: 33 mirror: true }
  include: { phase: TRAIN } }
layers { name: "fc8_${EXP}" type: CONVOLUTION bottom: "data" top: "fc8" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: ${NUM_LABELS} kernel_size: 3 pad: 2 hole: 2
    weight_filler { type: "gaussian" std: 0.01 } } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc8" bottom: "label" softmaxloss_param { ignore_label: 255 } }
"""
TEST = """\
name: "${NET_ID}"
layers { name: "data" type: IMAGE_SEG_DATA top: "data" top: "label" top: "data_dim"
  image_data_param { root_folder: "${DATA_ROOT}" source: "${EXP}/list/${TEST_SET}.txt" batch_size: 1 label_type: NONE }
  transform_param { mean_value: 104 mean_value: 117 mean_value: 123 crop_size: 65 mirror: false }
  include: { phase: TEST } }
layers { name: "fc8_${EXP}" type: CONVOLUTION bottom: "data" top: "fc8"
  convolution_param { num_output: ${NUM_LABELS} kernel_size: 3 pad: 2 hole: 2 } }
layers { name: "fc8_mat" type: MAT_WRITE bottom: "fc8" include: { phase: TEST }
  mat_write_param { prefix: "${FEATURE_DIR}/${TEST_SET}/fc8/" source: "${EXP}/list/${TEST_SET}_id.txt"
    strip: 0 period: 1 } }
layers { name: "silence" type: SILENCE bottom: "label" bottom: "data_dim" include: { phase: TEST } }
"""
SOLVER = """\
train_net: "${EXP}/config/${NET_ID}/train_${TRAIN_SET}.prototxt"
lr_policy: "step" gamma: 0.1 stepsize: 2000 base_lr: ${LR} max_iter: 3 display: 1 momentum: 0.9 weight_decay: 0.0005
random_seed: 1 snapshot: 2 snapshot_prefix: "${EXP}/model/${NET_ID}/train" solver_mode: GPU
"""


@pytest.fixture
def old_folder(tmp_path: Path) -> Path:
    """Templates, lists and images as DeepLab's scripts have them; and a TOML file that continues it."""
    with in_folder(tmp_path):
        prepare_smoke(Subject(find_experiment("table2/step_30_6k"), smoke_workspace(tmp_path)))
    (tmp_path / "voc12/data").rename(tmp_path / "VOC2012")
    config = tmp_path / "voc12/config/vgg128_noup"
    config.mkdir(parents=True)
    for name, text in (("train", TRAIN), ("test", TEST), ("solver", SOLVER)):
        (config / f"{name}.prototxt").write_text(text)
    (tmp_path / "old.toml").write_text(
        'title = "continued"\n[net]\nname = "voc12/config/vgg128_noup"\nnet_id = "vgg128_noup"\n'
        '[data]\ndataset = "voc12"\ntrain = "train_aug"\n[variables]\nLR = 1e-6\n[crf]\nparams = "w=4,xy=30,rgb=5"\n'
    )
    return tmp_path


def test_an_old_folder_is_continued(old_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (old_folder / "old.toml", "--out", old_folder, "--root", old_folder / "VOC2012", "--scores")
    assert run(*arguments) == 0, capsys.readouterr().err
    exp = old_folder / "voc12"
    for name in ("train_train_aug", "solver_train_aug", "test_val"):
        assert "${" not in (exp / f"config/vgg128_noup/{name}.prototxt").read_text().replace("${NOT_SET}", "")
    assert (exp / "config/vgg128_noup/train.prototxt").read_text() == TRAIN
    assert (exp / "model/vgg128_noup/train_iter_3.caffemodel").is_file()
    assert len(list((exp / "features/vgg128_noup/val/fc8").glob("*_blob_0.mat"))) == 3
    post = exp / "res/features/vgg128_noup/val/fc8/post_densecrf_W4_XStd30_RStd5_PosW3_PosXStd3"
    assert len(list(post.glob("*.bin"))) == 3
    assert len(list((post / "results/VOC2012/Segmentation/comp6_val_cls").glob("*.png"))) == 3
    # what Caffe trained is taken as it is when the marks are not there
    for mark in exp.glob("log/vgg128_noup/stages/*.json"):
        mark.unlink()
    capsys.readouterr()
    assert run(*arguments) == 0
    assert "$ pydeeplab train" not in capsys.readouterr().err


def test_scores_and_results_of_deeplabs_programs_are_taken(
    old_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only .mat scores, and .bin label maps of their CRF program; no model, no label maps, no marks."""
    exp, random = old_folder / "voc12", np.random.default_rng(0)
    scores = exp / "features/vgg128_noup/val/fc8"
    post = exp / "res/features/vgg128_noup/val/fc8/post_densecrf_W4_XStd30_RStd5_PosW3_PosXStd3"
    maps, refined = {}, {}
    for name in (exp / "list/val_id.txt").read_text().split():
        height, width = read_label(old_folder / f"VOC2012/SegmentationClassAug/{name}.png").shape
        for folder in (scores, post):
            folder.mkdir(parents=True, exist_ok=True)
        maps[name] = random.normal(size=(1, 21, 65, 65)).astype(np.float32)
        write_mat(scores / f"{name}_blob_0.mat", maps[name])
        maps[name] = maps[name][0, :, :height, :width].argmax(axis=0)
        refined[name] = random.integers(0, 21, (height, width))
        write_bin(post / f"{name}.bin", refined[name])
    arguments = (old_folder / "old.toml", "--out", old_folder, "--root", old_folder / "VOC2012", "--scores")
    assert run(*arguments, "--from", "test") == 0, capsys.readouterr().err
    said = capsys.readouterr().err
    assert "$ pydeeplab train" not in said
    assert "$ pydeeplab test" not in said
    labels = "results/VOC2012/Segmentation/comp6_val_cls"
    for name in maps:
        np.testing.assert_array_equal(read_label(post.parent / "none" / labels / f"{name}.png"), maps[name])
        np.testing.assert_array_equal(read_label(post / labels / f"{name}.png"), refined[name])
    assert run(*arguments, "--from", "test") == 0
    assert "$ pydeeplab" not in capsys.readouterr().err


def test_a_variable_without_value_is_named(old_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml = old_folder / "old.toml"
    toml.write_text(toml.read_text().replace("LR = 1e-6", "LRATE = 1"))
    arguments = (toml, "--out", old_folder, "--root", old_folder / "VOC2012")
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert "solver.prototxt:2:" in error
    assert "${LR} has no value" in error
    assert run(*arguments, "--define", "LR=1e-6", "--until", "train") == 0


DEPLOY = """\
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 65 dim: 65 } } }
layer { name: "fc8_voc12" type: "Convolution" bottom: "data" top: "fc8"
  convolution_param { num_output: 21 kernel_size: 3 pad: 2 dilation: 2 } }
"""


def write_devkit(folder: Path) -> None:
    """VOC2012 as it comes, in miniature: images, palette label maps, and lists of ids."""
    voc = folder / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (voc / name).mkdir(parents=True)
    for name, numbers in (("train", range(4)), ("val", range(4, 7))):
        for number in numbers:
            image, labels = scene(number, 49, 60, 3)
            Image.fromarray(image).save(voc / "JPEGImages" / f"2007_{number:06}.jpg")
            write_label_png(voc / "SegmentationClass" / f"2007_{number:06}.png", labels, voc_palette())
        ids = "".join(f"2007_{number:06}\n" for number in numbers)
        (voc / "ImageSets" / "Segmentation" / f"{name}.txt").write_text(ids)


def test_from_the_devkit_to_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_devkit(tmp_path)
    net = tmp_path / "nets"
    net.mkdir()
    for name, text in (("train", TRAIN), ("deploy", DEPLOY), ("solver", SOLVER)):
        (net / f"{name}.prototxt").write_text(text.replace("${LR}", "1e-6"))
    (tmp_path / "mine.toml").write_text(
        'title = "mine"\n[net]\nname = "nets"\n[data]\ndataset = "voc12"\ntrain = "train"\n'
        '[crf]\nsearch = true\nsearch_images = 2\ngrid = { w1 = "4", sigma_alpha = "20,30", sigma_beta = "5" }\n'
        "[expected]\nbefore_crf = 10\nafter_crf = 20\n"
    )
    arguments = (tmp_path / "mine.toml", "--root", tmp_path / "VOCdevkit", "--out", tmp_path / "work")
    assert run(*arguments, "--json") == 0, capsys.readouterr().err
    (entry,) = json.loads(capsys.readouterr().out)
    assert set(entry["stages"].values()) == {"done"}
    assert list(entry["stages"]) == ["prepare", "train", "test", "crf-search", "crf", "score", "report"]
    work = tmp_path / "work/voc12"
    assert len((work / "list/train.txt").read_text().splitlines()) == 4
    assert (work / "data/JPEGImages/2007_000000.jpg").is_file()
    (page,) = work.rglob("*_report.html")
    assert f"{entry['ours']['after_crf']:.2f}" in page.read_text()
    assert "found by search" in page.read_text()
    capsys.readouterr()
    assert run(*arguments) == 0
    said = capsys.readouterr().err
    assert "$ pydeeplab" not in said
    assert said.count("done before") == 7
