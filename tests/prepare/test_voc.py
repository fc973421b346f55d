"""PASCAL VOC 2012 with SBD, and what all data sets have in common."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pydeeplab.data import class_set, read_label, voc_palette, write_label_png
from pydeeplab.data.lists import ImageList
from pydeeplab.errors import DataError, OutputError, UsageError
from pydeeplab.formats.mat_tree import open_mat
from pydeeplab.prepare import Prepared, prepare
from tests.prepare.devkits import (
    SBD_ONLY,
    SBD_TOO,
    SIZE,
    VOC_TEST,
    VOC_TRAIN,
    VOC_VAL,
    labels_of,
    make_sbd,
    make_voc,
    voc_labels,
    write_image,
    write_mat,
)
from tests.support.external import shared


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_voc(tmp_path)
    make_sbd(tmp_path)
    return tmp_path


def run(root: Path, **options: object) -> Prepared:
    return prepare("voc12", root / "VOCdevkit", root / "work", workers=2, **options)


def label(prepared: Prepared, name: str) -> Path:
    return prepared.data_root / "SegmentationClassAug" / f"{name}.png"


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time of change and contents of all files."""
    files = (f for f in sorted(folder.rglob("*")) if f.is_file())
    return {f.relative_to(folder).as_posix(): (f.stat().st_mtime_ns, f.read_bytes()) for f in files}


def test_labels_lists_and_classes(root: Path) -> None:
    prepared = run(root)
    assert prepared.ok
    assert prepared.problems == ()
    assert prepared.labels == {"written": 8}
    for name in VOC_TRAIN + VOC_VAL:
        np.testing.assert_array_equal(read_label(label(prepared, name)), voc_labels(name))
    for name in SBD_ONLY:
        np.testing.assert_array_equal(read_label(label(prepared, name)), labels_of(name, 21))
    with Image.open(label(prepared, VOC_TRAIN[0])) as picture:
        assert picture.mode == "L"
    augmented = sorted(VOC_TRAIN + SBD_ONLY)
    assert prepared.lists["train_aug"] == root / "work" / "voc12" / "list" / "train_aug.txt"
    lines = [f"/JPEGImages/{n}.jpg /SegmentationClassAug/{n}.png" for n in augmented]
    assert prepared.lists["train_aug"].read_text().splitlines() == lines
    assert (root / "work/voc12/list/val_id.txt").read_text().split() == VOC_VAL
    assert prepared.lists["test"].read_text() == f"/JPEGImages/{VOC_TEST[0]}.jpg\n"
    assert prepared.lists["train_aug_diff_train"].read_text().splitlines() == [
        f"/JPEGImages/{n}.jpg /SegmentationClassAug/{n}.png" for n in SBD_ONLY
    ]
    found = {name: count.found for name, count in prepared.counts.items()}
    assert found == {
        "train": 3,
        "val": 2,
        "trainval": 5,
        "train_aug": 6,
        "trainval_aug": 8,
        "test": 1,
        "train_aug_diff_train": 3,
        "trainval_aug_diff_train": 5,
    }
    assert prepared.counts["train_aug"].expected == 10582
    assert not prepared.counts["train_aug"].as_published
    known = class_set(prepared.class_file)
    assert known.names == class_set("voc12").names
    np.testing.assert_array_equal(known.palette, voc_palette())
    assert known.background == 0


def test_published_counts_are_consistent() -> None:
    from pydeeplab.prepare.voc import COUNTS

    assert COUNTS["trainval_aug"] - COUNTS["val"] == COUNTS["train_aug"]
    assert COUNTS["train"] + COUNTS["val"] == COUNTS["trainval"]
    assert COUNTS["train_aug"] - COUNTS["train"] == COUNTS["train_aug_diff_train"]
    assert COUNTS["trainval_aug"] - COUNTS["train"] == COUNTS["trainval_aug_diff_train"]


def test_lists_lead_to_the_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = run(root)
    monkeypatch.chdir(prepared.out)
    for name in ("train_aug", "trainval", "val"):
        entries = ImageList(f"voc12/list/{name}.txt", os.fspath(prepared.data_root))
        assert entries.missing(labels=True) == []
        assert len(entries) == prepared.counts[name].found


def test_voc_wins_where_both_have_labels(root: Path) -> None:
    prepared = run(root)
    for name in SBD_TOO:
        assert not np.array_equal(labels_of(name, 21), voc_labels(name))
        np.testing.assert_array_equal(read_label(label(prepared, name)), voc_labels(name))


def test_a_second_run_changes_nothing_and_says_so(root: Path) -> None:
    assert not run(root).same
    before = tree(root)
    again = run(root)
    assert again.same
    assert again.labels == {"kept": 8}
    assert again.changed == ()
    assert tree(root) == before
    assert run(root, fast=True).same
    assert run(root, check=True).ok


def test_it_goes_on_where_it_was_stopped(root: Path) -> None:
    prepared = run(root)
    before = tree(root)
    label(prepared, VOC_VAL[0]).unlink()
    label(prepared, SBD_ONLY[0]).write_bytes(b"")
    label(prepared, VOC_TRAIN[0]).write_bytes(label(prepared, VOC_TRAIN[0]).read_bytes()[:60])
    prepared.lists["val"].unlink()
    again = run(root, fast=True)
    assert again.labels == {"kept": 5, "written": 1, "remade": 2}
    assert again.changed == (str(prepared.lists["val"]),)
    assert {k: v[1] for k, v in tree(root).items()} == {k: v[1] for k, v in before.items()}


def test_a_label_map_that_differs_from_its_source_is_remade(root: Path) -> None:
    prepared = run(root)
    write_label_png(label(prepared, SBD_ONLY[0]), labels_of("other", 21))
    assert run(root, fast=True).same
    checked = run(root, check=True)
    assert (checked.ok, checked.labels) == (False, {"kept": 7, "different": 1})
    assert run(root).labels == {"kept": 7, "remade": 1}
    np.testing.assert_array_equal(read_label(label(prepared, SBD_ONLY[0])), labels_of(SBD_ONLY[0], 21))


def test_a_palette_png_in_the_way_becomes_grey(root: Path) -> None:
    """Caffe would read a palette's colours."""
    prepared = run(root)
    write_label_png(label(prepared, VOC_VAL[0]), voc_labels(VOC_VAL[0]), voc_palette())
    assert run(root, fast=True).labels == {"kept": 7, "remade": 1}


def test_checking_writes_nothing(root: Path) -> None:
    checked = run(root, check=True)
    assert not checked.ok
    assert checked.check
    assert checked.labels == {"missing": 8}
    assert not (root / "work").exists()


def test_without_sbd(root: Path) -> None:
    shutil.rmtree(root / "benchmark_RELEASE")
    prepared = run(root)
    assert set(prepared.counts) == {"train", "val", "trainval", "test"}
    assert any("no SBD was found" in note for note in prepared.notes)
    assert prepared.ok


def test_without_test_images(root: Path) -> None:
    (root / "VOCdevkit/VOC2012/ImageSets/Segmentation/test.txt").unlink()
    prepared = run(root)
    assert "test" not in prepared.lists
    assert any("test.txt does not exist" in note for note in prepared.notes)


def test_the_root_may_be_any_folder_on_the_way(root: Path) -> None:
    names = ("", "VOCdevkit", "VOCdevkit/VOC2012")
    counts = [
        prepare("voc12", root / n, root / f"out{i}", annotations=root / "benchmark_RELEASE" / "dataset").counts
        for i, n in enumerate(names)
    ]
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.write_bytes(b"MATLAB 5.0 MAT-file" * 30), "cannot be read as a .mat file"),
        (lambda p: p.write_bytes(p.read_bytes()[:150]), "cannot be read as a .mat file|damaged"),
        (lambda p: write_mat(p, {"GTinst": {"Segmentation": np.eye(3)}}), "has no variable 'GTcls', only GTinst"),
        (lambda p: write_mat(p, {"GTcls": {"Boundaries": np.eye(3)}}), "GTcls has no field 'Segmentation'"),
        (lambda p: write_mat(p, {"GTcls": {"Segmentation": np.eye(3) / 2}}), "GTcls.Segmentation must hold class"),
        (lambda p: write_mat(p, {"GTcls": {"Segmentation": "text"}}), "GTcls.Segmentation must be an array of real"),
        (
            lambda p: write_mat(p, {"GTcls": {"Segmentation": np.full(SIZE, 21, np.uint8)}}),
            r"21 at row 0, column 0 is neither a class \(0..20\) nor 255",
        ),
        (
            lambda p: write_mat(p, {"GTcls": {"Segmentation": np.zeros((4, 5), np.uint8)}}),
            r"are 4 x 5 \(height x width\), its image",
        ),
    ],
)
def test_a_bad_annotation_is_named_and_left_out(root: Path, spoil, message: str) -> None:
    name = SBD_ONLY[1]
    spoil(root / "benchmark_RELEASE" / "dataset" / "cls" / f"{name}.mat")
    prepared = run(root)
    assert not prepared.ok
    assert len(prepared.problems) == 1
    assert name in prepared.problems[0]
    with pytest.raises(DataError, match=message):
        raise DataError(prepared.problems[0])
    assert prepared.counts["train_aug"].left_out == (name,)
    assert prepared.counts["train_aug"].found == 5
    assert name not in prepared.lists["train_aug"].read_text()


def test_bad_pictures_are_named(root: Path) -> None:
    voc = root / "VOCdevkit" / "VOC2012"
    (voc / "JPEGImages" / f"{VOC_TEST[0]}.jpg").unlink()
    (voc / "JPEGImages" / f"{VOC_VAL[0]}.jpg").write_bytes(b"no picture")
    (voc / "SegmentationClass" / f"{VOC_TRAIN[0]}.png").unlink()
    write_image(voc / "JPEGImages" / f"{VOC_TRAIN[1]}.jpg", SIZE[::-1])
    problems = "\n".join(run(root).problems)
    assert f"{VOC_TEST[0]}.jpg' does not exist" in problems
    assert f"{VOC_VAL[0]}.jpg' cannot be read" in problems
    assert f"{VOC_TRAIN[0]}.png' does not exist" in problems
    assert "EXIF orientation" in problems


def test_images_that_do_not_decode_are_found_by_checking(root: Path) -> None:
    run(root)
    file = root / "VOCdevkit" / "VOC2012" / "JPEGImages" / f"{VOC_TRAIN[0]}.jpg"
    file.write_bytes(file.read_bytes()[:-60])
    assert run(root).ok
    checked = run(root, check=True)
    assert not checked.ok
    assert VOC_TRAIN[0] in checked.problems[0]


def test_copies_of_the_images(root: Path) -> None:
    prepared = run(root, copy=True)
    copied = prepared.data_root / "JPEGImages"
    assert prepared.copied == 9
    assert not copied.is_symlink()
    assert len(list(copied.iterdir())) == 9
    again = run(root, copy=True)
    assert (again.same, again.copied) == (True, 0)


def test_a_link_to_another_devkit_is_turned(root: Path) -> None:
    prepared = run(root)
    link = prepared.data_root / "JPEGImages"
    assert link.is_symlink()
    (root / "elsewhere").mkdir()
    link.unlink()
    link.symlink_to(root / "elsewhere")
    again = run(root)
    assert len(again.changed) == 1
    assert link.resolve() == (root / "VOCdevkit" / "VOC2012" / "JPEGImages").resolve()
    assert run(root).same


def test_into_the_devkit_itself(root: Path) -> None:
    voc = root / "VOCdevkit" / "VOC2012"
    prepared = run(root, data=voc)
    assert prepared.ok
    assert not (voc / "JPEGImages").is_symlink()
    assert (voc / "SegmentationClassAug" / f"{SBD_ONLY[0]}.png").is_file()
    assert run(root, data=voc).same


def test_published_lists_are_followed(root: Path) -> None:
    lists = root / "published"
    lists.mkdir()
    (lists / "train_aug.txt").write_text(
        f"/JPEGImages/{SBD_ONLY[0]}.jpg /SegmentationClassAug/{SBD_ONLY[0]}.png\n{VOC_TRAIN[0]}\n", encoding="utf-8"
    )
    prepared = run(root, lists=lists)
    assert set(prepared.lists) == {"train_aug"}
    assert [x.split("/")[2][:11] for x in prepared.lists["train_aug"].read_text().splitlines()] == [
        SBD_ONLY[0],
        VOC_TRAIN[0],
    ]
    (lists / "train_aug.txt").write_text("2099_000000\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train_aug.txt:1: the data set has no picture '2099_000000'"):
        run(root, lists=lists)


def test_wrong_usage(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown data set 'voc2012'.*Did you mean 'voc12'"):
        prepare("voc2012", root)
    with pytest.raises(UsageError, match="voc12 takes no 'masks', only annotations"):
        prepare("voc12", root, masks="x")
    with pytest.raises(UsageError, match="holds no VOC2012 devkit: expected a folder with JPEGImages"):
        prepare("voc12", root / "benchmark_RELEASE")
    with pytest.raises(UsageError, match="does not exist"):
        prepare("voc12", root / "nowhere")
    with pytest.raises(UsageError, match="is no SBD"):
        prepare("voc12", root, annotations=root / "VOCdevkit" / "VOC2012" / "JPEGImages")
    (root / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        prepare("voc12", root, root / "file")


def test_many_pictures_in_processes(tmp_path: Path) -> None:
    """More than a chunk each; progress counts to the end."""
    voc = make_voc(tmp_path)
    sbd = make_sbd(tmp_path)
    for index in range(90):
        name = f"2009_{index:06}"
        write_image(voc / "JPEGImages" / f"{name}.jpg", seed=index)
        shutil.copy(sbd / "dataset" / "cls" / f"{SBD_ONLY[0]}.mat", sbd / "dataset" / "cls" / f"{name}.mat")
    heard: list[tuple[int, int]] = []
    prepared = run(tmp_path, watch=lambda _, done, total: heard.append((done, total)))
    assert prepared.labels == {"written": 98}
    assert heard == [(done, 99) for done in range(100)]


def test_real_label_maps(tmp_path: Path) -> None:
    """Original palette PNGs of VOC, and their images where there are any."""
    samples = shared("data/voc_samples")
    voc = make_voc(tmp_path)
    truth = {f.stem: f for f in sorted((samples / "gt_palette").glob("*.png"))}
    images = {f.stem: f for f in samples.rglob("2007_*.jpg") if f.stem in truth and "vis" not in f.stem}
    assert images
    for name, image in images.items():
        shutil.copy(image, voc / "JPEGImages" / f"{name}.jpg")
        shutil.copy(truth[name], voc / "SegmentationClass" / f"{name}.png")
    (voc / "ImageSets/Segmentation/train.txt").write_text("".join(f"{n}\n" for n in images), encoding="utf-8")
    prepared = run(tmp_path, check=False)
    assert prepared.problems == ()
    grey = samples / "drsleep" / "2007_000129.png"
    for name in images:
        np.testing.assert_array_equal(read_label(label(prepared, name)), read_label(truth[name]))
    if "2007_000129" in images:
        np.testing.assert_array_equal(read_label(label(prepared, "2007_000129")), read_label(grey))
    assert run(tmp_path).same


def test_mat_files_of_the_miniature_are_those_of_sbd(root: Path) -> None:
    node = open_mat(root / "benchmark_RELEASE" / "dataset" / "cls" / f"{SBD_ONLY[0]}.mat")["GTcls"]
    assert list(node.elements()[0]) == ["Boundaries", "Segmentation", "CategoriesPresent"]
